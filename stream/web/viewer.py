"""`Viewer`: one browser that watches, over one WebSocket.

What goes to the browser: as text, JSON with `cameras`, see `Board.states`, at once and every second; as bytes,
`scene_message`. What comes from it, as text: `{"watch": ["door", …]}`, the cameras it wants to see, none before; and
`{"shown": "door"}` when it has drawn the last scene of a camera and wants another. So a viewer is never sent more than
it can show, and skips what it has no time for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from stream.web.board import Board
from stream.web.feed import Feed

__all__ = ["MAX_MESSAGE_BYTES", "Viewer"]

STATE_SECONDS: Final = 1.0

MAX_MESSAGE_BYTES: Final = 16_384
"""Of what a browser may say at once."""

MALFORMED: Final = 1008
"""WebSocket close code: what was said breaks the rules."""


class Viewer:
    """Serves one browser until it leaves.

    Args:
        socket: the connection, not accepted yet.
        board: what there is to see.
        feeds: by camera.
    """

    def __init__(self, socket: WebSocket, board: Board, feeds: Mapping[str, Feed]) -> None:
        self._socket = socket
        self._board = board
        self._feeds = feeds
        self._sending = asyncio.Lock()
        self._watched: set[str] = set()
        self._under_way: set[str] = set()
        self._wanted = {camera: asyncio.Event() for camera in feeds}

    async def serve(self) -> None:
        """Until the browser leaves, or says what makes no sense."""
        await self._socket.accept()
        tasks = [asyncio.create_task(self._tell_states())]
        tasks += [asyncio.create_task(self._show(feed)) for feed in self._feeds.values()]
        try:
            while await self._hear():
                pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self) -> bool:
        """Take one message; False at the end."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            return False
        try:
            said = json.loads(message.get("text") or "")
            if not self._take(said):
                raise ValueError
        except (ValueError, RecursionError):
            await self._socket.close(MALFORMED, "that is no message of the page")
            return False
        return True

    def _take(self, said: Any) -> bool:
        """Whether it made sense."""
        match said:
            case {"watch": list(cameras)} if all(isinstance(camera, str) for camera in cameras):
                self._watched = set(cameras) & self._feeds.keys()
            case {"shown": str(camera)}:
                self._under_way.discard(camera)
            case _:
                return False
        for camera, wanted in self._wanted.items():
            if camera in self._watched and camera not in self._under_way:
                wanted.set()
            else:
                wanted.clear()
        return True

    async def _show(self, feed: Feed) -> None:
        """Send the newest scene of a camera whenever the browser is ready for one."""
        wanted, serial = self._wanted[feed.camera], 0
        while True:
            await wanted.wait()
            message = await feed.next(serial)
            if not wanted.is_set():  # it looked away meanwhile
                continue
            serial = message.serial
            self._under_way.add(feed.camera)
            wanted.clear()
            await self._send({"type": "websocket.send", "bytes": message.data})

    async def _tell_states(self) -> None:
        while True:
            text = json.dumps({"cameras": self._board.states()}, ensure_ascii=False, separators=(",", ":"))
            await self._send({"type": "websocket.send", "text": text})
            await asyncio.sleep(STATE_SECONDS)

    async def _send(self, message: dict[str, Any]) -> None:
        async with self._sending:
            try:
                await self._socket.send(message)
            except (WebSocketDisconnect, RuntimeError) as error:  # it has left, which `_hear` finds out too
                raise asyncio.CancelledError from error
