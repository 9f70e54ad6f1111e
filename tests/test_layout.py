"""The layout of the source: imports go one way and never in a circle; every module says what it offers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.import_graph import find_circle, import_graph, rooms_of

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "pose": {"pose"},
    "index": {"index", "pose"},
    "stream": {"stream", "index", "pose"},
    "stance": {"stream", "index", "pose"},
}
OURS = {*MAY_IMPORT, "tests", "bench"}
MODULES = [
    path for name in MAY_IMPORT for path in (*sorted((ROOT / name).rglob("*.py")), ROOT / f"{name}.py") if path.exists()
]
PACKAGES = {"pose", "index", "stream"}


def imported(path: Path) -> set[str]:
    """Top-level packages a module imports anywhere in it, for type checkers only included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[0]
            found.add(package if node.level else (node.module or "").partition(".")[0])
    return found


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_imports_go_one_way(path: Path) -> None:
    assert imported(path) & OURS <= MAY_IMPORT[path.relative_to(ROOT).with_suffix("").parts[0]]


def test_the_walk_sees_every_package_and_every_kind_of_import() -> None:
    assert {path.relative_to(ROOT).with_suffix("").parts[0] for path in MODULES} == {*MAY_IMPORT}
    assert {"pose", "argparse"} <= imported(ROOT / "stream" / "commands" / "weights.py")
    head = ROOT / "pose" / "networks" / "head.py"
    assert {"torch", "pose"} <= imported(ROOT / "pose" / "__init__.py") | imported(head)


@pytest.mark.parametrize("depth", [None, 1, 2, 3], ids=["modules", "packages", "rooms", "rooms within rooms"])
def test_no_import_ends_in_a_circle(depth: int | None) -> None:
    graph = import_graph(ROOT, *MAY_IMPORT)
    circle = find_circle(graph if depth is None else rooms_of(graph, depth))
    assert not circle, f"a circle of imports: {' → '.join(circle)}"


def write(root: Path, **modules: str) -> None:
    for name, text in modules.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for folder in {path.parent for path in root.rglob("*.py")} - {root}:
        (folder / "__init__.py").touch()


def test_a_circle_is_found_and_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        kitchen__stove__flame="from kitchen import larder",
        kitchen__larder="import os\nimport kitchen.table",
        kitchen__table="def lay():\n    from kitchen.stove.flame import Flame",
        hall="from kitchen.table import lay",
    )
    circle = find_circle(import_graph(tmp_path, "kitchen", "hall"))
    assert circle == ["kitchen.larder", "kitchen.table", "kitchen.stove.flame", "kitchen.larder"]


def test_a_module_that_needs_its_own_package_is_a_circle(tmp_path: Path) -> None:
    write(tmp_path, kitchen__stove="from kitchen import Flame")
    (tmp_path / "kitchen" / "__init__.py").write_text("from kitchen.stove import Flame", encoding="utf-8")
    assert find_circle(import_graph(tmp_path, "kitchen")) == ["kitchen", "kitchen.stove", "kitchen"]


def test_types_alone_make_no_circle(tmp_path: Path) -> None:
    only_types = "import typing\nif typing.TYPE_CHECKING:\n    from kitchen import table\nelse:\n    table = None"
    write(tmp_path, kitchen__larder=only_types, kitchen__table="from kitchen.larder import Larder")
    graph = import_graph(tmp_path, "kitchen")
    assert graph["kitchen.table"] == {"kitchen.larder"}
    assert graph["kitchen.larder"] == set()
    assert find_circle(graph) == []


def test_rooms_can_go_in_a_circle_where_no_module_does(tmp_path: Path) -> None:
    write(
        tmp_path,
        house__kitchen__stove="from house.cellar.coal import Coal",
        house__cellar__coal="",
        house__cellar__stairs="from house.kitchen.door import Door",
        house__kitchen__door="",
    )
    graph = import_graph(tmp_path, "house")
    assert find_circle(graph) == []
    assert find_circle(rooms_of(graph)) == ["house.cellar", "house.kitchen", "house.cellar"]


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_every_module_lists_its_names(path: Path) -> None:
    if path.name == "__init__.py" and path.parent.name not in PACKAGES:
        return  # rooms offer nothing: their modules are imported by name
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
            # Constants, classes, functions, each in the alphabet: the order ruff keeps.
            assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
            return
    pytest.fail("no __all__")
