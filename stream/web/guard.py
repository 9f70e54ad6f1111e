"""`Guard`: who may ask, and what. Everything that reaches the page has passed here.

- **Host**: without a token, only names of this very machine are answered, so that no web site can reach the page by
  letting its own name point here (DNS rebinding).
- **Origin** and **Sec-Fetch-Site**: what another page asks for, in whatever browser, is refused.
- **Token**: where the page listens beyond this machine. It comes once in the link, and then in a cookie that scripts do
  not see and other sites do not send; or in `Authorization: Bearer …`, for programs.
- Only GET and HEAD, without a body, of short addresses.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LOOPBACK_HOSTS", "Guard"]

log = logging.getLogger(__name__)

LOOPBACK_HOSTS: Final = frozenset(("localhost", "127.0.0.1", "::1"))

MAX_ADDRESS_BYTES: Final = 2048  # of path and query together

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

Refusal = tuple[int, str]


class Guard:
    """An ASGI application around another. No answer of it holds a traceback.

    Args:
        app: what is guarded.
        port: that it listens on; browsers send cookies to all ports of a host, so that of ours has it in its name.
        token: what viewers must know; None where only this machine can ask.
    """

    def __init__(self, app: ASGIApp, port: int, token: str | None) -> None:
        self._app = app
        self._token = token
        self._cookie = f"stance_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun = False
        bring_cookie = False

        async def guarded_send(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                if bring_cookie:
                    headers.append("Set-Cookie", f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(refusal, scope, receive, guarded_send)
            return
        bring_cookie = self._token is not None and self._in_link(scope)
        try:
            await self._app(scope, receive, guarded_send)
        except Exception as error:  # a bug: the page and the frame loop go on
            log.error("The page could not answer %s: %s", scope["path"][:80], type(error).__name__)
            log.debug("where it happened", exc_info=error)
            if not begun:
                await _refuse((500, "That went wrong; the log says where."), scope, receive, guarded_send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        host = _host_of(hosts[0]) if len(hosts) == 1 else None
        if host is None:
            return 400, "Which host is meant?"
        if self._token is None and host not in LOOPBACK_HOSTS:
            return 421, "Only http://127.0.0.1 and http://localhost are answered here."
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_ADDRESS_BYTES:
            return 414, "The address is too long."
        if scope["type"] == "http":
            if scope["method"] not in ("GET", "HEAD"):
                return 405, "Only GET is answered here."
            if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
                return 413, "No request here has a body."
        origins = headers.getlist("origin")
        if any(not _same_origin(origin, hosts[0]) for origin in origins):
            return 403, "Other pages may not ask."
        fetched_by = headers.get("sec-fetch-site", "none")
        if fetched_by not in ("none", "same-origin") and scope["path"] != "/":
            return 403, "Other pages may not ask."
        if self._token is not None and not self._knows_token(scope, headers):
            return 401, "Open the link that `stance serve` printed; it holds the token."
        return None

    def _knows_token(self, scope: Scope, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(given):
            return True
        return self._in_link(scope) or any(self._is_token(value) for value in self._cookies(headers.getlist("cookie")))

    def _in_link(self, scope: Scope) -> bool:
        """Whether the page was opened by the link with the token."""
        if scope["type"] != "http" or scope["path"] != "/":
            return False
        query = scope["query_string"].decode("latin-1")
        try:
            given = parse_qs(query, max_num_fields=10).get("token", [])
        except ValueError:
            return False
        return any(self._is_token(value) for value in given)

    def _cookies(self, lines: Sequence[str]) -> list[str]:
        found = []
        for line in lines:
            try:
                cookies = SimpleCookie(line)
            except CookieError:
                continue
            if self._cookie in cookies:
                found.append(cookies[self._cookie].value)
        return found

    def _is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _host_of(header: str) -> str | None:
    """The name or number in a `Host` header, lower case, without port and brackets; None if it is none."""
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port  # raises if it is no number
    except ValueError:
        return None
    return parts.hostname if parts.netloc == header and "@" not in header and parts.hostname else None


def _same_origin(origin: str, host: str) -> bool:
    """Whether a page at `origin` was given by the host that is asked. A proxy may have added TLS."""
    scheme, separator, place = origin.partition("://")
    return separator != "" and scheme in ("http", "https") and place.lower() == host.lower()


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    status, sentence = refusal
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": sentence})  # before it is accepted: 403
        return
    await PlainTextResponse(sentence + "\n", status)(scope, receive, send)
