"""Who may not see the page does not, and no request brings it down. Strategy: raw sockets that send what no browser
would, and honest clients beside them."""

from __future__ import annotations

import json
import os
import random
import socket
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from stream.errors import SinkError
from tests.stream.web.worlds import page_of

pytest.importorskip("uvicorn", reason="the extra web is not installed (pip install '.[web]')")

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}"
HELLO = json.dumps({"watch": ["door"]})


def raw(page, request: bytes, *, wait: float = 5.0) -> bytes:
    """The answer to some bytes; b"" if none came."""
    with socket.create_connection(("127.0.0.1", page.server.port), timeout=wait) as asked:
        try:
            asked.sendall(request)
            asked.shutdown(socket.SHUT_WR)
            parts = []
            while part := asked.recv(65536):
                parts.append(part)
        except OSError:  # it hung up
            pass
        return b"".join(parts)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def get(path: str = "/", host: str = "localhost", *more: str, method: str = "GET") -> bytes:
    ending = [] if UPGRADE in more else ["Connection: close"]
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *ending, *more, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def hear_all(viewer: ClientConnection) -> None:
    while True:
        viewer.recv(timeout=10)


def alive(page) -> bool:
    with urllib.request.urlopen(page.address("api/cameras"), timeout=10) as answer:
        return len(json.load(answer)["cameras"]) == 2


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (get(), 200),
        (get(host="127.0.0.1:1234"), 200),  # through a forwarded port
        (get(host="[::1]"), 200),
        (get("/api/cameras", "localhost", "Origin: http://localhost"), 200),
        (get("/page.js", "localhost", "Sec-Fetch-Site: same-origin"), 200),
        (get("/", "localhost", "Sec-Fetch-Site: cross-site"), 200),  # a link to the page is no harm
        (get(host="evil.example"), 421),
        (get(host="127.0.0.1.evil.example"), 421),
        (get(host="evil.example@127.0.0.1"), 400),
        (get(host="localhost:port"), 400),
        (get(host="localhost/../x"), 400),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (get("/", "localhost", "Host: evil.example"), 400),
        (get("/api/cameras", "localhost", "Origin: http://evil.example"), 403),
        (get("/api/cameras", "localhost", "Origin: http://localhost:3000"), 403),
        (get("/api/cameras", "localhost", "Origin: null"), 403),
        (get("/api/cameras", "localhost", "Sec-Fetch-Site: cross-site"), 403),
        (get("/api/cameras", "localhost", "Sec-Fetch-Site: same-site"), 403),
        (get(method="POST"), 405),
        (get(method="DELETE"), 405),
        (get("/", "localhost", "Content-Length: 5") + b"hello", 413),
        (get("/?" + "x" * 3000), 414),
        (get("/" + "x" * 10_000), 414),
        (get("/../../etc/passwd"), 404),
        (get("/%2e%2e/%2e%2e/etc/passwd"), 404),
        (get("/page.css/../app.py"), 404),
        (get("/page/index.html"), 404),
        (get("/%00"), 404),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (b"HELLO\r\n\r\n", 400),
        (get("/live"), 404),
        (get("/live", "localhost", "Origin: http://evil.example", UPGRADE), 403),
        (get("/live", "evil.example", UPGRADE), 403),
        (get("/other", "localhost", UPGRADE), 403),
    ],
)
def test_what_is_answered_and_what_is_not(page, request_, expected):
    answer = raw(page, request_)
    assert status(answer) == expected, answer[:300]
    assert b"Traceback" not in answer
    assert alive(page)


def test_headers_that_keep_the_page_to_itself(page):
    with urllib.request.urlopen(page.address(), timeout=10) as answer:
        headers = answer.headers
        assert "token" not in answer.read().decode().replace("api/", "")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] is None
    assert headers["Set-Cookie"] is None


@pytest.mark.parametrize(
    "said",
    [
        "",
        "x",
        "[]",
        "3",
        "{}",
        '{"watch": "door"}',
        '{"watch": [1]}',
        '{"shown": 7}',
        b"\x00\x01",
        "[" * 9000,
        "9" * 9000,
    ],
)
def test_a_viewer_who_talks_nonsense_is_hung_up_on(page, said):
    with connect(page.address("live", "ws")) as viewer:
        viewer.send(said)
        with pytest.raises(ConnectionClosed, match="1008"):
            hear_all(viewer)
    assert alive(page)


def test_a_viewer_who_says_too_much_is_hung_up_on(page):
    with connect(page.address("live", "ws")) as viewer:
        viewer.send(json.dumps({"watch": ["x" * 100_000]}))
        with pytest.raises(ConnectionClosed, match="1009"):
            hear_all(viewer)
    assert alive(page)


def test_two_hundred_random_requests(page, capfd, caplog):
    """Whole requests, cut ones, and noise after a handshake: 4xx or nothing, no traceback, and a viewer goes on."""
    chance = random.Random(0)
    seeds = [
        get(),
        get("/live", "localhost", UPGRADE),
        get("/api/why?camera=door&track=7", "localhost", "Origin: null"),
    ]
    with connect(page.address("live", "ws")) as viewer:
        viewer.send(HELLO)
        for number in range(200):
            request = bytearray(chance.choice(seeds))
            for _ in range(chance.randint(1, 8)):
                request[chance.randrange(len(request))] = chance.randrange(256)
            noise = chance.randbytes(chance.randint(0, 300))
            answer = raw(
                page, bytes(request) + noise if number % 2 else bytes(request[: chance.randrange(len(request))])
            )
            assert b"Traceback" not in answer
            assert status(answer) < 500, (bytes(request), answer)
        page.write()
        data = viewer.recv(timeout=10)
        while isinstance(data, str):
            data = viewer.recv(timeout=10)
        assert len(data) > 1000
    assert alive(page)
    said = "".join(capfd.readouterr()) + caplog.text
    assert "Traceback" not in said
    assert "Exception" not in said


def test_a_fault_of_ours_is_one_line_in_the_log_and_no_traceback_in_the_answer(page, monkeypatch, caplog):
    page.write()

    def fail(*_: object) -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr("stream.web.app.why", fail)
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(page.address("api/why?camera=door&track=7"), timeout=10)
    assert answer.value.code == 500
    assert b"secret" not in answer.value.read()
    assert "could not answer /api/why: RuntimeError" in caplog.text
    assert alive(page)


@pytest.fixture
def listening(worlds):
    """A page that listens to other machines."""
    with page_of(worlds, address="0.0.0.0") as page:
        yield page


def test_beyond_this_machine_a_token_is_asked_for(listening):
    token = listening.server.link.partition("?token=")[2]
    assert len(token) >= 32
    for request in (
        get(), get("/?token=wrong"), get("/?token="), get("/?token=%ff"), get("/page.js"),
        get(f"/page.js?token={token}"),
        get("/api/cameras", "localhost", "Authorization: Bearer wrong"),
        get("/api/cameras", "localhost", "Cookie: stance_1=" + token),
        get("/api/cameras", "localhost", f"Cookie: stance_{listening.server.port}=wrong"),
        get("/api/cameras", "localhost", "Cookie: ;;;=\xff;\"" + token),
    ):  # fmt: skip
        answer = raw(listening, request)
        assert status(answer) == 401, request
        assert token.encode() not in answer
    assert status(raw(listening, get("/live", "localhost", UPGRADE))) == 403
    assert status(raw(listening, get("/api/cameras", "host.example", f"Authorization: Bearer {token}"))) == 200
    opened = raw(listening, get(f"/?token={token}", "host.example"))
    assert status(opened) == 200
    (cookie,) = [line for line in opened.decode().split("\r\n") if line.lower().startswith("set-cookie")]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    value = cookie.partition(": ")[2].partition(";")[0]
    again = raw(listening, get("/api/cameras", "host.example", f"Cookie: a=b; {value}"))
    assert status(again) == 200
    assert b"set-cookie" not in again.lower()
    headers = {"Cookie": value}
    with connect(listening.address("live", "ws"), additional_headers=headers) as viewer:
        assert "cameras" in viewer.recv(timeout=10)
    with pytest.raises(InvalidStatus):
        connect(listening.address("live", "ws"), additional_headers=headers, origin="http://evil.example")


def test_a_port_that_is_taken_and_an_address_that_is_not_ours(page, worlds):
    from stream.web.server import WebServer

    with pytest.raises(SinkError, match=rf"port {page.server.port} .*in use.* Choose another port"):
        WebServer(None, page.server.port)
    with pytest.raises(SinkError, match=r"is no address of this machine|Choose another"):
        WebServer(None, 0, "203.0.113.7")
    with pytest.raises(SinkError, match="Listen on one of its own"):
        WebServer(None, 0, "no such host.invalid")


def test_many_open_connections_do_not_stop_the_others(page):
    idle = [socket.create_connection(("127.0.0.1", page.server.port)) for _ in range(50)]
    try:
        for one in idle[::2]:
            one.sendall(b"GET / HTTP/1.1\r\nHost: loc" + os.urandom(3))
        assert alive(page)
    finally:
        for one in idle:
            one.close()
