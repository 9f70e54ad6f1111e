"""`stance reembed`: move a database to another embedding, without its pictures."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from index import PostureIndex
from index.errors import DatabaseMissing
from index.storage.store import DEFAULT_PREFIX, database_exists, normalise_prefix
from pose.embeddings.registry import DEFAULT_EMBEDDING, EMBEDDINGS

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "reembed",
        help="move a database to another embedding, without its pictures",
        description="Move a database to another embedding. The keypoints stored with its rows are enough.",
    )
    parser.add_argument("--index", metavar="PREFIX", help=f"the database's files without suffix ({DEFAULT_PREFIX})")
    parser.add_argument(
        "--embedding", choices=sorted(EMBEDDINGS), default=DEFAULT_EMBEDDING, help=f"the new one ({DEFAULT_EMBEDDING})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")
    parser.set_defaults(run=_reembed)


def _reembed(args: argparse.Namespace, settings: Settings) -> int:
    path = normalise_prefix(args.index or settings.index.path)
    if not database_exists(path):
        raise DatabaseMissing(f"There is no database {path}. Build one with `stance build FOLDER --index {path}`.")
    index = PostureIndex.load(path, device=settings.index.device)
    before = index.embedding.name
    if before != args.embedding:
        index = index.reembedded(args.embedding)
        index.save(path, replace=True)
    if args.json:
        facts = {"index": str(path), "rows": index.rows, "before": before, "embedding": index.embedding.name}
        print(json.dumps(facts, indent=2))
    elif before == args.embedding:
        print(f"{path} is of {before} already: nothing to do")
    else:
        print(f"{path}: {index.rows} rows moved from {before} to {index.embedding.name}")
    return 0
