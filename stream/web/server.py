"""`WebServer`: serves the page, on a thread of its own."""

from __future__ import annotations

import ipaddress
import logging
import secrets
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from pose.closing import Closing
from pose.errors import reason_of
from stream.errors import SinkError

if TYPE_CHECKING:
    from stream.web.watched import Watched

__all__ = ["LOOPBACK", "WebServer"]

log = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"

CLOSE_SECONDS: Final = 3.0

MAX_CONNECTIONS: Final = 256

MAX_REQUEST_BYTES: Final = 16_384  # of a request's head


class WebServer(Closing):
    """Serves the page from the moment it is made until `close`. A context manager.

    Listening beyond this machine takes a token, made anew each time: only who opens `link` sees anything.

    Args:
        watched: what the page is about.
        port: 0 takes a free one.
        address: where to listen; a name or number of this machine.

    Attributes:
        port: that it listens on.
        link: what to open in a browser.
        open_to_others: whether it listens beyond this machine.

    Raises:
        SinkError: the extra `web` is not installed, or the address cannot be listened on.
    """

    def __init__(self, watched: Watched, port: int, address: str = LOOPBACK) -> None:
        try:
            import uvicorn
            import websockets  # noqa: F401  what uvicorn speaks WebSocket with

            from stream.web.app import page_app
            from stream.web.guard import Guard
            from stream.web.viewer import MAX_MESSAGE_BYTES
        except ModuleNotFoundError as error:
            raise SinkError("The page needs more packages. Run: pip install '.[cpu,web]'") from error
        self._socket = _listening(address, port)
        self.port = int(self._socket.getsockname()[1])
        self.open_to_others = not ipaddress.ip_address(self._socket.getsockname()[0]).is_loopback
        token = secrets.token_urlsafe(24) if self.open_to_others else None
        self.link = f"http://{_shown_host(address)}:{self.port}/" + ("" if token is None else f"?token={token}")
        self._pool = ThreadPoolExecutor(1, "compress pictures")
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # hostile requests must not fill the log
        config = uvicorn.Config(
            Guard(page_app(watched, self._pool), self.port, token),
            access_log=False,
            h11_max_incomplete_event_size=MAX_REQUEST_BYTES,
            http="h11",
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS,
            log_config=None,
            loop="asyncio",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            ws="websockets-sansio",
            ws_max_queue=8,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,  # pictures are compressed already
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="web server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Hang up on all viewers and end the thread. Twice does no harm."""
        self._server.should_exit = True
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            log.warning("The web server does not stop in time; its thread is left behind.")
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._socket.close()


def _listening(address: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SinkError(
            f"{address} is no address of this machine ({reason_of(error)}). Listen on one of its own, or on 127.0.0.1."
        ) from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(place)
        opened.listen()  # who comes before the server runs waits a moment
    except OSError as error:
        opened.close()
        raise SinkError(
            f"The page cannot be served at {address}, port {port} ({reason_of(error)}). Choose another port."
        ) from error
    return opened


def _shown_host(address: str) -> str:
    """What to write in a link."""
    if address in ("0.0.0.0", "::", ""):
        return socket.gethostname()
    return f"[{address}]" if ":" in address else address
