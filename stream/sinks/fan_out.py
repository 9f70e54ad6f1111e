"""`FanOut`: every scene to the outputs of its source, and a fault in one of them stops only that one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from stream.errors import ReaderGone, SinkError
from stream.scene import Scene
from stream.sinks.base import Drawing, Sink

__all__ = ["FanOut"]

log = logging.getLogger(__name__)


class FanOut:
    """Writes scenes to sinks. Not thread-safe; use one per thread.

    A sink that cannot write is closed, and the fault logged; the others go on, and `close` raises it. When none is left
    the fault rises at once. A reader who has seen enough is no fault: the other sinks go on, and nothing is said.

    Args:
        sinks: for every source; or, by the name of the source, for that one only.
    """

    def __init__(self, sinks: Sequence[Sink] | Mapping[str, Sequence[Sink]]) -> None:
        self._common = [] if isinstance(sinks, Mapping) else list(sinks)
        self._own = {name: list(own) for name, own in sinks.items()} if isinstance(sinks, Mapping) else {}
        # each once, in the order in which they are closed
        self._open = dict.fromkeys((*self._common, *(sink for own in self._own.values() for sink in own)))
        self._faults: list[SinkError] = []

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Write one scene.

        Raises:
            SinkError: no sink is left that could write.
        """
        for sink in (*self._common, *self._own.get(scene.frame.source, ())):
            if sink not in self._open:
                continue
            try:
                sink.write(scene, drawing)
            except SinkError as error:
                self._give_up(sink, error)

    def _give_up(self, sink: Sink, error: SinkError) -> None:
        del self._open[sink]
        try:
            sink.close()
        except SinkError as later:
            log.debug("closing after a fault: %s", later)
        if not self._open:
            raise error
        if isinstance(error, ReaderGone):
            return
        self._faults.append(error)
        log.warning("%s", error)

    def close(self) -> None:
        """Close every sink, whatever happens to the others. Twice does no harm.

        Raises:
            SinkError: a sink could not write, or its end could not be written. Any other error of a sink rises before,
                once all are closed.
        """
        faults, self._faults = self._faults, []
        with ExitStack() as stack:
            while self._open:
                stack.callback(self._close, self._open.popitem()[0], faults)
        if faults:
            raise faults[0] if len(faults) == 1 else SinkError("\n".join(map(str, faults)))

    @staticmethod
    def _close(sink: Sink, faults: list[SinkError]) -> None:
        try:
            sink.close()
        except SinkError as error:
            faults.append(error)
