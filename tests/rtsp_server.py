#!/usr/bin/python3
"""A real RTSP server for tests and demonstrations: loops H.264 clips without B-frames, at their own pace.

    /usr/bin/python3 tests/rtsp_server.py [--host 127.0.0.1] [--port 8554] [--login USER:PASSWORD] cam=clip.mp4 …

serves rtsp://127.0.0.1:8554/cam. `cam=pictures.i420:640x360@25` serves raw pictures instead, encoded as they are sent,
with a clock drawn into each: 32 bits in a bar over its top, white for 1, the milliseconds of the system's monotonic
clock when the picture was made. It prints `ready PORT` once it listens; port 0 takes a free one. Runs on the system's
Python, where GStreamer lives: apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good
gstreamer1.0-plugins-bad.
"""

import argparse
import re
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

H264 = "video/x-h264,stream-format=byte-stream,alignment=au"


def read_clip(path):
    """The clip's coded pictures: a list of (bytes, presentation time ns, duration ns)."""
    pipeline = Gst.parse_launch(
        f"filesrc name=file ! qtdemux ! h264parse config-interval=-1 ! {H264} ! appsink name=sink sync=false"
    )
    pipeline.get_by_name("file").set_property("location", path)
    sink = pipeline.get_by_name("sink")
    pipeline.set_state(Gst.State.PLAYING)
    pictures = []
    while (sample := sink.emit("pull-sample")) is not None:
        buffer = sample.get_buffer()
        pictures.append((buffer.extract_dup(0, buffer.get_size()), buffer.pts, buffer.duration))
    pipeline.set_state(Gst.State.NULL)
    if not pictures:
        raise SystemExit(f"{path}: no H.264 pictures in it")
    return pictures


class Loop(GstRtspServer.RTSPMediaFactory):
    """One stream that all clients share."""

    def __init__(self, pictures):
        super().__init__()
        self._pictures = pictures
        self.set_shared(True)
        self.set_launch(
            f"( appsrc name=source is-live=true format=time block=false max-bytes=200000 caps={H264} "
            "! identity sync=true ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )"
        )
        self.connect("media-configure", self._configure)

    def _configure(self, _factory, media):
        state = {"next": 0, "offset": 0}
        first = self._pictures[0][1]
        total = self._pictures[-1][1] + self._pictures[-1][2] - first

        def feed(source, _length):
            data, time, duration = self._pictures[state["next"]]
            buffer = Gst.Buffer.new_wrapped(data)
            buffer.pts = buffer.dts = state["offset"] + time - first
            buffer.duration = duration
            source.emit("push-buffer", buffer)
            state["next"] += 1
            if state["next"] == len(self._pictures):
                state["next"] = 0
                state["offset"] += total

        media.get_element().get_by_name_recurse_up("source").connect("need-data", feed)


class Clocked(GstRtspServer.RTSPMediaFactory):
    """Raw pictures in a loop, with the time drawn into each."""

    def __init__(self, path, width, height, rate):
        super().__init__()
        self._size = width, height
        self._rate = rate
        one = width * height * 3 // 2
        with open(path, "rb") as file:
            whole = file.read()
        self._pictures = [bytearray(whole[at : at + one]) for at in range(0, len(whole) - one + 1, one)]
        self.set_shared(True)
        self.set_launch(
            "( appsrc name=source is-live=true do-timestamp=true format=time "
            f"caps=video/x-raw,format=I420,width={width},height={height},framerate={rate}/1 "
            "! openh264enc complexity=low bitrate=1500000 gop-size=25 rate-control=bitrate ! h264parse "
            "! rtph264pay name=pay0 pt=96 config-interval=1 )"
        )
        self.connect("media-configure", self._configure)

    def _configure(self, _factory, media):
        source = media.get_element().get_by_name_recurse_up("source")
        state = {"number": 0}

        def push():
            picture = self._pictures[state["number"] % len(self._pictures)]
            state["number"] += 1
            draw_clock(picture, *self._size)
            return source.emit("push-buffer", Gst.Buffer.new_wrapped(bytes(picture))) == Gst.FlowReturn.OK

        GLib.timeout_add(1000 // self._rate, push, priority=GLib.PRIORITY_HIGH)


def draw_clock(picture, width, height):
    """Write the milliseconds of the monotonic clock into the top eighth of an I420 picture."""
    now = time.monotonic_ns() // 1_000_000
    cell = width // 32
    row = b"".join((b"\xeb" if now >> bit & 1 else b"\x10") * cell for bit in range(32))
    for line in range(height // 8):
        picture[line * width : line * width + 32 * cell] = row


def factory_of(text):
    """What serves a file, or raw pictures with a clock."""
    raw = re.fullmatch(r"(.+\.i420):(\d+)x(\d+)@(\d+)", text)
    return Clocked(raw[1], *map(int, raw.groups()[1:])) if raw else Loop(read_clip(text))


def ask_for_login(server, factories, login):
    """Let nobody in without `user:password`."""
    user, _, password = login.partition(":")
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    for factory in factories:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8554)
    parser.add_argument("--login", metavar="USER:PASSWORD")
    parser.add_argument("clips", nargs="+", metavar="NAME=FILE")
    arguments = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(arguments.host)
    server.set_service(str(arguments.port))
    factories = []
    for clip in arguments.clips:
        name, _, path = clip.partition("=")
        factories.append(factory_of(path))
        server.get_mount_points().add_factory(f"/{name}", factories[-1])
    if arguments.login:
        ask_for_login(server, factories, arguments.login)
    if not server.attach(None):
        raise SystemExit(f"port {arguments.port} is taken")
    print("ready", server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
