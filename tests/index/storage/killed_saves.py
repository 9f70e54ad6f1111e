"""Saves that are really killed, each in a process of its own. Run by `test_kill.py`; prints what happened as JSON.

    python killed_saves.py steps BASE CASES NEW_ROWS    one case per filesystem step: SIGKILL just before it, or half
                                                        way through it where it writes
    python killed_saves.py random CASES COUNT SEED      COUNT processes that save without pause, killed from outside
    python killed_saves.py taught CASES COUNT SEED      likewise, with a thread beside that adds rows without pause

`NEW_ROWS` above zero adds rows to the database, below zero replaces it by a smaller one.
"""

from __future__ import annotations

import builtins
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3]))

from index import PostureIndex
from index.search.backend import load_faiss


def rows(first: int, count: int) -> np.ndarray:
    """Row i is made of i alone, so that a test can tell what it reads back."""
    return np.array([np.random.default_rng(i).random(25) for i in range(first, first + count)], np.float32)


def change(prefix: Path, new_rows: int) -> None:
    """The save under test."""
    if new_rows > 0:
        index = PostureIndex.load(prefix, device="cpu")
        index.add(rows(index.rows, new_rows), ["new"] * new_rows)
        index.save(prefix)
    else:
        index = PostureIndex("nose25", device="cpu")
        index.add(rows(1000, -new_rows), ["new"] * -new_rows)
        index.save(prefix, replace=True)


class Reaper:
    """Counts filesystem steps of this process and kills it at the chosen one."""

    def __init__(self, step: int) -> None:
        self.left = step
        for name in ("replace", "fsync", "unlink"):
            setattr(os, name, self.wrap(getattr(os, name)))
        self.real_open = builtins.open
        builtins.open = self.open

    def tick(self) -> bool:
        self.left -= 1
        return self.left == 0

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, function):
        def step(*args, **options):
            if self.tick():
                self.die()
            return function(*args, **options)

        return step

    def open(self, path, mode="r", *args, **options):
        file = self.real_open(path, mode, *args, **options)
        if "w" not in mode:
            return file
        if self.tick():  # the file is there and empty
            self.die()
        real_write = file.write
        reaper = self

        class Writer:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                file.close()

            def write(self, content):
                if reaper.tick():
                    real_write(content[: len(content) // 2])
                    file.flush()
                    reaper.die()
                return real_write(content)

            def __getattr__(self, name):
                return getattr(file, name)

        return Writer()


def in_child(work) -> int:
    """Run `work` in a forked process; its exit signal, 0 if it ended by itself."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    if os.WEXITSTATUS(status):
        raise SystemExit("the save failed")
    return 0


def steps(base: Path, cases: Path, new_rows: int) -> None:
    killed = 0
    for step in range(1, 200):
        case = cases / f"{step:03d}"
        shutil.copytree(base, case)

        def work(step: int = step, case: Path = case) -> None:
            Reaper(step)
            change(case / "pose_index", new_rows)

        if in_child(work) == 0:
            break
        killed += 1
    print(json.dumps({"killed": killed}))


def save_for_ever(prefix: Path, say: Callable[[int], None]) -> None:
    """Three rows and a save, again and again; says how many rows were saved."""
    index = PostureIndex("nose25", device="cpu")
    while True:
        index.add(rows(index.rows, 3), ["new"] * 3)
        index.save(prefix)
        say(index.rows)


def save_while_taught(prefix: Path, say: Callable[[int], None]) -> None:
    """Saves without pause while a thread adds rows; says how many there were for certain when a save began."""
    index = PostureIndex("nose25", device="cpu")

    index.add(rows(0, 1), ["new"])

    def teach() -> None:
        while True:
            index.add(rows(index.rows, 1), ["new"])
            index.classify(rows(0, 1))

    threading.Thread(target=teach, daemon=True).start()
    while True:
        there = index.rows
        index.save(prefix)
        say(there)


def at_random(cases: Path, count: int, seed: int, work: Callable[[Path, Callable[[int], None]], None]) -> None:
    delays = random.Random(seed)
    acknowledged = {}
    for number in range(count):
        case = cases / f"{number:03d}"
        case.mkdir()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            work(case / "pose_index", lambda saved, to=writing: os.write(to, saved.to_bytes(4)))
        os.close(writing)
        last = os.read(reading, 4)  # the first save is done
        time.sleep(delays.uniform(0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while chunk := os.read(reading, 4096):
            last = chunk[-4:]
        os.close(reading)
        acknowledged[case.name] = int.from_bytes(last)
    print(json.dumps(acknowledged))


if __name__ == "__main__":
    load_faiss()
    if sys.argv[1] == "steps":
        steps(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    else:
        work = save_while_taught if sys.argv[1] == "taught" else save_for_ever
        at_random(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), work)
