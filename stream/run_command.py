"""`stance run`: watch a video, a camera or pictures, and write what postures the people are in."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.errors import SinkError
from stream.json_lines import STDOUT
from stream.settings import Settings

if TYPE_CHECKING:
    from stream.sinks import Sink
    from stream.sources import Source

__all__ = ["register"]

log = logging.getLogger(__name__)

Stage = Callable[[str], AbstractContextManager[object]]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "run",
        help="watch a video, a camera or pictures",
        description="Watch a video, a camera or pictures, and say what posture everybody is in.",
        epilog="Without --out, --jsonl, --timeline and --show a recording is annotated into NAME_stance.mp4 in this "
        "folder, and a camera is shown in a window where there is a display.",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="a video, a picture, a folder of pictures, a webcam's number, or an address"
    )
    parser.add_argument("--out", metavar="FILE", help="write the annotated video (.mp4), picture or folder of pictures")
    parser.add_argument("--jsonl", metavar="FILE", help="write one JSON object per frame; - is standard output")
    parser.add_argument(
        "--timeline", metavar="FILE", help="write who was in what posture from when to when (.csv, .json or .srt)"
    )
    parser.add_argument("--show", action="store_true", help="show the annotated video in a window; q ends")
    parser.add_argument(
        "--offline", action="store_true", help="look ahead in a recording before a posture is decided: steadier, exact"
    )
    parser.add_argument("--index", metavar="PREFIX", help="the database's files without suffix (pose_index)")
    parser.add_argument("--profile", action="store_true", help="print the time per frame of every stage at the end")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, status line and summary")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from stream.assembly import make_estimator, open_from_settings, open_index, warn_of_other_weights
    from stream.handoff import Handoff
    from stream.overlay import Overlay
    from stream.pipeline import Tally, check_offline, scenes, write
    from stream.profile import Profile
    from stream.sinks import BackgroundSink
    from stream.status import Status, summary

    profile = Profile()
    stage: Stage = profile.stage if args.profile else nullcontext
    tally, stop = Tally(), threading.Event()
    with open_from_settings(args.source, settings) as source, ExitStack() as stack:
        # Cheap faults first: nobody should wait for a network to hear of a missing file.
        outputs = _outputs(args, source)
        if args.offline:
            check_offline(source)
        frames: Source | Handoff = source
        if source.live:  # read from now on, or the first pictures would be as old as the network takes to load
            frames = stack.enter_context(Handoff(source, stage=stage))
        index = open_index(settings, args.index)
        estimator = make_estimator(settings, stage)
        warn_of_other_weights(index, estimator)
        estimator.warm_up(source.info.height, source.info.width)
        profile.clear()
        sinks, idle = _sinks(outputs, settings, source, stop, stage, stack)
        overlay = Overlay(settings.overlay, settings.pose.keypoint_threshold, index.classes)
        found = scenes(frames, estimator, index, settings, stage=stage, tally=tally, idle=idle, offline=args.offline)
        try:
            with (
                Status(source, tally, quiet=args.quiet) as status,
                closing(write(found, sinks, overlay, stage)) as written,
            ):
                for scene in written:
                    status.update(scene)
                    if stop.is_set():
                        break
        finally:  # after an error or ctrl-C too: what was done is done, and the files are complete
            if not args.quiet:
                print(summary(source, tally), file=sys.stderr)
                for path in filter(os.path.exists, outputs.files):
                    print(f"wrote {path}", file=sys.stderr)
                left_out = sum(sink.dropped for sink in sinks if isinstance(sink, BackgroundSink))
                if left_out:
                    print(
                        f"{left_out} frames are not in the video: encoding was slower than the camera", file=sys.stderr
                    )
            if args.profile:
                print(profile.table(tally.frames), file=sys.stderr)
    return 0


@dataclass(frozen=True, slots=True)
class _Outputs:
    """Where the results go. None or False: not there."""

    out: Path | None
    jsonl: str | None
    timeline: Path | None
    show: bool

    @property
    def files(self) -> list[str]:
        """Names of what is written on disk."""
        return [str(path) for path in (self.out, self.jsonl, self.timeline) if path is not None and path != STDOUT]


def _outputs(args: argparse.Namespace, source: Source) -> _Outputs:
    """Where the results go, checked without creating anything."""
    from stream.sinks import check_output
    from stream.timeline_sink import check_timeline

    if args.out or args.jsonl or args.timeline or args.show:
        folder = source.still and source.info.frame_count != 1
        if args.out and not folder:
            check_output(args.out, inputs=[source.path])
        if args.jsonl and args.jsonl != STDOUT:
            check_output(args.jsonl, inputs=[source.path])
        if args.timeline:
            check_timeline(args.timeline, source)
        out, timeline = (Path(path) if path else None for path in (args.out, args.timeline))
        return _Outputs(out, args.jsonl, timeline, args.show)
    if source.live:
        return _Outputs(None, None, None, _display_present())
    stem = Path(source.name).stem or "pictures"
    if not source.still:
        return _Outputs(Path(f"{stem}_stance.mp4"), None, None, False)
    return _Outputs(Path(f"{stem}_stance.jpg" if source.info.frame_count == 1 else f"{stem}_stance"), None, None, False)


def _display_present() -> bool:
    from stream.window import WindowSink

    try:
        WindowSink("", threading.Event())
    except SinkError:
        log.info("There is no display here. Say with --out or --jsonl where results should go.")
        return False
    return True


def _sinks(
    outputs: _Outputs, settings: Settings, source: Source, stop: threading.Event, stage: Stage, stack: ExitStack
) -> tuple[list[Sink], Callable[[], None] | None]:
    """The sinks, and what to call while no frames come. `stack` closes them if the run never begins."""
    from stream.json_lines import JsonLinesSink
    from stream.profile import TimedSink
    from stream.sinks import BackgroundSink

    sinks: list[Sink] = []
    idle = None

    def add(sink: Sink) -> None:
        stack.callback(sink.close)
        sinks.append(sink)

    if outputs.show:
        from stream.window import WindowSink

        window = WindowSink(f"Stance: {source.name}", stop)
        idle = window.idle
        add(window)
    if outputs.jsonl is not None:
        add(TimedSink(JsonLinesSink(outputs.jsonl, source), stage))
    if outputs.timeline is not None:
        from stream.timeline_sink import TimelineSink

        gap_seconds = settings.smoothing.grace_seconds
        add(TimedSink(TimelineSink(outputs.timeline, source, gap_seconds=gap_seconds), stage))
    if outputs.out is not None:
        # Drawing and encoding go on beside the network. A camera's recording may miss a frame, a file's never.
        add(
            BackgroundSink(
                TimedSink(_picture_sink(outputs.out, settings, source), stage, draws=True),
                when_full="drop" if source.live else "wait",
            )
        )
    return sinks, idle


def _picture_sink(path: Path, settings: Settings, source: Source) -> Sink:
    if source.still and path.suffix.lower() != ".mp4":
        from stream.picture_sink import PictureSink

        return PictureSink(path, source)
    from stream.video_writer import VideoSink

    return VideoSink(path, source, crf=settings.output.video_crf)
