"""The size from a file's head is the one that OpenCV decodes, whichever way the camera was held."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.datasets.picture_file import picture_size, read_picture
from pose.errors import PictureError

WIDE = np.full((24, 40, 3), 90, np.uint8)


def encoded(suffix: str, bgr: np.ndarray = WIDE, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, bgr, options)
    assert done
    return data.tobytes()


def tiff(orientation: int, order: str = "<", others: int = 0) -> bytes:
    """The body of an Exif segment: one directory, the orientation behind `others` entries."""
    entries = [struct.pack(f"{order}HHII", 0x0100 + n, 4, 1, 7) for n in range(others)]
    entries.append(struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0))
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8)
    return head + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + struct.pack(f"{order}I", 0)


def jpeg(*segments: bytes) -> bytes:
    """A JPEG with these APP1 segments."""
    data = encoded(".jpg")
    app1 = b"".join(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body for body in segments)
    return data[:2] + app1 + data[2:]


def png(body: bytes, *, last: bool) -> bytes:
    """A PNG with an eXIf chunk behind its first chunk, or before its last."""
    data = encoded(".png")
    place = len(data) - 12 if last else 8 + 25
    checked = b"eXIf" + body
    chunk = struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))
    return data[:place] + chunk + data[place:]


FILES = {
    **{f"turned {n}.jpg": jpeg(b"Exif\0\0" + tiff(n)) for n in range(1, 9)},
    **{f"turned {n} big-endian.jpg": jpeg(b"Exif\0\0" + tiff(n, ">", others=3)) for n in (1, 6, 8)},
    **{f"turned {n}.png": png(tiff(n), last=False) for n in (1, 6)},
    "turned at the end.png": png(tiff(6), last=True),
    "not a turn.jpg": jpeg(b"Exif\0\0" + tiff(77)),
    "damaged Exif.jpg": jpeg(b"Exif\0\0II*\0\xff\xff\xff\x7f"),
    "empty Exif.jpg": jpeg(b"Exif\0\0"),
    "other metadata.jpg": jpeg(b"http://ns.adobe.com/xap/1.0/\0<x/>"),
    "Exif, then others.jpg": jpeg(b"Exif\0\0" + tiff(6), b"http://ns.adobe.com/xap/1.0/\0<x/>"),
    "others, then Exif.jpg": jpeg(b"http://ns.adobe.com/xap/1.0/\0<x/>", b"Exif\0\0" + tiff(6)),
    "two turns.jpg": jpeg(b"Exif\0\0" + tiff(3), b"Exif\0\0" + tiff(6)),
    "progressive.jpg": encoded(".jpg", WIDE, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts.jpg": encoded(".jpg", WIDE, cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
    "filled.jpg": encoded(".jpg").replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1),
    "grey.jpg": encoded(".jpg", WIDE[..., 0]),
    "transparent.png": encoded(".png", np.dstack([WIDE, WIDE[..., 0]])),
    "picture.bmp": encoded(".bmp"),
    "picture.webp": encoded(".webp"),
    "a jpeg by another name.png": encoded(".jpg"),
}


@pytest.mark.parametrize("name", FILES)
def test_size_is_that_of_the_decoded_picture(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    assert picture_size(tmp_path / name) == cv2.imread(str(tmp_path / name)).shape[:2]
    assert picture_size(tmp_path / name) == read_picture(tmp_path / name).shape[:2]


def test_a_turned_photograph_is_measured_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(b"Exif\0\0" + tiff(6)))
    (tmp_path / "b.png").write_bytes(encoded(".png"))
    monkeypatch.setattr(cv2, "imread", lambda *_: pytest.fail("decoded"))
    assert picture_size(tmp_path / "a.jpg") == (40, 24)
    assert picture_size(tmp_path / "b.png") == (24, 40)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00", b"\xff\xd8\xff\xc0\x00\x03a", b"\x89PNG\r\n\x1a\n", b"words"]
)
def test_no_picture(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.jpg").write_bytes(data)
    with pytest.raises(PictureError, match=r"x\.jpg cannot be read as a picture\. Take it out, or save it as"):
        picture_size(tmp_path / "x.jpg")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"x\.jpg cannot be read: No such file"):
        picture_size(tmp_path / "x.jpg")
    with pytest.raises(PictureError, match=r"x\.jpg cannot be read: No such file"):
        read_picture(tmp_path / "x.jpg")
