"""`Feed`: one camera's messages for all viewers, each made once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from stream.web.board import Board, Latest

__all__ = ["Feed", "Message"]


@dataclass(frozen=True, slots=True)
class Message:
    """A scene, encoded.

    Attributes:
        serial: of the scene, see `Latest`.
        data: what viewers get.
    """

    serial: int
    data: bytes


class Feed:
    """Encodes scenes of one camera when a viewer waits for one, each at most once however many wait. While nobody
    waits, nothing is encoded and the frame loop is not even told to wake anybody.

    For one event loop, but for `notify`.

    Args:
        board: where scenes come from.
        camera: whose.
        encode: makes a message's data of a scene.
        pool: where it does so.
    """

    def __init__(self, board: Board, camera: str, encode: Callable[[Latest], bytes], pool: Executor) -> None:
        self.camera = camera
        self._board = board
        self._encode = encode
        self._pool = pool
        self._message: Message | None = None
        self._encoding = asyncio.Lock()
        self._news = asyncio.Event()
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def notify(self) -> None:
        """A scene came; from the thread of the frame loop."""
        if self._waiting and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def next(self, after: int) -> Message:
        """The newest message, as soon as there is one with a serial greater than `after`."""
        self._loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            while True:
                news = self._news  # before the look, so that nothing comes unseen in between
                latest = self._board.latest(self.camera)
                if latest is not None and latest.serial > after:
                    break
                await news.wait()
        finally:
            self._waiting -= 1
        async with self._encoding:
            if self._message is None or self._message.serial <= after:
                latest = self._board.latest(self.camera) or latest
                data = await self._loop.run_in_executor(self._pool, self._encode, latest)
                self._message = Message(latest.serial, data)
            return self._message
