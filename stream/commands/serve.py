"""`stance serve`: watch cameras on a page in the browser."""

from __future__ import annotations

import argparse
from typing import Any

from stream.commands import run
from stream.settings.model import Settings
from stream.web.opening import PageOptions

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "serve",
        help="watch cameras on a page in the browser",
        description="Show cameras on a page with everybody's skeleton and posture, and why a posture is called what it "
        "is. Only this machine can open the page, unless --listen says otherwise.",
        epilog="Recordings play at their own pace, and the page stays until ctrl-C. To write files beside the page: "
        "stance run … --web PORT.",
    )
    parser.add_argument("sources", metavar="[NAME=]SOURCE", nargs="*", help="as of stance run")
    parser.add_argument("--port", type=run.port, default=8080, help="where the page is (8080)")
    parser.add_argument(
        "--listen", metavar="ADDRESS", default="127.0.0.1", help="let other machines open the page, by a link with a "
        "token; 0.0.0.0 listens in every network",
    )  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")
    parser.add_argument("--wait", action="store_true", help="wait for a webcam where none is plugged in")
    parser.add_argument("--index", metavar="PREFIX", help="the database's files without suffix (pose_index)")
    parser.add_argument("--quiet", action="store_true", help="no status line and summary")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace, settings: Settings) -> int:
    options = [*args.sources]
    options += ["--wait"] if args.wait else []
    options += [] if args.index is None else ["--index", args.index]
    options += ["--quiet"] if args.quiet else []
    page = PageOptions(args.port, args.listen, serving=True, browser=not args.no_browser)
    return run.run_like(options, settings, page)
