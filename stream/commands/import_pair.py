"""`stance import`: make a database of a FAISS file and labels that another tool wrote."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.building.importing import import_pair
from index.building.pictures import printable
from index.errors import DatabaseExists
from index.storage.store import DEFAULT_PREFIX, database_exists, normalise_prefix
from index.storage.suffixes import FAISS, LABELS
from pose.embeddings.registry import EMBEDDINGS

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    text = "make a database of a FAISS file and labels that another tool wrote"
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "import", help=text, description=f"{text[0].upper()}{text[1:]}. Nothing in the files is run."
    )
    parser.add_argument("rows", metavar="FILE.faiss", help="any kind of FAISS index that can give its rows back")
    parser.add_argument(
        "labels", metavar="LABELS", nargs="?", help=".pkl, .json, .npy, or text with a label a line (FILE_labels.pkl)"
    )
    parser.add_argument("--index", metavar="PREFIX", help=f"the new database's files without suffix ({DEFAULT_PREFIX})")
    parser.add_argument("--embedding", choices=sorted(EMBEDDINGS), help="what the rows are (told by their numbers)")
    parser.add_argument(
        "--by-place", action="store_true", help="label and row have the same place, whatever IndexIDMap calls the row"
    )
    parser.add_argument("--replace", action="store_true", help="write over a database that is there")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")
    parser.set_defaults(run=_import)


def _import(args: argparse.Namespace, settings: Settings) -> int:
    path = normalise_prefix(args.index or settings.index.path)
    if database_exists(path) and not args.replace:
        raise DatabaseExists(f"There is already a database {path}. Name another with --index, or add --replace.")
    rows = Path(args.rows)
    labels = Path(args.labels) if args.labels else rows.with_name(rows.name.removesuffix(FAISS) + LABELS)
    index = import_pair(rows, labels, embedding=args.embedding, by_place=args.by_place, device=settings.index.device)
    index.save(path, replace=args.replace)
    if args.json:
        facts = {"index": str(path), "rows": index.rows, "labels": index.counts, "embedding": index.embedding.name}
        print(json.dumps(facts, indent=2))
    else:
        classes = ", ".join(f"{printable(label)} {count}" for label, count in index.counts.items())
        print(f"{path}: {index.rows} rows of {index.embedding.name}: {classes}")
    return 0
