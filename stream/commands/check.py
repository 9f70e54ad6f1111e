"""`stance check`: would a run work? Looks at settings, weights, database and sources, and runs nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pose.errors import StanceError
from stream.settings.model import Settings

if TYPE_CHECKING:
    from stream.sources.named import NamedAddress

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "check",
        help="say whether a run would work, without running",
        description="Check the settings, the weights, the database and the sources, without running.",
    )
    parser.add_argument(
        "sources", metavar="SOURCE", nargs="*", help="a video, camera or address to try (those in the settings)"
    )
    parser.add_argument("--index", metavar="PREFIX", help="the database's files without suffix (pose_index)")
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace, settings: Settings) -> int:
    looks: list[tuple[str, Callable[[], str]]] = [
        ("settings", lambda: "every value is usable"),  # faults in them have ended the command before this
        ("weights", lambda: _weights(settings)),
        ("database", lambda: _database(args, settings)),
        *((f"source {number}", _source_look(one)) for number, one in enumerate(_sources(args, settings), 1)),
    ]
    failed = 0
    for name, look in looks:
        try:
            print(f"ok    {name}: {look()}", flush=True)
        except StanceError as error:
            failed += 1
            print(f"FAULT {name}: {error}", flush=True)
    return 2 if failed else 0


def _weights(settings: Settings) -> str:
    from stream.assembly import make_estimator

    estimator = make_estimator(settings)
    digests = ", ".join(f"{part} ({digest[:12]})" for part, digest in estimator.parts)
    return f"{estimator.network}, weights {digests}, on {estimator.device} in {estimator.precision}"


def _database(args: argparse.Namespace, settings: Settings) -> str:
    from index import PostureIndex
    from stream.assembly import database_prefix

    prefix = database_prefix(settings, args.index)
    index = PostureIndex.load(prefix, device=settings.index.device)
    return f"{prefix}, {index.rows} rows, postures {', '.join(index.classes)}"


def _sources(args: argparse.Namespace, settings: Settings) -> list[NamedAddress]:
    from stream.sources.named import named_addresses

    return named_addresses(args.sources, settings) if args.sources or settings.sources else []


def _source_look(one: NamedAddress) -> Callable[[], str]:
    from stream.sources.live import LiveSource
    from stream.sources.opening import open_source
    from stream.sources.transformed import PreparedSource

    def look() -> str:
        with open_source(one.address, one.settings, name=one.name) as source:
            camera = source.source if isinstance(source, PreparedSource) else source
            if isinstance(camera, LiveSource):  # which would wait for ever for a camera that is down
                camera.probe()
                return f"{source.name}, {source.info.width}×{source.info.height}, live"
            frame = next(iter(source))
            height, width = frame.bgr.shape[:2]
            return f"{source.name}, {width}×{height}, {'pictures' if source.still else 'a recording'}"

    return look
