"""`Recalibration`: the calibration of rows that grow, measured anew beside the classification."""

from __future__ import annotations

import logging
import threading
import weakref
from concurrent.futures import Future

from index.errors import DatabaseDamaged
from index.rows import Rows, Snapshot
from index.search.calibration import Calibration, calibrate
from pose.embeddings.registry import Embedding

__all__ = ["Recalibration"]

log = logging.getLogger(__name__)


class Recalibration:
    """The calibration of a database's rows, measured anew once they have grown by a tenth.

    Measuring takes a second and more in large databases. It is done on a snapshot, on a thread of its own that ends
    with it, and without the lock: who classifies meanwhile goes on by the calibration before. Only a thread that has
    taught rows since then waits for what they change, so that what it teaches and then asks has one outcome, however
    fast the machine is. A database that nobody teaches is measured before its first answer, if its files do not say,
    and never again.

    Thread-safe.

    Args:
        embedding: what the rows are.
        lock: the one that guards the rows. Nobody who holds it may ask for a calibration.
        rows: what is measured.
    """

    def __init__(self, embedding: Embedding, lock: threading.RLock, rows: Rows) -> None:
        self._embedding = embedding
        self._lock = lock
        self._taught: weakref.WeakKeyDictionary[threading.Thread, int] = weakref.WeakKeyDictionary()  # rows after that
        self.hold(rows)

    def hold(self, rows: Rows, calibration: Calibration | None = None) -> None:
        """Measure these rows from now on; `calibration` is theirs, if it is known."""
        with self._lock:
            self._rows = rows
            self._value = calibration or Calibration()
            self._measured = -1 if calibration is None else len(rows)  # so many rows
            self._running: Future[None] | None = None

    def taught(self) -> None:
        """Note that this thread added rows."""
        with self._lock:
            self._taught[threading.current_thread()] = len(self._rows)

    def current(self) -> Calibration:
        """What to classify by now."""
        with self._lock:
            if not self._outdated():
                return self._value
            if self._measured >= 0 and self._taught.get(threading.current_thread(), 0) <= self._measured:
                self._begin()
                return self._value
        return self.latest()

    def latest(self) -> Calibration:
        """That of the rows there are, but for a tenth; waits for it."""
        while True:
            with self._lock:
                if not self._outdated():
                    return self._value
                running = self._begin()
            running.result()

    def of(self, snapshot: Snapshot) -> Calibration:
        """That of exactly the rows of a snapshot of ours, measured on this thread if nobody has."""
        with self._lock:
            rows = self._rows
            if self._measured == len(snapshot):
                return self._value
        calibration = self._measure(snapshot)
        self._keep(rows, calibration, len(snapshot))
        return calibration

    def _outdated(self) -> bool:
        return self._measured < 0 or len(self._rows) > max(self._measured * 1.1, self._measured + 1)

    def _begin(self) -> Future[None]:
        """The measurement that goes on, or a new one. Raises what made the last one fail."""
        if self._running is not None and self._running.done():
            failed, self._running = self._running, None
            failed.result()
        if self._running is None:
            self._running = Future()
            work = self._rows, self._rows.snapshot(), self._running
            threading.Thread(target=self._work, args=work, name="recalibration").start()
        return self._running

    def _work(self, rows: Rows, snapshot: Snapshot, running: Future[None]) -> None:
        try:
            calibration = self._measure(snapshot)
        except BaseException as error:  # raised again where somebody asks
            running.set_exception(error)
            return
        with self._lock:
            self._keep(rows, calibration, len(snapshot))
            if self._running is running:
                self._running = None
        running.set_result(None)

    def _keep(self, rows: Rows, calibration: Calibration, count: int) -> None:
        with self._lock:
            if self._rows is rows and count > self._measured:
                self._value, self._measured = calibration, count

    def _measure(self, snapshot: Snapshot) -> Calibration:
        try:
            return calibrate(snapshot.neighbours, self._embedding, snapshot.codes)
        except DatabaseDamaged as error:
            log.warning("No posture is rejected for its distance: %s", error)
            return Calibration()
