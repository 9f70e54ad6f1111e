"""The public names of `index`, and its errors."""

from __future__ import annotations

import pytest

import index
import index.errors
from pose.errors import StanceError


def test_public_names() -> None:
    assert index.__all__ == [
        "Added",
        "BuildReport",
        "Classification",
        "Examples",
        "Matches",
        "PostureIndex",
        "add_folder",
        "build_index",
        "choose_prefix",
        "database_exists",
        "starter_prefix",
    ]
    assert all(hasattr(index, name) for name in index.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        index.nothing  # noqa: B018


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
