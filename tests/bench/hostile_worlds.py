"""Kinds of files whose readers fail in the ways that the harness must notice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from bench.hostile_kinds import Kind
from pose.errors import StanceError


def kind(read: Callable[[Path], None]) -> Kind:
    def only_one_is_bad(damaged: Path, number: int) -> None:
        if number == 1:
            read(damaged)

    return Kind(lambda folder: None, lambda whole, damaged, number, never: None, only_one_is_bad)


def refuses(damaged: Path) -> None:
    raise StanceError(f"{damaged} is damaged.")


def fails(damaged: Path) -> None:
    raise IndexError("list index out of range")


def dies(damaged: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hangs(damaged: Path) -> None:
    while True:
        pass


def runs_code(damaged: Path) -> None:
    os.system("true")


def makes_the_folder(damaged: Path) -> None:
    (damaged.parent / "never").mkdir()


def takes_memory(damaged: Path) -> None:
    bytearray(3 << 30)


KINDS = {
    function.__name__: kind(function)
    for function in (refuses, fails, dies, hangs, runs_code, makes_the_folder, takes_memory)
}
