"""What the user types becomes the right source, or one sentence. Strategy: real files of every kind made on the spot,
real sockets on loopback for addresses; a stand-in for OpenCV only where a webcam would be needed."""

import http.server
import os
import socket
import threading
import time
from functools import partial

import cv2
import numpy as np
import pytest

from pose.errors import StanceError
from stream.errors import SourceError
from stream.settings.model import SourceSettings
from stream.sources.base import Source
from stream.sources.file import FileSource
from stream.sources.opening import open_source
from stream.sources.pictures import PictureSource
from stream.sources.status import SourceState


@pytest.fixture
def clip(tmp_path, worlds):
    return worlds.write_clip(tmp_path / "clip.mp4", [n / 30 for n in range(20)])


def refusal(source, **settings):
    with pytest.raises(SourceError) as caught, open_source(source, SourceSettings(**settings)) as opened:
        opened.probe()  # only a live source opens in silence
    message = str(caught.value)
    assert isinstance(caught.value, StanceError)
    assert isinstance(caught.value, OSError)
    assert message.endswith((".", ")."))
    assert "\n" not in message
    return message


def test_a_video_a_picture_a_folder(clip, tmp_path):
    picture = tmp_path / "one.PNG"
    picture.write_bytes(cv2.imencode(".png", np.zeros((5, 7, 3), np.uint8))[1].tobytes())
    with open_source(str(clip)) as video, open_source(picture) as single, open_source(tmp_path) as folder:
        assert isinstance(video, FileSource)
        assert isinstance(single, PictureSource)
        assert isinstance(folder, PictureSource)
        for source in (video, single, folder):
            assert isinstance(source, Source)
            assert not source.live
            assert source.status.state is SourceState.CONNECTING
        assert (video.still, single.still, folder.still) == (False, True, True)
        assert (video.info.width, video.info.height, video.info.frame_count) == (192, 128, 20)
    with open_source(clip.as_uri()) as video:
        assert video.path == clip


def test_not_there(tmp_path):
    assert "no such file" in refusal(str(tmp_path / "none.mp4"))
    assert "no such file" in refusal(str(tmp_path / "none.jpg"))
    assert "No source" in refusal("  ")


def test_empty_folders_say_where_pictures_are(tmp_path):
    (tmp_path / "standing").mkdir()
    assert "no pictures" in refusal(tmp_path)
    (tmp_path / "standing" / "a.jpg").write_bytes(b"x")
    assert str(tmp_path / "standing") in refusal(tmp_path)


def test_what_is_no_video(tmp_path):
    (tmp_path / "text.mp4").write_text("this is a text file named .mp4\n" * 20)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 20)
    assert "holds text" in refusal(tmp_path / "text.mp4")
    assert "is empty" in refusal(tmp_path / "empty.mp4")
    assert "is not video" in refusal(tmp_path / "noise.mp4")


def test_sound_alone_is_no_video(tmp_path):
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "no moving picture" in refusal(tmp_path / "sound.mp4")


def test_a_file_without_its_index_is_truncated(clip):
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) // 2])
    assert "truncated" in refusal(clip)


@pytest.mark.skipif(os.name == "nt", reason="POSIX names")
def test_odd_names(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("Übung 人 100%d.mp4", "rtsp:a.mp4", "-dash.mp4"):
        clip = clip.rename(tmp_path / name)
        for path in (clip, name):
            with open_source(path) as source:
                assert sum(1 for _ in source) == 20
                assert source.name == str(path)
    bad = clip.rename(tmp_path / os.fsdecode(b"\xff.mp4"))
    with open_source(bad) as source:  # OpenCV 5.0 would end the process with a segmentation fault
        assert sum(1 for _ in source) == 20
        assert source.name.endswith("\\xff.mp4")


def test_an_unknown_scheme():
    message = refusal("gopher://bob:secret@cam/x")
    assert "rtsp" in message
    assert "secret" not in message


def test_nobody_listens(capfd):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    message = refusal(f"rtsp://bob:secret@127.0.0.1:{port}/cam?token=secret", open_timeout_seconds=5)
    assert "refuses the connection" in message
    assert "secret" not in message
    assert "".join(capfd.readouterr()) == ""  # nor do OpenCV and FFmpeg print anything


def test_a_black_hole_is_left_in_time(capfd):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        started = time.monotonic()
        message = refusal(f"rtsp://bob:secret@127.0.0.1:{port}/cam", open_timeout_seconds=0.5)
    assert time.monotonic() - started < 4
    assert "does not answer within 0.5 s" in message
    assert "".join(capfd.readouterr()) == ""  # nor do OpenCV and FFmpeg print anything


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if "locked" in self.path:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def web(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_http_says_why_not(web, capfd):
    for path in ("locked", "locked.mp4"):
        message = refusal(f"http://bob:secret@{web}/{path}", open_timeout_seconds=5)
        assert "user name or password" in message
        assert "secret" not in message
    assert "does not have this path" in refusal(f"http://bob:secret@{web}/none", open_timeout_seconds=5)
    assert "secret" not in "".join(capfd.readouterr())


def test_a_recording_behind_http_is_played_once_and_in_full(web, clip, worlds):
    with open_source(f"http://{web}/clip.mp4?token=secret") as source:
        assert not source.live
        assert source.path is None
        assert [worlds.stamp_of(frame.bgr) for frame in source] == list(range(20))
        assert "secret" not in source.name
