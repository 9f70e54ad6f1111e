"""Ten thousand damaged files: none may end the process, show a traceback, run code or take more than ten seconds.

    nice python -m bench.hostile_files                    # all kinds, within an hour
    python -m bench.hostile_files --kind video --files 500 --first 2000

Every file comes from a fixed seed: its number. Children with two gigabytes of address space read them in batches. A
file hangs if it takes ten seconds of computing, or two minutes of anything; then it is tried once more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.hostile_kinds import KINDS
from bench.machine import load, machine, write

__all__ = ["Finding", "try_files"]

RESULT: Final = Path(__file__).parent / "results" / "hostile_files.json"
SHARES: Final = {"database": 25, "labels": 20, "checkpoint": 15, "settings": 15, "picture": 5, "video": 20}  # per cent
BATCH: Final = 250
LONGEST_SECONDS: Final = 10.0
_PATIENCE: Final = 12
"""On a busy machine a child may wait so many times as long, as long as it does not compute."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a file that was not simply read or refused.

    Attributes:
        kind, number: which file; `--kind KIND --first NUMBER --files 1` makes it again.
        outcome: "traceback", "code run", "died" or "hung".
        text: the traceback, or what ended the process.
    """

    kind: str
    number: int
    outcome: str
    text: str


def try_files(
    kind: str,
    first: int,
    count: int,
    whole: Path,
    counts: Counter[str],
    sentences: Counter[str] | None = None,
    module: str = "bench.hostile_kinds",
) -> Iterator[Finding]:
    """Have children read damaged files, and tell what went wrong.

    Args:
        kind: one of `KINDS`.
        first: number of the first file.
        count: how many.
        whole: where the whole files of this kind lie.
        counts: outcomes are added up there.
        sentences: so are the refusals, numbers in them left out.
        module: holds `KINDS`.
    """
    tried_again: set[int] = set()
    number, end = first, first + count
    while number < end:
        for answer in _child([module, kind, str(number), str(min(BATCH, end - number)), str(whole)], number):
            outcome = answer["outcome"]
            if outcome == "hung" and answer["number"] not in tried_again:
                tried_again.add(answer["number"])
                number = answer["number"]
                break
            counts[outcome] += 1
            number = answer["number"] + 1
            if sentences is not None and outcome == "refused":
                sentences[re.sub(r"\d+", "0", answer["text"])] += 1
            if outcome not in ("read", "refused"):
                yield Finding(kind, answer["number"], outcome, answer["text"])


def _child(arguments: list[str], first: int) -> Iterator[dict[str, Any]]:
    """The answers of one child, up to the file that it died of or hung on."""
    command = [sys.executable, "-X", "faulthandler", "-m", "bench.hostile_child", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        assert child.stdout is not None
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_pass_on, args=(child.stdout, lines))
        reader.start()
        current, begun, computed = first, time.monotonic(), 0.0
        try:
            while True:
                try:
                    line = lines.get(timeout=1)
                except queue.Empty:
                    waited, busy = time.monotonic() - begun, _cpu_seconds(child.pid) - computed
                    if busy > LONGEST_SECONDS or waited > LONGEST_SECONDS * _PATIENCE:
                        text = f"no answer after {waited:.0f} s, {busy:.0f} s of them computing"
                        yield {"number": current, "outcome": "hung", "text": text}
                        return
                    continue
                if not line:
                    break
                answer = json.loads(line)
                if "begun" in answer:
                    current = answer["number"]
                else:
                    current = answer["number"] + 1
                    yield answer
                begun, computed = time.monotonic(), _cpu_seconds(child.pid)
            child.wait()
            if child.returncode != 0:
                errors.seek(0)
                said = errors.read().decode(errors="replace")[-2000:]
                yield {"number": current, "outcome": "died", "text": f"exit code {child.returncode}: {said}"}
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            child.wait()
            reader.join()


def _cpu_seconds(process: int) -> float:
    """CPU time of a process so far; 0 where it has ended or the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pass_on(stream: Any, lines: queue.Queue[str]) -> None:
    for line in stream:
        lines.put(line)
    lines.put("")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000, help="how many of all kinds together, or of one")
    parser.add_argument("--kind", choices=sorted(KINDS), action="append", help="only this; may come several times")
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER", help="number of the first file of each kind")
    parser.add_argument("--sentences", action="store_true", help="print the sentences that refuse files")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    before, begun = load(), time.monotonic()
    kinds = args.kind or list(KINDS)
    figures: dict[str, Any] = {}
    findings = []
    for kind in kinds:
        share = SHARES[kind] / sum(SHARES[one] for one in kinds)
        counts: Counter[str] = Counter()
        sentences: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            KINDS[kind].make(Path(folder))
            for finding in try_files(kind, args.first, round(args.files * share), Path(folder), counts, sentences):
                findings.append(finding)
                print(f"{finding.kind} {finding.number}: {finding.outcome}\n{finding.text}", flush=True)
        figures[kind] = dict(counts)
        for sentence, times in sentences.most_common() if args.sentences else ():
            print(f"{times:5}  {sentence}", flush=True)
        print(kind, figures[kind], f"{time.monotonic() - begun:.0f} s", flush=True)
    found = [{"kind": one.kind, "number": one.number, "outcome": one.outcome} for one in findings]
    minutes = round((time.monotonic() - begun) / 60, 1)
    write(args.out, {"files": figures, "findings": found, "minutes": minutes}, before, machine())
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
