"""Whatever people point Stance at: one test for each row of docs/inputs.md. Strategy: a clip whose pictures carry their
number is brought by FFmpeg into every container and coding, and every picture must come back, in order, at its time;
real servers stand behind addresses; faults are made on purpose, and each must give its sentence."""

import os
import re
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.errors import StanceError
from stream.reading.reader import BackgroundReader
from stream.settings.model import SourceSettings
from stream.sources.animation import is_animated
from stream.sources.file import FileSource
from stream.sources.live import LiveSource
from stream.sources.opening import open_source
from stream.sources.pictures import PictureSource
from stream.sources.status import SourceState

TABLE = Path(__file__).resolve().parents[3] / "docs" / "inputs.md"
COUNT, RATE = 20, 25
X264 = ["-c:v", "libx264", "-preset", "ultrafast"]

ROWS = set()


def row(name):
    """Mark a test as the one that makes a row of the table."""
    ROWS.add(name)
    return lambda test: test


@pytest.fixture
def clip(tmp_path, worlds):
    return worlds.write_clip(tmp_path / "plain.mp4", [n / RATE for n in range(COUNT)])


# --- containers and codings ---

FILES = {
    "MP4, H.264": ("a.mp4", X264),
    "MP4, H.264 with B-frames": ("a.mp4", ["-c:v", "libx264", "-bf", "2", "-g", "15"]),
    "MP4, H.264, 4:4:4": ("a.mp4", [*X264, "-pix_fmt", "yuv444p"]),
    "MP4, H.264, full range": ("a.mp4", ["-vf", "scale=out_range=full", *X264, "-color_range", "pc"]),
    "MP4, H.264, grey": ("a.mp4", [*X264, "-pix_fmt", "gray"]),
    "MP4, H.264, odd size": ("a.mp4", ["-vf", "scale=191:127", *X264, "-pix_fmt", "yuv444p"]),
    "MP4 in fragments": ("a.mp4", [*X264, "-movflags", "frag_keyframe+empty_moov", "-g", "5"]),
    "MP4, H.265": ("a.mp4", ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"]),
    "MP4, AV1": ("a.mp4", ["-c:v", "libsvtav1", "-preset", "10"]),
    "MP4, MPEG-4 part 2": ("a.mp4", ["-c:v", "mpeg4", "-q:v", "2"]),
    "MOV, ProRes, 10 bit": ("a.mov", ["-c:v", "prores_ks"]),
    "MOV, Motion JPEG": ("a.mov", ["-c:v", "mjpeg", "-q:v", "2"]),
    "Matroska, H.264": ("a.mkv", X264),
    "Matroska, H.265, 10 bit": (
        "a.mkv",
        ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none"],
    ),
    "Matroska, FFV1": ("a.mkv", ["-c:v", "ffv1"]),
    "WebM, VP8": ("a.webm", ["-c:v", "libvpx", "-b:v", "2M"]),
    "WebM, VP9": ("a.webm", ["-c:v", "libvpx-vp9", "-b:v", "2M", "-deadline", "realtime", "-cpu-used", "8"]),
    "WebM, AV1": ("a.webm", ["-c:v", "libsvtav1", "-preset", "10"]),
    "AVI, MPEG-4 part 2": ("a.avi", ["-c:v", "mpeg4", "-q:v", "2"]),
    "AVI, Motion JPEG": ("a.avi", ["-c:v", "mjpeg", "-q:v", "2"]),
    "AVI, H.264 with B-frames": ("a.avi", ["-c:v", "libx264", "-bf", "2"]),
    "AVI, uncompressed": ("a.avi", ["-c:v", "rawvideo", "-pix_fmt", "bgr24"]),
    "MPEG transport stream, H.264": ("a.ts", X264),
    "MPEG transport stream, MPEG-2": ("a.mts", ["-c:v", "mpeg2video", "-q:v", "2"]),
    "MPEG program stream, MPEG-2": ("a.mpg", ["-c:v", "mpeg2video", "-q:v", "2"]),
    "Flash, H.264": ("a.flv", X264),
    "Windows Media": ("a.wmv", ["-c:v", "wmv2", "-q:v", "2"]),
    "Ogg, Theora": ("a.ogv", ["-c:v", "libtheora", "-q:v", "10"]),
    "3GP, H.263": ("a.3gp", ["-vf", "scale=176:144", "-c:v", "h263", "-q:v", "2"]),
    "MXF, MPEG-2": ("a.mxf", ["-c:v", "mpeg2video", "-q:v", "2"]),
    "DV": ("a.dv", ["-vf", "scale=720:576", "-pix_fmt", "yuv420p", "-c:v", "dvvideo"]),
    "H.264 without a container": ("a.h264", X264),
    "Motion JPEG without a container": ("a.mjpeg", ["-c:v", "mjpeg", "-q:v", "2"]),
    "YUV4MPEG": ("a.y4m", ["-pix_fmt", "yuv420p"]),
    "NUT, Huffyuv": ("a.nut", ["-c:v", "ffvhuff"]),
    "animated GIF": ("a.gif", []),
    "animated WebP": ("a.webp", ["-loop", "0", "-c:v", "libwebp_anim", "-quality", "90"]),
    "animated PNG (.apng)": ("a.apng", ["-f", "apng"]),
    "animated PNG (.png)": ("a.png", ["-f", "apng"]),
    "HLS playlist on disk": ("a.m3u8", [*X264, "-f", "hls", "-hls_time", "0.4", "-hls_list_size", "0", "-g", "10"]),
}
ROWS |= set(FILES)
SHAPES = {"MP4, H.264, odd size": (127, 191), "3GP, H.263": (144, 192), "DV": (576, 768)}  # pixels of 12:11 and 16:15


@pytest.mark.parametrize("name", FILES)
def test_every_picture_at_its_time(tmp_path, worlds, clip, name):
    file, options = FILES[name]
    worlds.ffmpeg("-i", clip, *options, tmp_path / file)
    with open_source(tmp_path / file) as source:
        assert (source.live, source.still) == (False, False)
        frames = list(source)
        assert source.status.reason == ""
        assert source.info.frames_per_second == pytest.approx(RATE, rel=0.02)
        assert (source.info.height, source.info.width) == SHAPES.get(name, (128, 192))
    assert [worlds.stamp_of(frame.bgr) for frame in frames] == list(range(COUNT))
    assert {frame.bgr.shape[:2] for frame in frames} == {SHAPES.get(name, (128, 192))}
    tolerance = 0.041 if "program stream" in name else 2e-3  # there ffmpeg's own writing leaves a gap of one picture
    np.testing.assert_allclose([frame.media_seconds for frame in frames], np.arange(COUNT) / RATE, atol=tolerance)


# --- what is special about some pictures ---

INTERLACED = {
    "MP4, H.264, interlaced": ("a.mp4", [*X264[:2], "-flags", "+ildct+ilme"]),
    "MPEG transport stream, MPEG-2, interlaced": ("a.ts", ["-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ildct+ilme"]),
    "DV, interlaced": ("a.dv", ["-pix_fmt", "yuv420p", "-c:v", "dvvideo", "-flags", "+ildct"]),
    "MOV, ProRes, interlaced": ("a.mov", ["-c:v", "prores_ks", "-flags", "+ildct"]),
}
ROWS |= set(INTERLACED)


@pytest.mark.parametrize("name", INTERLACED)
def test_interlaced_pictures_are_deinterlaced(tmp_path, worlds, name):
    """Two fields of different moments make a frame. Each gives one picture: that of the first field, whole."""
    times = [n / 50 for n in range(20)]
    plain = worlds.write_clip(tmp_path / "plain.mp4", times, size=(720, 576), moving=True)
    file, options = INTERLACED[name]
    worlds.ffmpeg("-i", plain, "-vf", "interlace=lowpass=off", *options, tmp_path / file)
    with FileSource(tmp_path / file) as source:
        frames = list(source)
    with FileSource(plain) as source:
        expected = {number: frame.bgr for number, frame in enumerate(source)}
    np.testing.assert_allclose([frame.media_seconds for frame in frames], np.arange(10) / 25, atol=1e-3)
    for number, frame in enumerate(frames):
        bgr = cv2.resize(frame.bgr, (720, 576))
        # DV begins with the lower field, which the filter took from the later picture
        difference = min(np.abs(bgr.astype(int) - expected[2 * number + field]).mean() for field in (0, 1))
        assert difference < 8, number
        odd, even = bgr[1:-1:2].astype(int), (bgr[0:-2:2].astype(int) + bgr[2::2]) // 2
        assert np.abs(odd - even).mean() < 8, number  # no comb


@row("MP4, H.264, pixels of 2:1")
def test_pixels_become_square(tmp_path, worlds, clip):
    worlds.ffmpeg("-i", clip, "-vf", "scale=96:128,setsar=2/1", *X264, tmp_path / "a.mp4")
    with FileSource(tmp_path / "a.mp4") as source:
        frames = list(source)
        assert (source.info.width, source.info.height) == (192, 128)
    assert {frame.bgr.shape for frame in frames} == {(128, 192, 3)}
    with FileSource(clip) as source:
        for frame, plain in zip(frames, source, strict=True):
            assert np.abs(frame.bgr.astype(int) - plain.bgr).mean() < 4


@row("MP4, H.264, turned or mirrored by its header")
@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_and_mirrored(tmp_path, worlds, degrees, mirrored):
    import av

    plain = worlds.write_clip(tmp_path / "plain.mp4", [n / RATE for n in range(3)])
    turned = tmp_path / "turned.mp4"
    with av.open(str(plain)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(degrees, hflip=mirrored)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    worlds.ffmpeg("-i", turned, "-c:v", "ffv1", "-pix_fmt", "bgr0", tmp_path / "expected.mkv")
    with FileSource(turned) as source, FileSource(tmp_path / "expected.mkv") as expected:
        for frame, upright in zip(source, expected, strict=True):
            assert np.abs(frame.bgr.astype(int) - upright.bgr).mean() < 3


@row("MP4, H.264, a rate that varies")
def test_varying_rate(tmp_path, worlds):
    times = [0.0, 0.033, 0.1, 0.4, 0.433, 1.5, 1.533]
    with FileSource(worlds.write_clip(tmp_path / "a.mp4", times, bframes=2)) as source:
        np.testing.assert_allclose([frame.media_seconds for frame in source], times, atol=1e-4)


@row("MP4 whose sound begins first")
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_pictures_that_begin_after_the_sound(tmp_path, worlds, clip, suffix):
    sound = ["-f", "lavfi", "-i", "sine=d=2"]
    file = tmp_path / f"a.{suffix}"
    worlds.ffmpeg(*sound, "-itsoffset", "0.5", "-i", clip, "-map", "1:v", "-map", "0:a", "-c:v", "copy", file)
    with FileSource(file) as source:
        frames = list(source)
        assert source.info.duration_seconds is None or source.info.duration_seconds > 1.2
    assert frames[0].media_seconds == pytest.approx(0.5, abs=0.03)  # AAC begins with what is not heard
    np.testing.assert_allclose(np.diff([frame.media_seconds for frame in frames]), 1 / RATE, atol=2e-3)


@row("MP4 with an edit list that hides its beginning")
def test_an_edit_list(tmp_path, worlds):
    plain = worlds.write_clip(tmp_path / "plain.mp4", [n / RATE for n in range(40)])
    worlds.ffmpeg("-ss", "0.6", "-i", plain, "-c", "copy", tmp_path / "cut.mp4")  # between keyframes at 0.4 and 0.8 s
    with FileSource(tmp_path / "cut.mp4") as source:
        frames = list(source)
    assert [worlds.stamp_of(frame.bgr) for frame in frames] == list(range(15, 40))
    np.testing.assert_allclose([frame.media_seconds for frame in frames], np.arange(25) / RATE, atol=1e-3)


@row("MPEG transport stream whose clock begins anywhere")
def test_a_clock_that_begins_anywhere(tmp_path, worlds, clip):
    worlds.ffmpeg("-i", clip, "-c", "copy", "-output_ts_offset", "5000", tmp_path / "a.ts")
    with FileSource(tmp_path / "a.ts") as source:
        times = [frame.media_seconds for frame in source]
    np.testing.assert_allclose(times, np.arange(COUNT) / RATE, atol=1e-3)


@row("Matroska with subtitles, sound and a second picture")
def test_other_streams_are_left_alone(tmp_path, worlds, clip):
    (tmp_path / "a.srt").write_text("1\n00:00:00,100 --> 00:00:00,500\nhello\n")
    other = worlds.write_clip(tmp_path / "other.mp4", [n / RATE for n in range(COUNT)], size=(64, 48))
    inputs = ["-i", clip, "-i", other, "-i", tmp_path / "a.srt", "-f", "lavfi", "-i", "sine=d=1"]
    streams = ["-map", "0:v", "-map", "1:v", "-map", "2:s", "-map", "3:a", "-c:v", "copy", "-c:s", "srt"]
    worlds.ffmpeg(*inputs, *streams, tmp_path / "a.mkv")
    with FileSource(tmp_path / "a.mkv") as source:
        assert [worlds.stamp_of(frame.bgr) for frame in source] == list(range(COUNT))
        assert source.info.width == 192


@row("Matroska without a length")
def test_without_a_length(tmp_path, worlds, clip):
    with (tmp_path / "a.mkv").open("wb") as file:  # a pipe: nothing can be written at the beginning afterwards
        command = ["ffmpeg", "-v", "error", "-i", clip, "-c", "copy", "-f", "matroska", "pipe:1"]
        subprocess.run(command, stdout=file, check=True)
    with FileSource(tmp_path / "a.mkv") as source:
        assert source.info.duration_seconds is None
        assert [worlds.stamp_of(frame.bgr) for frame in source] == list(range(COUNT))


# --- pictures ---


@row("a picture")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".gif"])
def test_one_picture(tmp_path, worlds, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".gif":
        cv2.imwrite(str(tmp_path / "a.png"), worlds.stamped(9))
        worlds.ffmpeg("-i", tmp_path / "a.png", path)
    else:
        cv2.imwrite(str(path), worlds.stamped(9))
    assert not is_animated(path)
    with open_source(path) as source:
        assert isinstance(source, PictureSource)
        assert [worlds.stamp_of(frame.bgr) for frame in source] == [9]


@row("a folder of pictures")
@row("a numbered name (img_%04d.png)")
@row("a pattern (*.jpg)")
def test_folders_numbers_and_patterns(tmp_path, worlds, monkeypatch):
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    for number in (0, 2, 9, 10, 10000):
        cv2.imwrite(str(folder / f"img_{number:04d}.png"), worlds.stamped(number % 4096))
    for name in ("b.jpg", "a.jpg", "deep/c.jpg"):
        cv2.imwrite(str(folder / name), worlds.stamped(7))
    (folder / "notes.txt").write_text("none")

    def found(source):
        with open_source(source) as opened:
            assert opened.still
            assert opened.path == (folder if Path(source).is_absolute() else Path(os.path.dirname(source)))
            return [Path(frame.file).relative_to(opened.path).as_posix() for frame in opened]

    numbered = [f"img_{number:04d}.png" for number in (0, 2, 9, 10, 10000)]
    assert found(str(folder)) == ["a.jpg", "b.jpg", *numbered]
    assert found(str(folder / "img_%04d.png")) == numbered
    assert found(str(folder / "*.jpg")) == ["a.jpg", "b.jpg"]
    assert found(str(folder / "**/*.jpg")) == ["a.jpg", "b.jpg", "deep/c.jpg"]
    monkeypatch.chdir(tmp_path)
    assert found("pictures/img_%04d.png") == numbered
    for pattern in ("none_%d.png", "none*.png", "*.txt"):
        with pytest.raises(StanceError, match=r"Check the pattern"):
            open_source(folder / pattern)


# --- addresses ---


@row("a path of any letters, also not UTF-8")
@row("file://…")
@row("a pipe")
def test_paths_of_all_kinds(tmp_path, worlds, clip):
    odd = clip.with_name(os.fsdecode("Übung 人 100% \xff:#?.mp4".encode() + b"\xff"))
    odd.write_bytes(clip.read_bytes())
    worlds.ffmpeg("-i", clip, "-c", "copy", tmp_path / "a.ts")
    pipe = tmp_path / "pipe.ts"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes((tmp_path / "a.ts").read_bytes()))
    writer.start()
    for source in (odd, clip.as_uri(), pipe):
        with open_source(source) as opened:
            assert sum(1 for _ in opened) == COUNT
    writer.join(10)


@row("http://…/clip.mp4")
@row("http://…/clip.mp4, index at the end, a server that gives no parts of files")
@pytest.mark.parametrize("ranges", [True, False])
def test_a_recording_behind_http(tmp_path, worlds, web_server, ranges):
    clip = worlds.write_clip(tmp_path / "clip.mp4", [n / RATE for n in range(50)], size=(640, 480), noise=True)
    content = clip.read_bytes()
    assert len(content) > 500_000
    assert content.index(b"moov") > content.index(b"mdat")
    server = web_server(ranges=ranges)
    with open_source(server.address("clip.mp4?token=secret")) as source:
        assert (source.live, source.path) == (False, None)
        assert source.info.frame_count == 50
        assert [worlds.stamp_of(frame.bgr) for frame in source] == list(range(50))


@row("http://…/clip.mp4 with a user name and a password")
def test_a_recording_behind_a_login(tmp_path, worlds, web_server):
    worlds.write_clip(tmp_path / "clip.mp4", [n / RATE for n in range(30)], size=(640, 480), noise=True)
    server = web_server(login="bob:se/c#r?t@1%41")
    with open_source(server.address("clip.mp4", "bob:se/c#r?t@1%41")) as source:
        assert sum(1 for _ in source) == 30
        assert source.name.startswith("http://bob:***@127.0.0.1")


@row("http://…/live.mp4 of a recording named otherwise")
@row("http://…/vod.m3u8 (HLS that has ended)")
def test_a_recording_is_told_by_what_it_is(tmp_path, worlds, clip, web_server):
    worlds.ffmpeg(
        "-i", clip, "-c", "copy", "-f", "hls", "-hls_time", "0.4", "-hls_list_size", "0", tmp_path / "vod.m3u8"
    )
    worlds.ffmpeg("-i", clip, "-c", "copy", tmp_path / "clip.ts")
    (tmp_path / "download").write_bytes(clip.read_bytes())
    server = web_server()
    for name in ("vod.m3u8", "clip.ts", "download"):
        with open_source(server.address(name)) as source:
            assert not source.live, name
            frames = list(source)
        assert [worlds.stamp_of(frame.bgr) for frame in frames] == list(range(COUNT))
        np.testing.assert_allclose([frame.media_seconds for frame in frames], np.arange(COUNT) / RATE, atol=1e-3)


def live_playlist(folder, seconds, shown):
    """An HLS playlist of `clip0.ts`, `clip1.ts`, …, each `seconds` long, that grows as time passes; and its end."""
    started = time.monotonic()

    def answer():
        newest = 3 + int((time.monotonic() - started) / seconds)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{round(seconds)}"]
        first = max(0, newest - shown)
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
        last = len(list(folder.glob("clip*.ts")))
        for number in range(first, min(newest, last)):
            lines += [f"#EXTINF:{seconds:.3f},", f"clip{number}.ts"]
        if newest > last:
            lines.append("#EXT-X-ENDLIST")
        return "application/vnd.apple.mpegurl", "\n".join(lines).encode()

    return answer


@row("http://…/live.m3u8 (HLS)")
def test_a_live_playlist_flows_evenly_and_ends(tmp_path, worlds, web_server):
    long = worlds.write_clip(tmp_path / "long.mp4", [n / RATE for n in range(6 * RATE)], gop=RATE)
    cut = ["-c", "copy", "-f", "segment", "-segment_time", "1", "-segment_format", "mpegts"]
    worlds.ffmpeg("-i", long, *cut, tmp_path / "clip%d.ts")
    server = web_server(answers={"/live.m3u8": live_playlist(tmp_path, 1.0, 5)})
    frames = []
    with open_source(server.address("live.m3u8"), SourceSettings(retry_max_seconds=0.3)) as source:
        assert source.live
        for frame in source:
            frames.append((frame, time.monotonic()))
        assert source.status.state is SourceState.ENDED
    stamps = [worlds.stamp_of(frame.bgr) for frame, _ in frames]
    assert stamps == list(range(stamps[0], 6 * RATE))
    given = np.diff([at for _, at in frames])
    assert np.median(given) == pytest.approx(1 / RATE, rel=0.25)
    assert given.max() < 0.5  # not a segment at once and then a gap of its length
    assert max(at - frame.captured_seconds for frame, at in frames) < 0.6
    captured = np.diff([frame.captured_seconds for frame, _ in frames])
    assert (captured > 0).all()
    assert np.median(captured) == pytest.approx(1 / RATE, abs=1e-3)


@row("http://…/snapshot.jpg (one picture for each request)")
def test_snapshots_are_polled(tmp_path, worlds, web_server):
    asked = []

    def snapshot():
        asked.append(time.monotonic())
        return "image/jpeg", cv2.imencode(".jpg", worlds.stamped(len(asked)))[1].tobytes()

    server = web_server(answers={"/cgi/snapshot": snapshot})
    settings = SourceSettings(max_fps=10, retry_max_seconds=10)
    with open_source(server.address("cgi/snapshot"), settings) as source:
        assert source.live
        with BackgroundReader(source) as frames:
            taken = [frames.take(timeout_seconds=10)[0] for _ in range(8)]
    assert {frame.epoch for frame in taken} == {0}
    stamps = [worlds.stamp_of(frame.bgr) for frame in taken]
    assert stamps == sorted(set(stamps))
    assert np.median(np.diff([frame.captured_seconds for frame in taken])) == pytest.approx(0.1, rel=0.3)


@row("rtsp://user:password@… with #, /, ? and % in the password")
@pytest.mark.parametrize("password", ["se/c#r?t", "a@b", "100%", "x%41y"])
def test_rtsp_passwords_as_people_paste_them(rtsp_server, clip, password):
    server = rtsp_server(clip, login=f"bob:{password}")
    with open_source(server.address(f"bob:{password}"), SourceSettings(open_timeout_seconds=8.0)) as source:
        assert isinstance(source, LiveSource)
        assert source.probe().width == 192


@row("rtsp://… over TCP")
@row("rtsp://… over UDP")
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rtsp(rtsp_server, clip, transport):
    server = rtsp_server(clip)
    settings = SourceSettings(open_timeout_seconds=8.0, transport=transport)
    with open_source(server.address(), settings) as source, BackgroundReader(source) as frames:
        assert source.live
        assert frames.take(timeout_seconds=10)


@row("udp://… (MPEG transport stream)")
@row("tcp://… (MPEG transport stream)")
@row("rtmp://…")
@pytest.mark.parametrize("kind", ["udp", "tcp", "rtmp"])
def test_streams_that_somebody_sends(tmp_path, worlds, kind):
    import socket

    long = worlds.write_clip(tmp_path / "long.mp4", [n / RATE for n in range(8 * RATE)], gop=10)
    worlds.need("/usr/bin/ffmpeg", "ffmpeg")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"{kind}://127.0.0.1:{port}" + ("/live/cam" if kind == "rtmp" else "")
    listen = {"udp": f"{address}?pkt_size=1316", "tcp": f"{address}?listen=1", "rtmp": address}[kind]
    form = ["-listen", "1", "-f", "flv"] if kind == "rtmp" else ["-f", "mpegts"]
    command = ["ffmpeg", "-v", "error", "-re", "-i", str(long), "-c", "copy", *form, listen]
    sender = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        with open_source(address, SourceSettings(retry_max_seconds=0.3)) as source, BackgroundReader(source) as frames:
            assert source.live
            (frame,) = frames.take(timeout_seconds=20)
            assert 0 <= worlds.stamp_of(frame.bgr) < 8 * RATE
    finally:
        sender.kill()
        sender.wait()


# --- faults: one sentence each ---


def unknown_coding(path, worlds, clip):
    path.write_bytes(clip.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"free"))


def without_index(path, worlds, clip):
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])


def truncated(path, worlds, clip):
    worlds.ffmpeg("-i", clip, "-c", "copy", "-movflags", "faststart", path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])


def sound_only(path, worlds, clip):
    worlds.ffmpeg("-f", "lavfi", "-i", "sine=d=1", path)


def sound_with_cover(path, worlds, clip):
    cv2.imwrite(str(path.with_suffix(".png")), worlds.stamped(1))
    cover = [
        "-i",
        path.with_suffix(".png"),
        "-map",
        "0:a",
        "-map",
        "1:v",
        "-c:v",
        "mjpeg",
        "-disposition:v",
        "attached_pic",
    ]
    worlds.ffmpeg("-f", "lavfi", "-i", "sine=d=1", *cover, path)


def pictures_of_zeros(path, worlds, clip):
    content = bytearray(clip.read_bytes())
    start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[start:end] = bytes(end - start)
    path.write_bytes(content)


def damaged_animation(path, worlds, clip):
    head = struct.pack("<4sIB3x", b"VP8X", 10, 2) + b"\x0f\0\0\x0f\0\0"
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", 4 + len(head), b"WEBP") + head)


FAULTS = {
    "a file that is not there": (
        "none.mp4",
        lambda *_: None,
        "there is no such file, folder or camera. Check the path.",
    ),
    "an empty file": ("a.mp4", lambda path, *_: path.touch(), "is empty. Copy or record it again."),
    "text": ("a.mp4", lambda path, *_: path.write_text("text\n" * 99), "is not a video: it holds text."),
    "noise": (
        "a.mp4",
        lambda path, *_: path.write_bytes(bytes(range(256)) * 20),
        "is not video, or its end is missing.",
    ),
    "an MP4 without its index": ("a.mp4", without_index, "its index (moov) is missing. Copy or record it again."),
    "an MP4 that breaks off": ("a.mp4", truncated, "frames could be read, and all of those were used."),
    "an MP4 whose pictures are zeros": ("a.mp4", pictures_of_zeros, "not one frame can be decoded (coded in h264"),
    "a coding without a decoder": ("a.mp4", unknown_coding, "in a coding (zzzz) for which FFmpeg"),
    "sound only": ("a.m4a", sound_only, "holds no moving picture. Give a video file."),
    "sound with a cover picture": ("a.mp3", sound_with_cover, "holds no moving picture. Give a video file."),
    "an animated WebP without pictures": ("a.webp", damaged_animation, "is an animation without pictures"),
    "a folder without pictures": ("folder", lambda path, *_: path.mkdir(), "there are no pictures in this folder."),
}
ROWS |= set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_sentences(tmp_path, worlds, clip, name):
    file, make, sentence = FAULTS[name]
    make(tmp_path / file, worlds, clip)
    with pytest.raises(StanceError) as caught, open_source(tmp_path / file) as source:
        list(source)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert file in str(caught.value)


@row("an MP4 with a damaged middle")
def test_a_damaged_middle(tmp_path, worlds, caplog):
    clip = worlds.write_clip(tmp_path / "clip.mp4", [n / RATE for n in range(60)])
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(300)
    clip.write_bytes(content)
    with FileSource(clip) as source:
        numbers = [worlds.stamp_of(frame.bgr) for frame in source]
    assert numbers[:15] == list(range(15))
    assert numbers[-5:] == list(range(55, 60))
    assert numbers == sorted(set(numbers))  # nothing is shown twice, or with another's half
    assert "damaged frames could not be decoded" in caplog.text


@row("a video that begins between keyframes")
@pytest.mark.parametrize("coding", ["mpeg4", "mpeg2video", "libx264", "libx265"])
def test_pictures_that_build_on_a_missing_one(tmp_path, worlds, clip, coding):
    """Decoders put grey, or memory that was never written, where a picture is missing. None of that is passed on."""
    import av

    options = ["-c:v", coding, "-g", "8", "-bf", "0"]
    options += ["-x265-params", "log-level=none:open-gop=0"] if coding == "libx265" else []
    worlds.ffmpeg("-i", clip, *options, tmp_path / "whole.ts")
    cut = tmp_path / "cut.ts"
    with av.open(str(tmp_path / "whole.ts")) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size and number >= 3:
                packet.stream = stream
                target.mux(packet)
    with FileSource(cut) as source:
        stamps = [worlds.stamp_of(frame.bgr) for frame in source]
    assert stamps == list(range(stamps[0], COUNT))
    assert stamps[0] in (8, 9)


@row("a file that may not be read")
def test_a_file_that_may_not_be_read(clip):
    with tempfile.TemporaryDirectory() as folder, open_source(clip):  # opened once, so that everything is imported
        closed = Path(folder, "closed.mp4")
        closed.write_bytes(clip.read_bytes())
        closed.chmod(0)
        Path(folder).chmod(0o755)
        user = os.geteuid()
        if user == 0:  # who may read everything
            os.seteuid(65534)
        try:
            with pytest.raises(StanceError, match=r"may not be read by you"):
                open_source(closed)
        finally:
            os.seteuid(user)


@row("a scheme that is not known")
def test_an_unknown_scheme():
    with pytest.raises(StanceError, match="gopher:// is not read here"):
        open_source("gopher://cam/x")


@row("an address without this path, or with a wrong password")
def test_http_faults(web_server, clip):
    server = web_server()
    with pytest.raises(StanceError, match="does not have this path"):
        open_source(server.address("none.mp4"))
    server.login = "bob:right"
    with pytest.raises(StanceError, match="refuses the user name or password") as caught:
        open_source(server.address("plain.mp4", "bob:wrong"))
    assert "wrong" not in str(caught.value)


@row("a camera that is down")
def test_a_camera_that_is_down_is_waited_for(worlds):
    with open_source("http://127.0.0.1:9/cam") as source, BackgroundReader(source):
        assert worlds.wait_until(lambda: source.status.state is SourceState.WAITING)
        assert "nothing listens" in source.status.reason


def test_the_table_has_a_row_for_each_and_no_other():
    listed = re.findall(r"^\| ([^|]+?) \|", TABLE.read_text(), re.MULTILINE)
    rows = [name for name in listed if name != "what"]
    assert len(rows) == len(set(rows)) >= 40
    assert set(rows) == ROWS
