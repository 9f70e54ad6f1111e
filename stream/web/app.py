"""`page_app`: what is answered under which address."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from importlib.resources import files
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from pose.keypoints import LIMBS
from stream.web.board import Latest
from stream.web.feed import Feed
from stream.web.message import scene_message
from stream.web.viewer import Viewer
from stream.web.watched import Watched
from stream.web.why import find_person, why

__all__ = ["MAX_VIEWERS", "page_app"]

MAX_VIEWERS: Final = 32

PAGE: Final = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/camera.js": ("camera.js", "text/javascript"),
    "/drawing.js": ("drawing.js", "text/javascript"),
    "/live.js": ("live.js", "text/javascript"),
    "/why.js": ("why.js", "text/javascript"),
    "/wording.js": ("wording.js", "text/javascript"),
    "/favicon.svg": ("favicon.svg", "image/svg+xml"),
}
"""All files there are, read once at the start: no path of a request ever touches the disk."""

TRY_LATER: Final = 1013  # WebSocket close code


def page_app(watched: Watched, pool: Executor) -> Starlette:
    """The application: the page's files, `/api/settings`, `/api/cameras`, `/api/why`, and the WebSocket `/live`.

    Args:
        watched: what the page is about.
        pool: where pictures are compressed.
    """
    board, settings = watched.board, watched.settings

    def encode(latest: Latest) -> bytes:
        return scene_message(latest, watched.overlay.colour_of, picture=settings.overlay.picture)

    feeds = {camera: Feed(board, camera, encode, pool) for camera in board.cameras}
    board.listen(lambda camera: feeds[camera].notify())
    viewers: set[Viewer] = set()

    async def live(socket: WebSocket) -> None:
        if len(viewers) >= MAX_VIEWERS:
            await socket.accept()
            await socket.close(TRY_LATER, f"{MAX_VIEWERS} browsers watch already")
            return
        viewer = Viewer(socket, board, feeds)
        viewers.add(viewer)
        try:
            await viewer.serve()
        finally:
            viewers.discard(viewer)

    async def tell_settings(_: Request) -> Response:
        drawn = settings.overlay
        return JSONResponse(
            {
                "picture": drawn.picture,
                "boxes": drawn.boxes,
                "skeletons": drawn.skeletons,
                "labels": drawn.labels,
                "keypoint_threshold": settings.pose.keypoint_threshold,
                "min_probability": settings.index.min_probability,
                "limbs": [[int(a), int(b)] for a, b in LIMBS],
            }
        )

    async def tell_cameras(_: Request) -> Response:
        return JSONResponse({"cameras": board.states()})

    def tell_why(request: Request) -> Response:  # not async: Starlette gives it a thread
        asked = request.query_params
        camera = asked.get("camera", "")
        if camera not in board.cameras:
            raise HTTPException(404, "There is no camera of that name.")
        track, row = _number(asked.get("track")), _number(asked.get("row"))
        if track is None and row is None:
            raise HTTPException(400, "Whom is it about? Give camera, and track or row.")
        latest = board.latest(camera)
        person = None if latest is None else find_person(latest.scene, track, row)
        if latest is None or person is None:
            raise HTTPException(404, "That person is not in the picture now.")
        return JSONResponse(why(latest.scene, person, watched.indexes.get(camera, watched.index), settings))

    async def say_what_is_wrong(_: Request, fault: Exception) -> Response:
        assert isinstance(fault, HTTPException)
        return JSONResponse({"error": fault.detail}, fault.status_code)

    routes = [Route(address, _file(name, kind)) for address, (name, kind) in PAGE.items()]
    return Starlette(
        routes=[
            *routes,
            Route("/api/settings", tell_settings),
            Route("/api/cameras", tell_cameras),
            Route("/api/why", tell_why),
            WebSocketRoute("/live", live),
        ],
        exception_handlers={HTTPException: say_what_is_wrong},
    )


def _file(name: str, kind: str) -> Callable[[Request], Any]:
    content = files("stream.web").joinpath("page", name).read_bytes()

    async def give(_: Request) -> Response:
        return PlainTextResponse(content, media_type=kind)

    return give


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise HTTPException(400, "track and row are whole numbers.")
    return int(text)
