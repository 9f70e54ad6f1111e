"""`stance`: the command line. One sentence and exit code 2 for a fault the user can cure, 130 after ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import logging
import sys
from collections.abc import Sequence
from typing import Final

from pose.errors import StanceError, reason_of
from stream.errors import ReaderGone
from stream.run.signals import EndedBySignal, ending_signals
from stream.run.standard_streams import flush, log_on_standard_error, prepare, say

__all__ = ["main"]

log = logging.getLogger(__name__)

FAULT: Final = 2
INTERRUPTED: Final = 130

COMMANDS: Final = (
    "demo", "run", "serve", "build", "add", "import", "info", "reembed", "query", "evaluate", "evaluate-video",
    "check", "cameras", "weights", "export", "evaluate-pose", "train",
)  # fmt: skip
"""In the order of the help. Each is in `stream.commands`, with `_` for `-`, and is imported only if it is asked for."""

MODULES: Final = {"import": "import_pair"}
"""Where the module has another name than the command, because Python has that word itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None takes the process's own.

    Returns:
        The exit code: 0 done, also if whoever reads standard output has seen enough; 2 a fault the user can cure; 129
        hung up, 130 ctrl-C, 143 terminated. A bug is a traceback and 1.
    """
    prepare()
    code = 0
    try:
        try:
            with ending_signals():
                code = _main(sys.argv[1:] if arguments is None else arguments)
        finally:
            flush()
    except BrokenPipeError:  # the reader of our output is gone, as with `| head`
        with contextlib.suppress(OSError):
            flush()
    except OSError as error:
        say(f"stance: {_sentence(error)}")
        return FAULT
    return code


def _main(arguments: Sequence[str]) -> int:
    args = _parser(arguments).parse_args(arguments)
    logging.getLogger().setLevel(logging.INFO if args.verbose else logging.WARNING)
    for package in ("pose", "index", "stream"):  # what was chosen and why; other libraries' chatter stays away
        logging.getLogger(package).setLevel(logging.DEBUG if args.verbose else logging.INFO)
    try:
        from stream.settings.loading import load_settings

        with log_on_standard_error():
            return int(args.run(args, load_settings(args.config, args.set)))
    except ReaderGone:
        return 0
    except StanceError as error:
        say(f"stance: {error}")
        return FAULT
    except EndedBySignal as signal:
        return signal.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


def _sentence(error: OSError) -> str:
    """What the system said, where no part of Stance had a better sentence for it."""
    log.debug("where it happened", exc_info=error)
    said = reason_of(error)
    told = f"{said}." if error.filename is None else f"{error.filename} cannot be used ({said})."
    cure = next((cure for numbers, cure in CURES if error.errno in numbers), "")
    return f"{told} {cure}".rstrip()


CURES: Final = (
    ({errno.EACCES, errno.EPERM, errno.EROFS}, "Allow it, or choose another place."),
    ({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}, "Make room, or choose another place."),
    ({errno.EIO, errno.ENODEV, errno.ENXIO}, "Is the disk gone? Connect it again."),
    ({errno.EMFILE, errno.ENFILE}, "Allow more open files (ulimit -n), or name fewer sources."),
)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command that is asked for; of all commands if it is none of them."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", metavar="FILE", help="settings to read (config.yaml here, if there is one)")
    common.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="override a setting, as in pose.device=cpu"
    )
    common.add_argument("--verbose", action="store_true", help="say more")
    parser = argparse.ArgumentParser(
        prog="stance", description="Says what posture every person in a video is in, from folders of example pictures."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    adding = _WithParents(commands, common)
    first = arguments[0] if arguments else ""
    if first not in COMMANDS:
        parser.add_argument("--version", action="version", version=f"stance {_version()}")
    for command in () if first == "--version" else (first,) if first in COMMANDS else COMMANDS:
        module = MODULES.get(command, command.replace("-", "_"))
        importlib.import_module(f"stream.commands.{module}").register(adding)
    return parser


class _WithParents:
    """Gives every command the options that all of them share."""

    def __init__(self, commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser):
        self._commands = commands
        self._common = common

    def add_parser(self, name: str, **options: object) -> argparse.ArgumentParser:
        return self._commands.add_parser(name, parents=[self._common], **options)  # type: ignore[arg-type]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    with contextlib.suppress(PackageNotFoundError):
        return version("stance")
    return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
