"""The public names, and which way imports go."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import index
import index.errors
from pose.errors import StanceError

MODULES = sorted(Path(index.__file__).parent.glob("*.py"))


def test_public_names() -> None:
    assert index.__all__ == [
        "Added",
        "BuildReport",
        "Classification",
        "Examples",
        "Matches",
        "Outcome",
        "PostureIndex",
        "Unknown",
        "add_folder",
        "build_index",
        "choose_prefix",
        "database_exists",
        "starter_prefix",
    ]
    assert all(hasattr(index, name) for name in index.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        index.nothing  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_sort_their_names_and_import_one_way(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
            assert names == sorted(names)
            break
    else:
        pytest.fail("no __all__")
    for node in ast.walk(tree):
        module = node.module if isinstance(node, ast.ImportFrom) else None
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [module or ""]
        assert not any(name.split(".")[0] == "stream" for name in names)


def test_errors_are_the_users_and_derive_from_builtins() -> None:
    builtin = {
        "DatabaseDamaged": ValueError,
        "DatabaseExists": FileExistsError,
        "DatabaseMismatch": ValueError,
        "DatabaseMissing": FileNotFoundError,
        "DatabaseUnwritable": OSError,
        "FaissMissing": ImportError,
        "FolderError": ValueError,
        "FolderMissing": FileNotFoundError,
        "NothingAdded": ValueError,
        "UnsafeLabels": ValueError,
    }
    for name in index.errors.__all__:
        error = getattr(index.errors, name)
        assert issubclass(error, StanceError)
        assert issubclass(error, builtin.get(name, Exception))
        assert str(error("one sentence")) == "one sentence"
