"""`stance`: the command line. One sentence and exit code 2 for a fault the user can cure, 130 after ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Final, NoReturn

from pose.errors import StanceError

__all__ = ["main"]

FAULT: Final = 2
INTERRUPTED: Final = 130
TERMINATED: Final = 143


class _Terminated(KeyboardInterrupt):
    """SIGTERM: closes everything as ctrl-C does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None takes the process's own.

    Returns:
        The exit code: 0 done, 2 a fault the user can cure, 130 ctrl-C, 143 terminated. A bug is a traceback and 1.
    """
    _write_any_character()
    parser = _parser()
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if args.verbose else logging.WARNING, format="%(message)s")
    for package in ("pose", "index", "stream"):  # what was chosen and why; other libraries' chatter stays away
        logging.getLogger(package).setLevel(logging.DEBUG if args.verbose else logging.INFO)
    previous = signal.signal(signal.SIGTERM, _terminate) if _in_main_thread() else None
    try:
        from tqdm.contrib.logging import logging_redirect_tqdm

        from stream.settings.loading import load_settings

        with logging_redirect_tqdm():
            settings = load_settings(args.config, args.set)
            return int(args.run(args, settings))
    except StanceError as error:
        print(f"stance: {error}", file=sys.stderr)
        return FAULT
    except _Terminated:
        return TERMINATED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output is gone, as with `| head`. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)


def _parser() -> argparse.ArgumentParser:
    from stream.commands import add as add_command
    from stream.commands import build as build_command
    from stream.commands import cameras as cameras_command
    from stream.commands import check as check_command
    from stream.commands import demo as demo_command
    from stream.commands import evaluate as evaluate_command
    from stream.commands import evaluate_pose as evaluate_pose_command
    from stream.commands import evaluate_video as evaluate_video_command
    from stream.commands import export as export_command
    from stream.commands import import_pair as import_command
    from stream.commands import info as info_command
    from stream.commands import query as query_command
    from stream.commands import reembed as reembed_command
    from stream.commands import run as run_command
    from stream.commands import train as train_command
    from stream.commands import weights as weights_commands

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", metavar="FILE", help="settings to read (config.yaml here, if there is one)")
    common.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="override a setting, as in pose.device=cpu"
    )
    common.add_argument("--verbose", action="store_true", help="say more")
    parser = argparse.ArgumentParser(
        prog="stance", description="Says what posture every person in a video is in, from folders of example pictures."
    )
    parser.add_argument("--version", action="version", version=f"stance {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    adding = _WithParents(commands, common)
    for module in (
        demo_command,
        run_command,
        build_command,
        add_command,
        import_command,
        info_command,
        reembed_command,
        query_command,
        evaluate_command,
        evaluate_video_command,
        check_command,
        cameras_command,
        weights_commands,
        export_command,
        evaluate_pose_command,
        train_command,
    ):
        module.register(adding)
    return parser


class _WithParents:
    """Gives every command the options that all of them share."""

    def __init__(self, commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser):
        self._commands = commands
        self._common = common

    def add_parser(self, name: str, **options: object) -> argparse.ArgumentParser:
        return self._commands.add_parser(name, parents=[self._common], **options)  # type: ignore[arg-type]


def _version() -> str:
    with contextlib.suppress(PackageNotFoundError):
        return version("stance")
    return "(not installed)"


def _write_any_character() -> None:
    """Escape what the terminal's encoding does not have, as under LC_ALL=C, instead of failing over a file's name."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _in_main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()


def _terminate(_: int, __: FrameType | None) -> NoReturn:
    raise _Terminated


if __name__ == "__main__":
    sys.exit(main())
