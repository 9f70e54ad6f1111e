"""A webcam that is not there. Strategy: lists of cameras as a machine would give them."""

import logging

import pytest

from stream.cli import main
from stream.errors import SourceError
from stream.sources import presence
from stream.sources.devices import Camera
from stream.sources.presence import check_webcam

DESK, DOOR = Camera(2, "Desk Cam"), Camera(4, "Door")


@pytest.fixture
def plugged(monkeypatch):
    def plug(*cameras):
        monkeypatch.setattr(presence, "list_cameras", lambda: list(cameras))

    return plug


@pytest.mark.parametrize("address", [42, "42", "Hall", "/dev/none-such"])
def test_which_are_here_is_said(plugged, caplog, address):
    plugged(DESK, DOOR)
    with caplog.at_level(logging.WARNING):
        check_webcam(address, wait=False)
    assert "is not here; it is waited for. Here are: 2 (Desk Cam), 4 (Door)." in caplog.text


@pytest.mark.parametrize("address", [4, " 2 ", "desk cam", "/dev/null"])
def test_one_that_is_here_needs_no_word(plugged, caplog, address):
    plugged(DESK, DOOR)
    check_webcam(address, wait=False)
    assert caplog.text == ""


def test_without_any_it_ends_or_waits(plugged, caplog):
    plugged()
    with pytest.raises(SourceError, match=r"webcam 63: there is no webcam here\. Plug one in, or wait .*--wait"):
        check_webcam(63, wait=False)
    check_webcam(63, wait=True)
    assert "nor is any other webcam; it is waited for" in caplog.text


def test_the_command_ends_at_once(plugged, capsys):
    plugged()
    assert main(["run", "63", "--jsonl", "-"]) == 2
    assert "webcam 63: there is no webcam here." in capsys.readouterr().err
