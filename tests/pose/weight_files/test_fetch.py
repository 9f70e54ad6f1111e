"""Downloads against a real HTTP server on this machine: cut off, resumed, changed in between, lied to."""

from __future__ import annotations

import errno
import http.server
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pose.errors import FetchError, WeightsError
from pose.weight_files import fetch as fetching
from pose.weight_files.fetch import fetch

CONTENT = np.random.default_rng(0).bytes(1_000_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves one file at any path, with the faults a test asks for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.etag: str | None = '"first"'
        self.ranges = True  # answers Range requests
        self.cut_after: int | None = None  # bytes of an answer, then the connection is closed
        self.claimed_extra = 0  # bytes more in Content-Length than there are
        self.length = True  # sends Content-Length
        self.status = 200
        self.redirects = False
        self.wrong_range = False  # goes on somewhere else than asked
        self.silent = threading.Event()  # once set, answers are not sent but waited with
        self.asked: list[tuple[str | None, str | None]] = []  # Range and If-Range of every request

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/release/weights.pt"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted, condition = self.headers["Range"], self.headers["If-Range"]
        server.asked.append((wanted, condition))
        if server.silent.is_set():
            self.connection.recv(1)  # until the other side gives up
            return
        if self.path == "/release/weights.pt" and server.redirects:
            self.send_response(302)  # as a release on GitHub answers
            self.send_header("Location", "/store/weights.pt?signed")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if server.status != 200:
            self.send_error(server.status)
            return
        begin = 0
        if wanted and server.ranges and condition == server.etag:
            begin = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
            if begin >= len(server.content):
                self.send_error(416)
                return
            begin += 7 if server.wrong_range else 0
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(server.content) - 1}/{len(server.content)}")
        else:
            self.send_response(200)
        body = server.content[begin:]
        if server.length:
            self.send_header("Content-Length", str(len(body) + server.claimed_extra))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        self.wfile.write(body[: server.cut_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights" / "weights.pt"


def whole(part: Path) -> None:
    """A check that knows what must come."""
    if part.read_bytes() != CONTENT:
        raise WeightsError("not the content")


def left(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def test_a_download(server: Server, file: Path) -> None:
    told: list[tuple[int, int | None]] = []
    fetch(server.address, file, check=whole, progress=lambda done, total: told.append((done, total)))
    assert left(file) == ["weights.pt"]  # nothing else stays
    assert file.read_bytes() == CONTENT
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert told == sorted(told)


def test_a_connection_that_breaks_off_goes_on_later(server: Server, file: Path) -> None:
    server.cut_after = 300_000
    with pytest.raises(FetchError, match=r"broke off .*300,000 bytes are kept; fetch again to go on"):
        fetch(server.address, file, check=whole)
    assert left(file) == ["weights.pt.part", "weights.pt.version.part"]
    with pytest.raises(FetchError, match="600,000 bytes are kept"):
        fetch(server.address, file, check=whole)
    server.cut_after = None
    told: list[int] = []
    fetch(server.address, file, check=whole, progress=lambda done, total: told.append(done))
    assert file.read_bytes() == CONTENT
    assert told[0] == 600_000
    assert server.asked == [(None, None), ("bytes=300000-", '"first"'), ("bytes=600000-", '"first"')]
    assert left(file) == ["weights.pt"]


def test_a_redirected_download_goes_on_too(server: Server, file: Path) -> None:
    server.redirects, server.cut_after = True, 300_000
    with pytest.raises(FetchError):
        fetch(server.address, file, check=whole)
    server.cut_after = None
    fetch(server.address, file, check=whole)
    assert file.read_bytes() == CONTENT
    assert server.asked[-1] == ("bytes=300000-", '"first"')


def test_a_file_that_changed_in_between_starts_anew(server: Server, file: Path) -> None:
    server.content, server.cut_after = bytes(len(CONTENT)), 300_000
    with pytest.raises(FetchError):
        fetch(server.address, file, check=whole)
    server.content, server.etag, server.cut_after = CONTENT, '"second"', None
    fetch(server.address, file, check=whole)
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ['"first"', None, 'W/"weak"'])
def test_a_server_that_cannot_go_on_starts_anew(server: Server, file: Path, etag: str | None) -> None:
    server.etag, server.ranges, server.cut_after = etag, False, 300_000
    with pytest.raises(FetchError):
        fetch(server.address, file, check=whole)
    server.cut_after = None
    fetch(server.address, file, check=whole)
    assert file.read_bytes() == CONTENT
    # Without a sure sign that the file is the same, a range is not even asked for.
    assert server.asked[1] == (("bytes=300000-", '"first"') if etag == '"first"' else (None, None))


def test_a_part_longer_than_the_file_starts_anew(server: Server, file: Path) -> None:
    server.content, server.cut_after = CONTENT * 2, 1_500_000
    with pytest.raises(FetchError):
        fetch(server.address, file, check=whole)
    server.content, server.cut_after = CONTENT, None
    fetch(server.address, file, check=whole)
    assert file.read_bytes() == CONTENT


def test_a_complete_part_that_was_never_renamed(server: Server, file: Path) -> None:
    """Killed between the last byte and the rename: the server has no more to give (416)."""
    file.parent.mkdir()
    file.with_name("weights.pt.part").write_bytes(CONTENT)
    file.with_name("weights.pt.version.part").write_text('"first"')
    fetch(server.address, file, check=whole)
    assert file.read_bytes() == CONTENT


def test_a_server_that_goes_on_elsewhere(server: Server, file: Path) -> None:
    server.cut_after = 300_000
    with pytest.raises(FetchError):
        fetch(server.address, file, check=whole)
    server.cut_after, server.wrong_range = None, True
    with pytest.raises(FetchError, match="went on at byte 300007 instead of 300000"):
        fetch(server.address, file, check=whole)
    assert left(file) == []  # the next fetch starts anew


def test_a_server_that_lies_about_the_size(server: Server, file: Path) -> None:
    server.claimed_extra = 5
    with pytest.raises(FetchError, match=r"1,000,000 of 1,000,005 bytes came"):
        fetch(server.address, file, check=whole)
    assert not file.exists()


def test_a_server_that_does_not_tell_the_size(server: Server, file: Path) -> None:
    server.length = False
    told: list[tuple[int, int | None]] = []
    fetch(server.address, file, check=whole, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(CONTENT), None)


@pytest.mark.parametrize("status", [403, 404, 416, 500])
def test_a_server_that_refuses(server: Server, file: Path, status: int) -> None:
    server.status = status
    with pytest.raises(FetchError) as caught:
        fetch(server.address, file, check=whole)
    assert str(caught.value).startswith(f"{server.address} answers {status} ")
    assert f"Download {server.address} in a browser" in str(caught.value)
    assert f"put it into {file.parent} as weights.pt." in str(caught.value)


def test_nobody_listens(file: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with pytest.raises(
            FetchError, match=r"cannot be reached \(Connection refused\)\. Download http\S+ in a browser"
        ):
            fetch(f"http://127.0.0.1:{taken.getsockname()[1]}/weights.pt", file, check=whole)


def test_a_host_that_is_not_known(file: Path) -> None:
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch("http://stance.invalid/weights.pt", file, check=whole)


def test_a_server_that_says_nothing_is_given_up(server: Server, file: Path) -> None:
    server.silent.set()
    with pytest.raises(FetchError, match=r"does not answer|cannot be reached"):
        fetch(server.address, file, check=whole, timeout_seconds=0.3)


def test_a_server_that_falls_silent_is_given_up(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = threading.Event()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: "a"\r\n\r\nabc')
                done.wait()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(FetchError, match=r"broke off \(timed out\)\. \d bytes are kept"):
                fetch(
                    f"http://127.0.0.1:{listening.getsockname()[1]}/weights.pt", file, check=whole, timeout_seconds=0.3
                )
        finally:
            done.set()
            thread.join()


def test_ctrl_c_keeps_what_came(server: Server, file: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done > 400_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.address, file, check=whole, progress=interrupt)
    kept = file.with_name("weights.pt.part").stat().st_size
    assert kept > 400_000
    fetch(server.address, file, check=whole)
    assert file.read_bytes() == CONTENT
    assert server.asked[-1] == (f"bytes={kept}-", '"first"')


def test_what_fails_the_check_is_not_kept(server: Server, file: Path) -> None:
    server.content = b"<html>Please log in to the hotel's network</html>"
    with pytest.raises(WeightsError):
        fetch(server.address, file, check=whole)
    assert left(file) == []


def test_the_old_file_stays_until_the_new_one_is_checked(server: Server, file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"old")
    server.content = b"not it"
    with pytest.raises(WeightsError):
        fetch(server.address, file, check=whole)
    assert file.read_bytes() == b"old"


def test_a_full_disk_is_told_before_and_while(server: Server, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = fetching.shutil.disk_usage(Path("/"))
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: usage._replace(free=400_000))
    with pytest.raises(FetchError, match=r"has 0 MB free; weights\.pt needs 1 MB more"):
        fetch(server.address, file, check=whole)
    monkeypatch.undo()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetching.os, "fsync", full)
    with pytest.raises(FetchError, match=r"is full\. Make room and fetch again; what came is kept\.$"):
        fetch(server.address, file, check=whole)
    assert not file.exists()


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("a file where the folder should be")
    with pytest.raises(FetchError, match=r"cannot be written to: .*set pose\.weights to it\.$"):
        fetch(server.address, tmp_path / "weights" / "weights.pt", check=whole)
    assert server.asked == []  # told before anything is downloaded
