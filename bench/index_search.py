"""Milliseconds to search and vote for the people of a batch, in databases of different sizes, exact L2 on the CPU.

python -m bench.index_search
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from bench.machine import allowed_cores, limit_cores, load, machine, show, spread, write

RESULT: Final = Path(__file__).parent / "results" / "index_search.json"
CLASSES: Final = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5, help="each the mean of --calls calls (5)")
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--cores", type=int, help="keep everything on this many cores (all)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    limit_cores(args.cores)
    before = load()

    import numpy as np

    from index import PostureIndex

    random = np.random.default_rng(0)
    indexes = {}
    for rows in args.rows:
        index = PostureIndex(device=args.device)
        vectors = random.random((rows, index.embedding.dimension), np.float32)
        index.add(vectors, [f"posture {n}" for n in random.integers(CLASSES, size=rows)])
        indexes[rows] = index
    people = random.random((args.people, index.embedding.dimension), np.float32)
    milliseconds: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for repeat in range(-1, args.repeats):  # the first one warms up
        for rows, index in indexes.items():
            matches = index.search(people)
            for name, call in (
                ("search", lambda index=index: index.search(people)),
                ("vote", lambda index=index, matches=matches: index.vote(matches)),
            ):
                start = time.perf_counter()
                for _ in range(args.calls):
                    call()
                if repeat >= 0:
                    milliseconds[rows][name].append(1e3 * (time.perf_counter() - start) / args.calls)
    figures: dict[str, Any] = {
        str(rows): {f"{name}_ms": spread(values, 3) for name, values in steps.items()}
        for rows, steps in milliseconds.items()
    }
    for rows, row in figures.items():
        print(f"{int(rows):>9,} rows, {args.people} people: search {show(row['search_ms'], 3)} ms, ", end="")
        print(f"vote {show(row['vote_ms'], 3)} ms")
    result = {"people": args.people, "cores": allowed_cores(), "repeats": args.repeats, "figures": figures}
    write(args.out, result, before, machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
