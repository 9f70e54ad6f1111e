"""Pictures are independent and none stops the others. Strategy: a folder with good, turned, oddly named and corrupt
files, whose order and content are known."""

import logging

import cv2
import numpy as np
import pytest

from stream.errors import SourceError
from stream.sources.pictures import PictureSource
from stream.sources.status import SourceState


def encoded(bgr, suffix=".png"):
    return cv2.imencode(suffix, bgr)[1].tobytes()


def picture(shade, height=6, width=8):
    return np.full((height, width, 3), shade, np.uint8)


def test_sorted_skipping_the_corrupt_ones(tmp_path, caplog):
    (tmp_path / "c.bmp").write_bytes(encoded(picture(30), ".bmp"))
    (tmp_path / "Ü 人.PNG").write_bytes(encoded(picture(40, 20, 10)))
    (tmp_path / "a.jpg").write_bytes(b"corrupt")
    (tmp_path / "b.png").write_bytes(encoded(picture(20)))
    (tmp_path / "d.png").write_bytes(encoded(picture(20))[:40])
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "deeper.png").mkdir()
    with caplog.at_level(logging.WARNING), PictureSource(tmp_path) as source:
        frames = list(source)
    assert [int(frame.bgr[0, 0, 0]) for frame in frames] == [20, 30, 40]
    assert [frame.file.rsplit("/")[-1] for frame in frames] == ["b.png", "c.bmp", "Ü 人.PNG"]
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert [frame.media_seconds for frame in frames] == [None] * 3
    assert source.info.frame_count == 5
    assert [path.name for path, _ in source.skipped] == ["a.jpg", "d.png"]
    for name in ("a.jpg", "d.png"):
        assert sum(name in message for message in caplog.messages) == 1
    assert "2 of 5" in caplog.messages[-1]


def test_exif_rotation(tmp_path):
    # EXIF: one entry, orientation (0x0112) 6, "turn by 90 degrees clockwise to see it upright"
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    content = encoded(picture(90, height=16, width=32), ".jpg")
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "turned.jpg").write_bytes(content[:2] + segment + content[2:])
    with PictureSource(tmp_path / "turned.jpg") as source:
        (frame,) = source
    assert frame.bgr.shape == (32, 16, 3)
    assert (source.info.width, source.info.height, source.info.frame_count) == (16, 32, 1)


def test_not_one_readable_picture(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"corrupt")
    with pytest.raises(SourceError, match=r"a\.jpg"):
        PictureSource(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"")
    with pytest.raises(SourceError, match="none of its 2 pictures"):
        PictureSource(tmp_path)


def test_closing_ends_it(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(encoded(picture(1)))
    source = PictureSource(tmp_path)
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []


def test_where_it_stands(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((5, 7, 3), np.uint8))
    with PictureSource(tmp_path, name="album") as source:
        assert source.status.state is SourceState.CONNECTING
        for frame in source:
            assert source.status.state is SourceState.LIVE
            assert frame.source == source.name == "album"
        assert source.status.state is SourceState.ENDED
