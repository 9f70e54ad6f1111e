"""Two processes that add to one database: what the other has saved meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from index.errors import DatabaseExists, DatabaseMismatch
from index.storage import store

__all__ = ["Home", "saved_by_others"]


@dataclass(frozen=True, slots=True)
class Home:
    """The place on disk that a database in memory was loaded from or saved at.

    Attributes:
        path: prefix of its files, resolved.
        identity: `store.Stored.identity` of what lay there then.
        rows: how many of our rows are known to lie there.
    """

    path: Path
    identity: str
    rows: int


def saved_by_others(path: Path, home: Home | None, embedding: str, device: str) -> store.Stored | None:
    """What others have saved at `path` since we loaded it; None if nobody has.

    Args:
        path: prefix that is about to be written; call it within `commit.locked`.
        home: where our rows come from.
        embedding: what our rows are.
        device: where to search.

    Raises:
        DatabaseExists: a database that is not ours lies there.
        DatabaseMismatch: it was rebuilt with another embedding.
        DatabaseDamaged: its files cannot be read or do not belong together.
    """
    on_disk = store.read_identity(path)
    if on_disk is None:
        return None
    if home is None or home.path != path.resolve():
        raise DatabaseExists(f"There is already a database {path}. Add to it with `stance add`, or replace it.")
    if on_disk == home.identity:
        return None
    stored = store.read(path, device)
    if stored.embedding != embedding:
        raise DatabaseMismatch(
            f"{path} was meanwhile rebuilt with the embedding {stored.embedding}. Add to it once more."
        )
    return stored
