"""Which cameras are here. Strategy: a made tree of what Linux shows, with plain files as devices; a stand-in for the
kernel's answers where a device is asked. There is no camera on a test machine."""

import errno
import fcntl
import json
import os
import struct
import sys

import pytest

from stream.cli import main
from stream.sources import devices as cameras
from stream.sources.devices import Camera, CameraFormat, find_camera, list_cameras

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's tree of devices")


@pytest.fixture
def tree(tmp_path):
    """Two cameras, the first with a second device for its data; the tenth device is a camera as well."""
    system, devices = tmp_path / "sys", tmp_path / "dev"
    by_id = devices / "v4l" / "by-id"
    by_id.mkdir(parents=True)
    for entry, name, index in (
        ("video0", "Desk Cam: Desk", 0),
        ("video1", "Desk Cam: Desk", 1),
        ("video10", "Türe", 0),
    ):
        (system / entry).mkdir(parents=True)
        (system / entry / "name").write_text(f"{name}\n")
        (system / entry / "index").write_text(f"{index}\n")
        (devices / entry).touch()
    (system / "video2").mkdir()  # unplugged this very moment
    (by_id / "usb-Maker_Desk_1234-video-index0").symlink_to("../../video0")
    return system, devices


def test_devices_that_do_not_answer_are_told_by_their_place(tree):
    system, devices = tree
    assert list_cameras(system, devices) == [
        Camera(0, "Desk Cam: Desk", devices / "video0", devices / "v4l/by-id/usb-Maker_Desk_1234-video-index0"),
        Camera(10, "Türe", devices / "video10"),
    ]


def test_no_such_tree(tmp_path):
    assert list_cameras(tmp_path / "sys", tmp_path / "dev") == []


CAPTURES, DATA_ONLY = 0x1, 0x00800000


@pytest.fixture
def kernel(monkeypatch):
    """Answers as Linux's drivers do, by the device's name: captures pictures or only data."""

    def ioctl(device, number, request):
        name = os.path.basename(os.readlink(f"/proc/self/fd/{device}"))
        (position,) = struct.unpack_from("=I", request)
        if number == 0x80685600:
            assert len(request) == 104
            own = DATA_ONLY if name == "video1" else CAPTURES
            struct.pack_into("=II", request, 84, 0x80000000 | CAPTURES | DATA_ONLY, own)
        elif number == 0xC0405602 and position < 2:
            assert len(request) == 64
            request[44:48] = (b"MJPG", b"YUYV")[position]
        elif number == 0xC02C564A and (bytes(request[4:8]), position) in SIZES:
            assert len(request) == 44
            struct.pack_into("=III", request, 8, *SIZES[bytes(request[4:8]), position])
        else:
            raise OSError(errno.EINVAL, "no more")
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ioctl)


SIZES = {(b"MJPG", 0): (1, 1920, 1080), (b"MJPG", 1): (1, 640, 480), (b"YUYV", 0): (3, 16, 16)}  # the last: any size


def test_devices_are_asked_what_they_can(tree, kernel):
    files = len(os.listdir("/proc/self/fd"))
    found = list_cameras(*tree)
    assert [camera.index for camera in found] == [0, 10]
    assert found[0].formats == (CameraFormat("MJPG", ((1920, 1080), (640, 480))), CameraFormat("YUYV"))
    assert len(os.listdir("/proc/self/fd")) == files


def test_found_by_name_whatever_the_capitals():
    present = [Camera(0, "Desk Cam"), Camera(2, "Door"), Camera(3, "Door")]
    assert find_camera(" desk cam", present) == present[0]
    assert find_camera("DOOR", present) == present[1]
    assert find_camera("Hall", present) is None


def test_the_command(tree, kernel, monkeypatch, capsys):
    monkeypatch.setattr(cameras, "list_cameras", lambda: list_cameras(*tree))
    assert main(["cameras"]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[:4] == [
        "0  Desk Cam: Desk",
        f"   {tree[1]}/v4l/by-id/usb-Maker_Desk_1234-video-index0",
        "   MJPG 1920×1080 640×480",
        "   YUYV",
    ]
    assert main(["cameras", "--json"]) == 0
    assert [camera["name"] for camera in json.loads(capsys.readouterr().out)] == ["Desk Cam: Desk", "Türe"]


def test_the_command_without_a_camera(monkeypatch, capsys):
    monkeypatch.setattr(cameras, "list_cameras", lambda: [])
    assert main(["cameras"]) == 0
    assert capsys.readouterr().out == "No camera is plugged in here.\n"
    assert main(["cameras", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
