"""Why, in words with the threshold and the value that decided, and as a picture with the neighbours beside."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from index import Classification, Examples, PostureIndex
from index.classification import DecisionRule
from pose import get_embedding
from pose.reason import Reason
from stream.drawing.explanation import GAP, LINE, TILE, Asked, draw_explanation
from stream.drawing.overlay import PLAIN
from stream.reports.explanation import explain
from stream.settings.model import IndexSettings, OverlaySettings, PoseSettings, Settings
from tests.worlds import person, poses

SETTINGS = Settings(index=IndexSettings(k=2))


@pytest.fixture
def index(tmp_path: Path) -> PostureIndex:
    """Twelve standing people in one green picture each; the first picture is there, the second has changed since, the
    third is gone, and where the others came from is unknown."""
    keypoints = np.tile(person(60, 20, 100), (12, 1, 1))
    keypoints[:, 9:, 0] += np.arange(12)[:, None] * np.linspace(0, 3, 8)
    names, digests = [""] * 12, [""] * 12
    for number in range(3):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((160, 120, 3), (0, 200, number), np.uint8))
        names[number], digests[number] = str(path), hashlib.sha256(path.read_bytes()).hexdigest()
    cv2.imwrite(str(tmp_path / "1.png"), np.full((160, 120, 3), 255, np.uint8))
    (tmp_path / "2.png").unlink()
    examples = replace(Examples.unknown(12), pictures=tuple(names), digests=tuple(digests), keypoints=keypoints)
    examples = replace(examples, boxes=np.tile(np.float32([30, 10, 90, 130]), (12, 1)))
    index = PostureIndex("nose25", device="cpu")
    rows = index.embedding(poses(*keypoints))
    index.add(rows, ["standing"] * 12, examples)
    return index


def classification(**changes: object) -> Classification:
    probabilities = (("standing", 0.6), ("sitting", 0.4))
    known = Classification(
        "standing", 0.6, 0.2, "standing", None, (0, 1), ("standing", "sitting"), (0.1, 0.3), probabilities
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def test_what_spoke_for_a_label(index: PostureIndex) -> None:
    said = explain(classification(), person(0, 0), index, SETTINGS)
    radius = f"{index.rejection_radius:.3f}"
    assert said == (
        "60% of the vote, at least 40% is asked for; the median distance to its 2 neighbours is 0.200, within the "
        f"rejection radius of {radius}"
    )
    assert explain(classification(), person(0, 0), PostureIndex("nose25", device="cpu"), SETTINGS).endswith(
        "neighbours is 0.200"
    )


def test_which_threshold_was_missed(index: PostureIndex) -> None:
    far = classification(label=None, reason=Reason.TOO_FAR, distance=9.0)
    radius = f"{index.rejection_radius:.3f}"
    said = explain(far, person(0, 0), index, SETTINGS)
    assert said == f"the median distance to its 2 neighbours is 9.000, beyond the rejection radius of {radius}"

    torn = classification(label=None, reason=Reason.NO_MAJORITY)
    strict = Settings(index=IndexSettings(k=2, min_probability=0.75))
    said = explain(torn, person(0, 0), index, strict)
    assert said == "the vote is standing 60%, sitting 40%; index.min_probability asks for 75%"
    assert explain(replace(torn, probability=0.5), person(0, 0), index, SETTINGS).endswith(
        "sitting 40%: nobody is ahead"
    )

    hidden = person(0, 0)
    hidden[3:, 2] = 0.1
    nobody = classification(label=None, reason=Reason.TOO_FEW_KEYPOINTS)
    said = explain(nobody, hidden, index, Settings(pose=PoseSettings(min_keypoints=6, keypoint_threshold=0.4)))
    assert said == "3 of 17 keypoints score 0.4 or more, pose.min_keypoints asks for 6"

    assert (
        explain(classification(label=None, reason=Reason.EMPTY_DATABASE), hidden, index, SETTINGS) == "empty database"
    )


def test_a_reason_does_not_contradict_itself(index: PostureIndex) -> None:
    """What missed its limit by a hair does not read as if it met it; enough keypoints are not called too few."""
    hidden = person(0, 0)
    hidden[[5, 6], 2] = 0.1
    nobody = classification(label=None, reason=Reason.TOO_FEW_KEYPOINTS)
    said = explain(nobody, hidden, PostureIndex("gravity59", device="cpu"), SETTINGS)
    assert said.startswith("15 of 17 keypoints score 0.5 or more, which would be enough, but")
    assert said.endswith("gravity59 needs a shoulder and a limb or side of the torso")
    assert np.isnan(get_embedding("gravity59")(poses(hidden))).all()

    parts = (("standing", 0.3996), ("sitting", 0.2))
    torn = classification(label=None, reason=Reason.NO_MAJORITY, probability=0.3996, probabilities=parts)
    said = explain(torn, person(0, 0), index, SETTINGS)
    assert said == "the vote is standing 39.96%, sitting 20%; index.min_probability asks for 40.00%"

    parts = (("standing", 0.5), ("sitting", 0.401))
    close = classification(label=None, reason=Reason.TOO_CLOSE, probability=0.5, probabilities=parts)
    assert explain(close, person(0, 0), index, SETTINGS) == (
        "standing 50% is 9.9% ahead of sitting; index.min_margin asks for 10.0%"
    )

    radius = index.rejection_radius
    assert radius is not None
    far = classification(label=None, reason=Reason.TOO_FAR, distance=radius + 1e-5)
    value, limit = re.findall(r"\d+\.\d+", explain(far, person(0, 0), index, SETTINGS))
    assert float(value) > float(limit)


def tile(sheet: np.ndarray, column: int, line: int = 0) -> np.ndarray:
    """The inside of a tile, without its frame."""
    high = 2 * GAP + 4 * LINE + TILE
    x, y = GAP + column * (TILE + GAP), line * high + GAP + 2 * LINE
    return sheet[y + 4 : y + TILE - 4, x + 4 : x + TILE - 4]


def share_of(picture: np.ndarray, bgr: tuple[int, int, int]) -> float:
    return float((np.abs(picture.astype(int) - bgr).max(axis=2) <= 3).mean())


def test_neighbours_come_from_their_pictures_or_are_drawn_on_grey(index: PostureIndex) -> None:
    settings = Settings(index=IndexSettings(k=4))
    people = poses(person(60, 20, 100))
    red = np.full((160, 120, 3), (0, 0, 220), np.uint8)
    classifications = index.classify(index.embedding(people), DecisionRule(k=4))
    assert classifications[0].entries == (0, 1, 2, 3)
    sheet = draw_explanation([Asked("q.jpg", red, people, classifications)], index, settings)
    assert sheet.shape == (2 * GAP + 4 * LINE + TILE, 5 * (TILE + GAP) + GAP, 3)
    assert share_of(tile(sheet, 0), (0, 0, 220)) > 0.5
    assert share_of(tile(sheet, 1), (0, 200, 0)) > 0.5
    for column in (2, 3, 4):  # changed, gone, unknown
        assert share_of(tile(sheet, column), (PLAIN, PLAIN, PLAIN)) > 0.7
        assert share_of(tile(sheet, column), (PLAIN, PLAIN, PLAIN)) < 0.99  # and yet a skeleton
    hidden = settings.model_copy(update={"overlay": OverlaySettings(picture=False)})
    sheet = draw_explanation([Asked("q.jpg", red, people, classifications)], index, hidden)
    for column in range(5):
        assert share_of(tile(sheet, column), (PLAIN, PLAIN, PLAIN)) > 0.7


def test_a_skeleton_fits_its_tile(index: PostureIndex) -> None:
    """The nose of an upright person is drawn in the upper part, in the middle, whatever the size of the picture."""
    people = poses(person(600, 200, 900))
    classifications = index.classify(index.embedding(people), DecisionRule(k=2))
    black = np.zeros((1400, 1200, 3), np.uint8)
    drawn = tile(draw_explanation([Asked("q.jpg", black, people, classifications)], index, SETTINGS), 0).any(axis=2)
    rows, columns = np.nonzero(drawn)
    assert rows.min() < 0.2 * TILE
    assert rows.max() > 0.8 * TILE
    assert abs(columns.mean() - (TILE - 8) / 2) < 5


def test_people_without_neighbours_and_nobody(index: PostureIndex) -> None:
    hidden = person(60, 20, 100) * np.float32([1, 1, 0])
    people = poses(hidden, hidden)
    classifications = index.classify(index.embedding(people), DecisionRule(k=2))
    black = np.zeros((160, 120, 3), np.uint8)
    sheet = draw_explanation([Asked("q.jpg", black, people, classifications)] * 2, index, SETTINGS)
    assert len(sheet) == 4 * (2 * GAP + 4 * LINE + TILE)
    assert (tile(sheet, 1) == 255).all()
    nobody = draw_explanation([Asked("q.jpg", black, poses(), [])], index, SETTINGS)
    assert nobody.shape[1] == sheet.shape[1]
    assert (nobody < 100).any()


def test_rows_of_unknown_origin(index: PostureIndex) -> None:
    bare = PostureIndex("nose25", device="cpu")
    bare.add(index.vectors, list(index.labels))
    people = poses(person(60, 20, 100))
    classifications = bare.classify(bare.embedding(people), DecisionRule(k=2))
    sheet = draw_explanation([Asked("q.jpg", np.zeros((9, 9, 3), np.uint8), people, classifications)], bare, SETTINGS)
    assert share_of(tile(sheet, 1), (PLAIN, PLAIN, PLAIN)) > 0.8
