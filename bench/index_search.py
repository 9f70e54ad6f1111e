"""Milliseconds to search and vote for the people of a batch, in databases of different sizes.

Rows are made people: ten postures of seventeen random keypoints each, shaken. A third of those asked about have hidden
legs. Recall is the share of the neighbours by full search that are found; "same label" the share of people whom
they give the same classification.

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
from index.classification import DECISION_RULE
from pose.embeddings.registry import DEFAULT_EMBEDDING

RESULT: Final = Path(__file__).parent / "results" / "index_search.json"
CLASSES: Final = 10
CHUNK: Final = 50_000
LEGS: Final = slice(11, 17)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--embedding", default=DEFAULT_EMBEDDING, help=f"({DEFAULT_EMBEDDING})")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5, help="each the mean of --calls calls (5)")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--cores", type=int, help="keep everything on this many cores (all)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    limit_cores(args.cores)
    before = load()

    import numpy as np

    import index.search.nearest
    from index import PostureIndex

    random = np.random.default_rng(0)
    postures = random.random((CLASSES, 17, 2)) * 200

    def made(count: int, hidden: float = 0.0) -> tuple[Any, Any]:
        """Keypoints `[count, 17, 3]` and the number of each one's posture."""
        numbers = random.integers(CLASSES, size=count)
        keypoints = np.full((count, 17, 3), 0.9, np.float32)
        keypoints[..., :2] = postures[numbers] + random.normal(0, 25, (count, 17, 2))
        keypoints[: int(hidden * count), LEGS, 2] = 0.0
        return keypoints, numbers

    indexes, ready = {}, {}
    for rows in args.rows:
        taught = PostureIndex(args.embedding, device=args.device)
        for start in range(0, rows, CHUNK):
            keypoints, numbers = made(min(CHUNK, rows - start))
            taught.add(taught.embedding.compute(keypoints), [f"posture {n}" for n in numbers])
        people = taught.embedding.compute(made(args.people, 1 / 3)[0])
        start_seconds = time.perf_counter()
        taught.classify(people)  # measures the radius, makes inverted lists
        ready[rows] = time.perf_counter() - start_seconds
        indexes[rows] = taught
    milliseconds: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for repeat in range(-1, args.repeats):  # the first one warms up
        for rows, taught in indexes.items():
            matches = taught.search(people, DECISION_RULE.k)
            for name, call in (
                ("search", lambda taught=taught: taught.search(people, DECISION_RULE.k)),
                ("vote", lambda taught=taught, matches=matches: taught.vote(matches)),
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
    for rows, taught in indexes.items():
        approximate = taught.search(people, DECISION_RULE.k)
        usual, index.search.nearest.EXACT_ROWS = index.search.nearest.EXACT_ROWS, 10**9  # type: ignore[misc]
        whole = taught.search(people, DECISION_RULE.k)
        index.search.nearest.EXACT_ROWS = usual  # type: ignore[misc]
        pairs = zip(approximate.entries.tolist(), whole.entries.tolist(), strict=True)
        found = [len(set(a) & set(b)) / len(b) for a, b in pairs]
        labels = [[classification.label for classification in taught.vote(matches)] for matches in (approximate, whole)]
        same = [a == b for a, b in zip(*labels, strict=True)]
        row = figures[str(rows)]
        row["recall"], row["same_label"] = round(sum(found) / len(found), 4), round(sum(same) / len(same), 4)
        row["ready_seconds"] = round(ready[rows], 2)
        print(f"{rows:>9,} rows, {args.people} people: search {show(row['search_ms'], 3)} ms, ", end="")
        print(f"vote {show(row['vote_ms'], 3)} ms, recall {row['recall']}, ", end="")
        print(f"same label {row['same_label']}, ready after {row['ready_seconds']} s")
    result = {
        "embedding": args.embedding,
        "neighbours": DECISION_RULE.k,
        "people": args.people,
        "cores": allowed_cores(),
        "repeats": args.repeats,
        "figures": figures,
    }
    write(args.out, result, before, machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
