"""What a training learns from: near-copies of judging pictures are left out and counted."""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import pytest

from pose.errors import PictureError, TrainingError
from stream.commands.training.data import read_data
from tests.pose.training.conftest import draw_people


def ask(data, *, copies=(), val=None, val_limit=None):
    return read_data(
        argparse.Namespace(
            data=[str(data)], val=val and str(val), val_limit=val_limit,
            exclude_near_copies_of=[str(folder) for folder in copies],
        )
    )  # fmt: skip


@pytest.fixture
def made(tmp_path):
    """Three labelled pictures of noise, so that none is like another."""
    folder = tmp_path / "made"
    draw_people(folder, 3)
    rng = np.random.default_rng(0)
    for file in sorted((folder / "images").iterdir()):
        height, width = cv2.imread(str(file)).shape[:2]
        coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        cv2.imwrite(str(file), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    return folder


def test_a_mirrored_smaller_copy_is_left_out_and_counted(tmp_path, made, capsys):
    judged = tmp_path / "judged" / "below"
    judged.mkdir(parents=True)
    image = cv2.imread(str(made / "images" / "made_001.png"))
    cv2.imwrite(str(judged / "other_name.jpg"), cv2.resize(image[:, ::-1], (100, 80), interpolation=cv2.INTER_AREA))
    data = ask(made, copies=[tmp_path / "judged"])
    assert [picture.path.name for picture in data.pictures] == ["made_000.png", "made_002.png"]
    said = capsys.readouterr().out
    assert "1 of 3 pictures are near-copies of the 1 in" in said
    assert said.rstrip().endswith("are left out")


def test_faults(tmp_path, made, capsys):
    with pytest.raises(PictureError, match="there is no such folder"):
        ask(made, copies=[tmp_path / "nowhere"])
    with pytest.raises(PictureError, match="there is no picture in it"):
        ask(made, copies=[made / "labels"])
    with pytest.raises(TrainingError, match="No picture is left"):
        ask(made, copies=[made])
    with pytest.raises(TrainingError, match="would mean nothing"):
        ask(made, val=made)


def test_the_first_pictures_alone_judge(tmp_path, made):
    draw_people(tmp_path / "kept", 3, prefix="kept")
    data = ask(made, val=tmp_path / "kept", val_limit=2)
    assert [picture.path.name for picture in data.val.pictures] == ["kept_000.png", "kept_001.png"]
    assert len(data.pictures) == 3
    assert ask(made).val is None
