"""What the library says in its errors can be followed without a command line: no option of a command that the caller
may never have typed. A whole command, such as `stance build FOLDER --replace`, can be typed anywhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMAND_LINE = ("stream/commands/", "stream/run/", "stream/cli.py", "stream/sources/presence.py")
"""What only the command line calls."""
MODULES = [
    path
    for package in ("pose", "index", "stream")
    for path in sorted((ROOT / package).rglob("*.py"))
    if not path.relative_to(ROOT).as_posix().startswith(COMMAND_LINE)
]


def sentences(source: str) -> Iterator[str]:
    """The texts of a module that are no docstrings; what a formatted one puts in is `{}`."""
    tree = ast.parse(source)
    passed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            passed.add(id(node.body[0].value))  # type: ignore[attr-defined]
        if isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
            yield node.value


def bare_options(text: str) -> list[str]:
    return re.findall(r"(?<![\w-])--[a-z][\w-]*", re.sub(r"`stance [^`]*`", "", text))


def test_the_walk_tells_an_option_from_a_command_and_from_a_docstring() -> None:
    source = '"""Docs: --out."""\nraise E(f"{x} is full. Use --out, or run `stance build {y} --replace`.")'
    assert [bare_options(text) for text in sentences(source)] == [["--out"]]
    assert len(MODULES) > 150


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_option_is_advised(path: Path) -> None:
    for text in sentences(path.read_text(encoding="utf-8")):
        assert not bare_options(text), text
