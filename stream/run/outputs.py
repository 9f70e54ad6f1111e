"""`Outputs`: where the results of a run go, source by source."""

from __future__ import annotations

import argparse
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stream.errors import SinkError
from stream.run.profile import TimedSink
from stream.run.replacing import check_apart, check_replaceable
from stream.settings.model import Settings
from stream.sinks.background import BackgroundSink
from stream.sinks.base import Sink
from stream.sinks.json_lines import STDOUT, JsonLinesSink
from stream.sinks.mark import mark_of
from stream.sinks.paths import check_folder, check_output, output_faults
from stream.sinks.timeline.sink import TimelineSink, check_timeline

if TYPE_CHECKING:
    from stream.sinks.pictures import PictureSink
    from stream.sinks.video.recording import Recording
    from stream.sinks.window import WindowSink
    from stream.sources.base import Source

__all__ = ["OpenOutputs", "Outputs", "open_outputs", "plan_outputs"]

log = logging.getLogger(__name__)

Stage = Callable[[str], AbstractContextManager[object]]

VIDEO_SUFFIXES: Final = frozenset({".m4v", ".mov", ".mp4"})


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the results go. Sources are called by their names.

    Attributes:
        out: annotated videos, pictures and folders of pictures.
        timelines: tables of who was in what posture.
        jsonl: one file for all sources, `-` for standard output, None for none.
        shown: the sources shown in windows.
    """

    out: Mapping[str, Path]
    timelines: Mapping[str, Path]
    jsonl: str | None
    shown: Sequence[str]


@dataclass(frozen=True, slots=True)
class OpenOutputs:
    """The sinks of a run.

    Attributes:
        sinks: by source.
        windows: those among them that need `idle` while no frames come.
        recordings: by source, the annotated videos and pictures.
        workers: by source, the threads that write those.
        texts: JSON lines and timelines.
    """

    sinks: Mapping[str, Sequence[Sink]]
    windows: Sequence[WindowSink]
    recordings: Mapping[str, Recording | PictureSink]
    workers: Mapping[str, BackgroundSink]
    texts: Sequence[JsonLinesSink | TimelineSink]

    @property
    def files(self) -> list[Path]:
        """What has been written, in the order in which it is told."""
        several = [*self.recordings.values(), *self.texts]
        return [path for one in several for path in one.files if path.exists()]


def plan_outputs(args: argparse.Namespace, sources: Sequence[Source], settings: Settings) -> Outputs:
    """Where the results go, checked without creating anything.

    With several sources, `--out o.mp4` means `o_NAME.mp4` for each, and `--out folder` means `folder/NAME.mp4`.

    Raises:
        SinkError: something cannot be written there, two results would go into one file, or what is there was not
            written for these sources and `--replace` is not given.
    """
    stems = _stems(sources)
    several = len(sources) > 1
    out: dict[str, Path] = {}
    timelines: dict[str, Path] = {}
    asked = bool(args.out or args.jsonl or args.timeline or args.show)
    for source in sources:
        stem = stems[source.name]
        if args.out:
            out[source.name] = _of_several(Path(args.out), stem, source) if several else Path(args.out)
        elif not asked and not source.live:
            out[source.name] = Path(f"{stem}_stance{_suffix(source)}")
        if args.timeline:
            timeline = Path(args.timeline)
            timelines[source.name] = timeline.with_stem(f"{timeline.stem}_{stem}") if several else timeline
    inputs = [source.path for source in sources]
    if args.out:
        _check_out(Path(args.out), out, sources)
    for source in sources:
        if source.name in timelines:
            check_timeline(timelines[source.name], source)
    if args.jsonl and args.jsonl != STDOUT:
        check_output(args.jsonl, inputs=inputs)
    jsonl = None if args.jsonl in (None, STDOUT) else Path(args.jsonl)
    cuts = settings.output.segment_minutes is not None or settings.output.segment_megabytes is not None
    planned = [
        *(("--out", out[one.name], [one], cuts and not _makes_folder(one)) for one in sources if one.name in out),
        *(("--timeline", timelines[one.name], [one], False) for one in sources if one.name in timelines),
        *((("--jsonl", jsonl, sources, False),) if jsonl is not None else ()),
    ]
    check_apart([(option, path) for option, path, _, _ in planned])
    if not args.replace:  # segments of a video that is cut never replace anything
        check_replaceable([(path, mark_of(*whose)) for _, path, whose, cut in planned if not cut])
    live = [source.name for source in sources if source.live]
    shown = [source.name for source in sources] if args.show else live if not asked and _display_present(live) else []
    return Outputs(out, timelines, args.jsonl, shown)


def _check_out(given: Path, out: Mapping[str, Path], sources: Sequence[Source]) -> None:
    with output_faults(given):
        folder = given.is_dir()
    if len(sources) > 1 and not given.suffix and not folder:
        check_output(given)
        if given.exists():
            raise SinkError(f"{given} is a file. Several sources need a folder, or a name that ends in .mp4.")
        return
    for source in sources:
        path = out[source.name]
        if _makes_folder(source) and path.is_dir():
            check_folder(path)
        else:
            check_output(path, inputs=[source.path for source in sources])


def _stems(sources: Sequence[Source]) -> dict[str, str]:
    """What files of a source are called: its name without what file systems dislike, different for each."""
    stems: dict[str, str] = {}
    for source in sources:
        plain = Path(source.path).stem if source.path is not None and source.name == str(source.path) else source.name
        stem = re.sub(r"[^\w.-]+", "_", plain.partition("://")[2] or plain).strip("._") or "pictures"
        number = 1
        while (f"{stem}_{number}" if number > 1 else stem) in stems.values():
            number += 1
        stems[source.name] = f"{stem}_{number}" if number > 1 else stem
    return stems


def _makes_folder(source: Source) -> bool:
    return source.still and source.info.frame_count != 1


def _suffix(source: Source) -> str:
    return ".mp4" if not source.still else "" if _makes_folder(source) else ".jpg"


def _of_several(path: Path, stem: str, source: Source) -> Path:
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return path.with_stem(f"{path.stem}_{stem}")
    if path.suffix:
        raise SinkError(f"{path}: several sources need a folder, or a name that ends in .mp4.")
    return path / f"{stem}{_suffix(source)}"


def _display_present(live: Sequence[str]) -> bool:
    if not live:
        return False
    from stream.sinks.window import WindowSink

    try:
        WindowSink("", threading.Event())
    except SinkError:
        log.info("There is no display here. Say with --out or --jsonl where results should go.")
        return False
    return True


def open_outputs(
    outputs: Outputs,
    sources: Sequence[Source],
    settings: Settings,
    stop: threading.Event,
    stage: Stage,
    stack: ExitStack,
    drops: Callable[[str], Mapping[str, int]],
) -> OpenOutputs:
    """Make the sinks. `stack` closes them if the run never begins.

    Args:
        stop: set when the user closes a window.
        drops: see `JsonLinesSink`.

    Raises:
        SinkError: something cannot be written.
    """
    sinks: dict[str, list[Sink]] = {source.name: [] for source in sources}
    windows = _windows(outputs.shown, stop)
    for name, window in windows.items():
        sinks[name].append(window)
        stack.callback(window.close)
    recordings: dict[str, Recording | PictureSink] = {}
    workers: dict[str, BackgroundSink] = {}
    texts: list[JsonLinesSink | TimelineSink] = []
    if outputs.jsonl is not None:
        texts.append(JsonLinesSink(outputs.jsonl, *sources, drops=drops))
        lines = TimedSink(texts[-1], stage)
        stack.callback(lines.close)
        for own in sinks.values():
            own.append(lines)
    for folder in {path.parent for path in outputs.out.values()}:
        with output_faults(folder):
            folder.mkdir(exist_ok=True)
    for source in sources:
        name, own = source.name, sinks[source.name]
        if name in outputs.timelines:
            gap_seconds = settings.smoothing.grace_seconds
            timeline = TimelineSink(outputs.timelines[name], source, gap_seconds=gap_seconds)
            texts.append(timeline)
            stack.callback(timeline.close)
            own.append(TimedSink(timeline, stage))
        if name in outputs.out:
            # Drawing and encoding go on beside the network. A camera's recording may miss a frame, a file's never.
            recording = recordings[name] = _recording(outputs.out[name], settings, source)
            worker = workers[name] = BackgroundSink(
                TimedSink(recording, stage), str(outputs.out[name]), when_full="drop" if source.live else "wait"
            )
            stack.callback(worker.close)
            own.append(worker)
    return OpenOutputs(sinks, list(windows.values()), recordings, workers, texts)


def _windows(shown: Sequence[str], stop: threading.Event) -> dict[str, WindowSink]:
    if not shown:
        return {}
    from stream.sinks.window import tiled

    return dict(zip(shown, tiled([f"Stance: {name}" for name in shown], stop), strict=True))


def _recording(path: Path, settings: Settings, source: Source) -> Recording | PictureSink:
    if source.still and path.suffix.lower() not in VIDEO_SUFFIXES:
        from stream.sinks.pictures import PictureSink

        return PictureSink(path, source)
    from stream.sinks.video.recording import Recording

    # Where pictures are hidden for privacy, voices are too.
    return Recording(path, source, output=settings.output, sound=settings.overlay.picture)
