"""`stance run`: watch videos, cameras and pictures, and write what postures the people are in."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from typing import TYPE_CHECKING, Any, Final

from stream.run.standard_streams import say
from stream.settings.model import Settings
from stream.web.opening import PageOptions, open_page

if TYPE_CHECKING:
    from index.posture_index import PostureIndex
    from pose.estimator import PoseEstimator
    from stream.run.outputs import OpenOutputs
    from stream.run.tally import Tally
    from stream.sources.base import Source
    from stream.sources.named import NamedAddress

__all__ = ["port", "register", "run_like"]

Stage = Callable[[str], AbstractContextManager[object]]

ALIVE_SECONDS: Final = 1.0


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "run",
        help="watch videos, cameras and pictures",
        description="Watch videos, cameras and pictures, any number at once, and say what posture everybody is in.",
        epilog="Without --out, --jsonl, --timeline and --show a recording is annotated into NAME_stance.mp4 in this "
        "folder, and a camera is shown in a window where there is a display.",
    )
    parser.add_argument(
        "sources", metavar="[NAME=]SOURCE", nargs="*",
        help="a video, a picture, a folder of pictures, a webcam's number, or an address; or the name of a source in "
        "config.yaml; none: all of those",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="FILE",
        help="write the annotated video (.mp4), picture or folder of pictures; of several sources, a folder",
    )  # fmt: skip
    parser.add_argument("--jsonl", metavar="FILE", help="write one JSON object per frame; - is standard output")
    parser.add_argument(
        "--timeline", metavar="FILE", help="write who was in what posture from when to when (.csv, .json or .srt)"
    )
    parser.add_argument(
        "--replace", action="store_true", help="write over files that are there, whatever they are; what a run wrote "
        "before for the same source is replaced without this",
    )  # fmt: skip
    parser.add_argument("--show", action="store_true", help="show the annotated video in a window; q ends")
    parser.add_argument(
        "--offline", action="store_true", help="look ahead in a recording before a posture is decided: steadier, exact"
    )
    parser.add_argument("--start", metavar="TIME", type=_moment, help="where to begin in recordings: 90 or 1:30")
    parser.add_argument("--end", metavar="TIME", type=_moment, help="where to end in recordings")
    parser.add_argument(
        "--every", metavar="SECONDS", type=_interval, help="look at one frame in so many seconds, such as 0.2"
    )
    parser.add_argument("--wait", action="store_true", help="wait for a webcam where none is plugged in")
    parser.add_argument("--index", metavar="PREFIX", help="the database's files without suffix (pose_index)")
    parser.add_argument(
        "--web", metavar="PORT", type=port, help="show everything on a page too, at http://127.0.0.1:PORT/"
    )
    parser.add_argument("--profile", action="store_true", help="print the time per frame of every stage at the end")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, status line and summary")
    parser.set_defaults(run=_run, page=None)


def _moment(text: str) -> float:
    from stream.sources.moments import parse_moment

    try:
        return parse_moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}.") from error


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.001 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no interval. Write seconds from 0.001 to 3600, such as 0.2.")
    return seconds


def port(text: str) -> int:
    """A port as the command line takes it."""
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port. Write a number from 1024 to 65535, such as 8080.")
    return int(text)


def _with_part(args: argparse.Namespace, settings: Settings) -> Settings:
    """The settings, with the part of the sources that the command line asks for."""
    asked = {"start_seconds": args.start, "end_seconds": args.end, "max_fps": args.every and 1 / args.every}
    wanted = {name: value for name, value in asked.items() if value is not None}
    return settings.model_copy(update={"source": settings.source.model_copy(update=wanted)})


def run_like(arguments: Sequence[str], settings: Settings, page: PageOptions | None = None) -> int:
    """What `stance run` does with these arguments, for commands that are built on it.

    Args:
        page: what is asked of the page, where the arguments do not say.
    """
    parser = argparse.ArgumentParser(prog="stance")
    register(parser.add_subparsers())
    args = parser.parse_args(["run", *arguments])
    args.page = page
    return _run(args, settings)


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from stream.assembly import make_estimator, make_scheduler, open_index, warn_of_other_weights
    from stream.drawing.overlay import Overlay
    from stream.pipeline import check_offline, scenes, write
    from stream.run.outputs import open_outputs, plan_outputs
    from stream.run.profile import Profile
    from stream.run.service import Service
    from stream.run.status import Status
    from stream.run.tally import Tally
    from stream.sources.live import LiveSource
    from stream.sources.named import named_addresses
    from stream.sources.opening import open_source
    from stream.sources.paced import PacedSource
    from stream.sources.presence import check_webcam
    from stream.sources.transformed import PreparedSource

    settings = _with_part(args, settings)
    profile = Profile()
    stage: Stage = profile.stage if args.profile else nullcontext
    tally, stop = Tally(), threading.Event()
    page: PageOptions | None = args.page or (None if args.web is None else PageOptions(args.web))
    with ExitStack() as stack:
        # Cheap faults first: nobody should wait for a network to hear of a missing file.
        addresses = named_addresses(args.sources, settings)
        sources = [
            stack.enter_context(open_source(one.address, one.settings, name=one.name, sources=len(addresses)))
            for one in addresses
        ]
        for source in sources:
            camera = source.source if isinstance(source, PreparedSource) else source
            if isinstance(camera, LiveSource) and camera.webcam is not None:
                check_webcam(camera.webcam, wait=args.wait)
        if page is not None and page.serving:
            sources = [source if source.live else PacedSource(source) for source in sources]
        scheduler = make_scheduler(sources, stage)
        outputs = plan_outputs(args, sources, settings)
        for source in sources if args.offline else ():
            check_offline(source)
        index = open_index(settings, args.index)
        indexes = _own_indexes(addresses, settings)
        classes = sorted({label for one in (index, *indexes.values()) for label in one.classes})
        overlay = Overlay(
            settings.overlay, settings.pose.keypoint_threshold, classes, min_probability=settings.index.min_probability
        )
        board = None
        if page is not None:
            board = open_page(
                page, sources, settings, index, indexes, overlay, lambda name: tally.of(name).drops, stack
            )
        # Read from now on, or a camera's first pictures would be as old as the network takes to load.
        stack.enter_context(scheduler)
        estimator = make_estimator(settings, stage)
        for one in (index, *indexes.values()):
            warn_of_other_weights(one, estimator)
        _warm_up(estimator, sources)
        profile.clear()
        opened = open_outputs(outputs, sources, settings, stop, stage, stack, lambda name: tally.of(name).drops)
        sinks = opened.sinks if board is None else {name: [*own, board] for name, own in opened.sinks.items()}
        service = stack.enter_context(Service())
        service.ready()
        try:
            with Status(sources, tally, quiet=args.quiet) as status:

                def idle() -> None:
                    service.alive()
                    status.refresh()
                    for window in opened.windows:
                        window.idle()
                    if stop.is_set():
                        scheduler.close()

                found = scenes(
                    scheduler, estimator, index, settings,
                    indexes=indexes, stage=stage, tally=tally, idle=idle, offline=args.offline,
                )  # fmt: skip
                with closing(write(found, sinks, overlay, stage)) as written:
                    for scene in written:
                        service.alive()
                        status.update(scene)
                        if stop.is_set():
                            break
                    if page is not None and page.serving:
                        say("Everything has ended. The page stays until ctrl-C.")
                        while not stop.wait(ALIVE_SECONDS):
                            service.alive()
        finally:  # after an error or ctrl-C too: what was done is done, and the files are complete
            if not args.quiet:
                _sum_up(sources, tally, opened)
            if args.profile:
                say(profile.table(tally.frames))
    return 0


def _own_indexes(addresses: Sequence[NamedAddress], settings: Settings) -> dict[str, PostureIndex]:
    """The databases of sources that have their own, each loaded once."""
    from stream.assembly import open_index

    prefixes = {one.index for one in addresses if one.index is not None}
    loaded = {prefix: open_index(settings, prefix) for prefix in sorted(prefixes)}
    return {one.name: loaded[one.index] for one in addresses if one.index is not None}


def _warm_up(estimator: PoseEstimator, sources: Sequence[Source]) -> None:
    """Open what the sources need, and run the network once for every size of picture that is known, so that the first
    real ones are not slow."""
    if not all(source.still for source in sources):
        estimator.ready_for_video()
    sizes = {(source.info.height, source.info.width) for source in sources}
    for height, width in sizes:
        if height is not None and width is not None:
            estimator.warm_up(height, width)


def _sum_up(sources: Sequence[Source], tally: Tally, opened: OpenOutputs) -> None:
    from stream.run.status import summary

    for source in sources:
        say(summary(source, tally.of(source.name)))
    for path in opened.files:
        say(f"wrote {path}")
    for name, worker in opened.workers.items():
        if worker.dropped:
            say(f"{name}: {worker.dropped} frames are not in the video: encoding was slower than the camera")
