"""Imports go one way: stream → index → pose."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {"pose": {"pose"}, "index": {"index", "pose"}, "stream": {"stream", "index", "pose"}}
OURS = {*MAY_IMPORT, "tests", "bench"}
MODULES = [path for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Top-level packages a module imports anywhere in it, `from . import` counted as its own."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[0]
            found.add(package if node.level else (node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    assert imported(path) & OURS <= MAY_IMPORT[path.relative_to(ROOT).parts[0]]


def test_the_walk_sees_every_package_and_every_kind_of_import(tmp_path: Path) -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == {*MAY_IMPORT}
    assert {"pose", "argparse"} <= imported(ROOT / "stream" / "commands" / "weights.py")
    head = ROOT / "pose" / "networks" / "head.py"
    assert {"torch", "pose"} <= imported(ROOT / "pose" / "__init__.py") | imported(head)
