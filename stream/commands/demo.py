"""`stance demo`: see what Stance does, without a camera, a clip or a download."""

from __future__ import annotations

import argparse
import sys
import threading
from typing import Any

from stream.settings.model import Settings

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "demo",
        help="see what Stance does, without a camera or a clip",
        description="Play a film of 34 s that ships with Stance, and say what posture everybody in it is in: in a "
        "window where there is a display, else into demo_stance.mp4 in this folder. The people are drawn around "
        "keypoints recorded from real ones; the boxes, skeletons, postures and numbers over them are what the networks "
        "and the database that ship find in the film as it plays.",
        epilog="Other commands play the film as the source demo:, or demo:live as a camera.",
    )
    parser.add_argument("--out", metavar="FILE", help="write the annotated film (.mp4) and open no window")
    parser.add_argument("--replace", action="store_true", help="write over a file that is there, whatever it is")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, status line and summary")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from stream.sources.opening import DEMO, DEMO_LIVE

    window = args.out is None and _display_is_there()
    arguments = [f"demo={DEMO_LIVE if window else DEMO}"]
    arguments += ["--show"] if window else []
    arguments += [] if args.out is None else ["--out", args.out]
    arguments += ["--replace"] if args.replace else []
    arguments += ["--quiet"] if args.quiet else []
    if window and not args.quiet:
        print("The film takes 34 s; q in the window ends it.", file=sys.stderr)
    code = _stance_run(arguments, settings)
    if not args.quiet:
        print("Next: `stance run 0` for your webcam, `stance run clip.mp4` for a clip of your own.", file=sys.stderr)
    return code


def _display_is_there() -> bool:
    from stream.errors import SinkError
    from stream.sinks.window import WindowSink

    try:
        WindowSink("", threading.Event())
    except SinkError:
        return False
    return True


def _stance_run(arguments: list[str], settings: Settings) -> int:
    """What `stance run` does with these arguments."""
    from stream.commands import run

    parser = argparse.ArgumentParser(prog="stance")
    run.register(parser.add_subparsers())
    args = parser.parse_args(["run", *arguments])
    return int(args.run(args, settings))
