"""Which module imports which, read from the source without running it, and the circles in it."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, set[str]]


def import_graph(root: Path, *names: str) -> dict[str, set[str]]:
    """For every module of packages or modules under `root`, the modules among them that it imports when it runs.

    Imports within functions count, since they too end in a circle when both sides need each other; those under
    `if TYPE_CHECKING` do not run. Importing `a.b.c` runs `a` and `a.b` as well, except from inside them.
    """
    paths = {
        module_name(path.relative_to(root)): path
        for name in names
        for path in ([root / f"{name}.py"] if (root / f"{name}.py").exists() else sorted((root / name).rglob("*.py")))
    }
    return {module: set(_edges(module, path, paths)) for module, path in paths.items()}


def module_name(path: Path) -> str:
    """`a.b` of `a/b.py`, and `a` of `a/__init__.py`."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def rooms_of(graph: Graph, depth: int = 2) -> dict[str, set[str]]:
    """The same between rooms: modules whose names begin with the same `depth` words are one."""

    def room(module: str) -> str:
        return ".".join(module.split(".")[:depth])

    rooms: dict[str, set[str]] = {room(module): set() for module in graph}
    for module, imported in graph.items():
        rooms[room(module)] |= {room(other) for other in imported} - {room(module)}
    return rooms


def find_circle(graph: Graph) -> list[str]:
    """One of the shortest circles, its first module repeated at its end; empty if there is none."""
    circles = [circle for module in graph if (circle := _way_back(graph, module))]
    return min(circles, key=lambda circle: (len(circle), circle), default=[])


def _way_back(graph: Graph, start: str) -> list[str]:
    ways = deque([[start]])
    seen = set()
    while ways:
        way = ways.popleft()
        for module in sorted(graph.get(way[-1], ())):
            if module == start:
                return [*way, start]
            if module not in seen:
                seen.add(module)
                ways.append([*way, module])
    return []


def _edges(module: str, path: Path, paths: Mapping[str, Path]) -> Iterator[str]:
    for name in _imported(ast.parse(path.read_text(encoding="utf-8"))):
        words = name.split(".")
        run = [other for length in range(1, len(words) + 1) if (other := ".".join(words[:length])) in paths]
        yield from (other for other in run[:-1] if not f"{module}.".startswith(f"{other}."))
        yield from (other for other in run[-1:] if other != module)


def _imported(node: ast.AST) -> Iterator[str]:
    """The full names that a module imports: `a.b.c` for `from a.b import c`, be `c` a module or not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative imports are not used here"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for statement in child.orelse:
                yield from _imported(ast.Module([statement], []))
        else:
            yield from _imported(child)
