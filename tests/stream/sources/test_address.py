"""No password is ever printed. Strategy: a table of addresses as people and cameras really write them, each with the
secrets in it, which must all be gone, and the parts that tell cameras apart, which must stay."""

from pathlib import Path

import pytest

from stream.sources.address import display_name, is_address, redact


@pytest.mark.parametrize(
    ("address", "printed"),
    [
        ("rtsp://10.0.0.7:554/live", "rtsp://10.0.0.7:554/live"),
        ("rtsp://bob:secret@10.0.0.7:554/live", "rtsp://bob:***@10.0.0.7:554/live"),
        ("rtsp://secret@10.0.0.7/live", "rtsp://***@10.0.0.7/live"),
        ("rtsp://bob:se@cret@cam/live", "rtsp://bob:***@cam/live"),
        ("rtsp://bob:se/cret@cam/live", "rtsp://bob:***@cam/live"),
        ("rtsp://bob:se?cret@cam/live", "rtsp://bob:***@cam/live"),
        ("rtsp://bob:se#cret@cam/live", "rtsp://bob:***@cam/live"),
        ("rtsp://bob:se@c?re@t@cam/live", "rtsp://bob:***@cam/live"),
        ("RTSP://bob:secret@cam/live", "RTSP://bob:***@cam/live"),
        ("rtsp://bob:@cam/live", "rtsp://bob:***@cam/live"),
        ("rtsp://[fe80::1]:554/x", "rtsp://[fe80::1]:554/x"),
        ("rtsp://cam/realmonitor?channel=1&subtype=0", "rtsp://cam/realmonitor?channel=1&subtype=0"),
        ("http://cam/v.cgi?user=bob&pwd=1234&resolution=8", "http://cam/v.cgi?user=***&pwd=***&resolution=8"),
        ("https://cam/live?secret", "https://cam/live?***"),
        ("https://cam/live#token=secret", "https://cam/live#***"),
        ("https://cam/live?channel=1#secret", "https://cam/live?channel=1#***"),
        ("http://cam/x?mail=secret@host", "http://cam/x?mail=***"),
        ("clips/a@b:c.mp4", "clips/a@b:c.mp4"),
    ],
)
def test_redacted(address, printed):
    assert redact(address) == printed
    assert "cret" not in redact(address)
    assert redact(redact(address)) == redact(address)


def test_display_name():
    assert display_name(0) == display_name(" 0 ") == "webcam 0"
    assert display_name(Path("clips/a.mp4")) == "clips/a.mp4"
    assert display_name("rtsp://bob:secret@cam/x") == "rtsp://bob:***@cam/x"


@pytest.mark.parametrize(
    ("text", "expected"), [("rtsp://cam/x", True), ("file:///a.mp4", False), ("C:\\a.mp4", False), ("a.mp4", False)]
)
def test_is_address(text, expected):
    assert is_address(text) is expected
