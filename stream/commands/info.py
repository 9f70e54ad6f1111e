"""`stance info`: say what a database holds."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from index import PostureIndex
from index.building.pictures import printable
from index.storage.store import DEFAULT_PREFIX, files_of
from stream.assembly import database_prefix
from stream.commands.text_table import print_table

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "info", help="say what a database holds", description="Say what a database holds."
    )
    parser.add_argument("--index", metavar="PREFIX", help=f"the database's files without suffix ({DEFAULT_PREFIX})")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")
    parser.set_defaults(run=_info)


def _info(args: argparse.Namespace, settings: Settings) -> int:
    path = database_prefix(settings, args.index)
    index = PostureIndex.load(path, device="cpu")
    known = sum(digest != "" for digest in index.examples.digests)
    facts: dict[str, Any] = {
        "index": str(path),
        "rows": index.rows,
        "labels": index.counts,
        "embedding": {
            "name": index.embedding.name,
            "dimension": index.embedding.dimension,
            "version": index.embedding.version,
        },
        "networks": [network._asdict() for network in index.networks],
        "rejection_radius": index.rejection_radius,
        "bandwidth": index.calibration.bandwidth,
        "mirror": index.calibration.mirror,
        "rows_of_known_origin": known,
        "built_from": [printable(folder) for folder in index.built_from],
        "created": index.created or None,
        "updated": index.updated or None,
        "files": {file.name: file.stat().st_size for file in files_of(path)},
    }
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    radius = facts["rejection_radius"]
    networks = [f"{network.name}, weights {network.weights_sha256[:12]}" for network in index.networks]
    print(f"database   {path}")
    print(f"rows       {index.rows}, of which {known} of known origin")
    print(f"embedding  {index.embedding.name}, {index.embedding.dimension} numbers, version {index.embedding.version}")
    print(f"network    {'; '.join(networks) or 'unknown'}")
    print(f"radius     {'none: no posture is too far' if radius is None else f'{radius:.3f}'}")
    print(f"built from {', '.join(facts['built_from']) or 'unknown'}")
    print(f"files      {', '.join(f'{name} ({size:,} bytes)' for name, size in facts['files'].items())}")
    print()
    print_table(["label", "rows"], [[printable(label), str(count)] for label, count in sorted(index.counts.items())])
    return 0
