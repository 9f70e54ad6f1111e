"""The window shows the picture and hears the user. Strategy: a child process under a real X server without a screen
(Xvfb) shows a stamped picture, the X server's own memory is read back, and keys are sent as X events. A child, because
Qt aborts the process when it is unhappy."""

import ctypes
import os
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]

SHOW = """
import sys, threading, time
import numpy as np
from pose.poses import Poses
from stream.frame import Frame
from stream.scene import Scene
from stream.sinks.base import Drawing
from stream.sinks.window import WindowSink

bgr = np.zeros((240, 320, 3), np.uint8)
bgr[:, :160], bgr[:, 160:] = (250, 10, 10), (10, 10, 250)
scene = Scene(Frame(bgr, "cam", 0, 0, 0.0, 0.0), Poses.empty())
stop = threading.Event()
with WindowSink("Stance", stop) as window:
    deadline = time.monotonic() + 20
    for count in range(10**6):
        window.write(scene, Drawing(scene, lambda scene: scene.frame.bgr))
        if count == 20:
            print("shown", flush=True)
        if stop.wait(0.02) or time.monotonic() > deadline:
            break
print("stopped" if stop.is_set() else "ran out", flush=True)
"""


def screen(path):
    """The screen as BGR, from the X server's XWD dump."""
    data = path.read_bytes()
    header = struct.unpack(">25I", data[:100])
    width, height, line, colours = header[4], header[5], header[12], header[19]
    pixels = np.frombuffer(data, np.uint8, height * line, header[0] + 12 * colours)
    return pixels.reshape(height, line // 4, 4)[:, :width, :3]


def show(display):
    environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", SHOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


class KeyEvent(ctypes.Structure):
    """XKeyEvent of Xlib.h."""

    _fields_ = (
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong), ("root", ctypes.c_ulong), ("subwindow", ctypes.c_ulong), ("time", ctypes.c_ulong),
        ("x", ctypes.c_int), ("y", ctypes.c_int), ("x_root", ctypes.c_int), ("y_root", ctypes.c_int),
        ("state", ctypes.c_uint), ("keycode", ctypes.c_uint), ("same_screen", ctypes.c_int),
        ("pad", ctypes.c_long * 24),
    )  # fmt: skip


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib.h."""

    _fields_ = (
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong), ("message_type", ctypes.c_ulong), ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5), ("pad", ctypes.c_long * 24),
    )  # fmt: skip


def send(display, event):
    """Press a key ("q", "Escape") in every window, or close them as a window manager would ("close")."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    for function in (x11.XDefaultRootWindow, x11.XInternAtom, x11.XStringToKeysym):
        function.restype = ctypes.c_ulong
    number, array = ctypes.c_ulong, ctypes.POINTER(ctypes.c_ulong)
    connection = ctypes.c_void_p(x11.XOpenDisplay(display.encode()))
    root = number(x11.XDefaultRootWindow(connection))
    ignored, windows, count = number(), array(), ctypes.c_uint()
    x11.XQueryTree(
        connection, root, ctypes.byref(ignored), ctypes.byref(ignored), ctypes.byref(windows), ctypes.byref(count)
    )
    for window in windows[: count.value]:
        if event == "close":
            protocols, delete = (
                x11.XInternAtom(connection, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
            )
            message = ClientMessage(type=33, window=window, message_type=protocols, format=32)
            message.data[0] = delete
        else:
            code = x11.XKeysymToKeycode(connection, number(x11.XStringToKeysym(event.encode())))
            message = KeyEvent(type=2, window=window, root=root, keycode=code, same_screen=1)
        x11.XSendEvent(connection, number(window), 0, ctypes.c_long(event != "close"), ctypes.byref(message))
    x11.XSync(connection, 0)
    x11.XCloseDisplay(connection)


def test_shows_the_picture_and_hears_the_user(display, tmp_path, worlds):
    name, memory = display

    def colours():
        seen = screen(memory)
        cv2.imwrite(str(tmp_path / "screen.png"), seen)
        return (seen == (250, 10, 10)).all(axis=2), (seen == (10, 10, 250)).all(axis=2)

    def painted():
        # as large as the picture, nothing around it
        return all(colour.sum() == 240 * 160 for colour in colours())

    # On an X server without a window manager OpenCV's Qt never paints the first window of one process in ten or so
    # (bare namedWindow, resizeWindow and imshow calls alike: 3 of 20 starts), though it hears its keys.
    for _ in range(5):
        child = show(name)
        try:
            assert child.stdout.readline() == "shown\n", child.stderr.read()
            if not worlds.wait_until(painted, 2):
                continue
            blue, red = colours()
            assert np.flatnonzero(blue.any(axis=0)).max() < np.flatnonzero(red.any(axis=0)).min()
            send(name, "close")
            assert child.stdout.readline() == "stopped\n", child.stderr.read()
            assert child.wait(10) == 0
            assert child.stderr.read() == ""
            return
        finally:
            child.kill()
            child.communicate()
    pytest.fail("the picture was never shown")


@pytest.mark.parametrize("key", ["q", "Escape"])
def test_keys(display, key):
    child = show(display[0])
    try:
        assert child.stdout.readline() == "shown\n", child.stderr.read()
        send(display[0], key)
        assert child.stdout.readline() == "stopped\n"
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("display_name", ["", ":4711"])
def test_no_display_is_one_sentence(display_name):
    child = show(display_name)
    output, errors = child.communicate(timeout=30)
    assert output == ""
    assert "SinkError: There is no display" in errors
    assert child.returncode == 1
