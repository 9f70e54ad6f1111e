#!/usr/bin/python3
"""A real RTSP server for tests and demonstrations: loops H.264 clips without B-frames, at their own pace.

    /usr/bin/python3 tests/rtsp_server.py [--host 127.0.0.1] [--port 8554] [--login USER:PASSWORD] cam=clip.mp4 …

serves rtsp://127.0.0.1:8554/cam. It prints `ready PORT` once it listens; port 0 takes a free one. Runs on the system's
Python, where GStreamer lives: apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good
gstreamer1.0-plugins-bad.
"""

import argparse

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
        factories.append(Loop(read_clip(path)))
        server.get_mount_points().add_factory(f"/{name}", factories[-1])
    if arguments.login:
        ask_for_login(server, factories, arguments.login)
    if not server.attach(None):
        raise SystemExit(f"port {arguments.port} is taken")
    print("ready", server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
