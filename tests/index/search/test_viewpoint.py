"""Views and tilts of a made person, turned every way."""

from __future__ import annotations

import numpy as np
import pytest

from index.search.viewpoint import VIEWS, torso_tilts, viewpoints
from tests.worlds import person

FACING = person(300, 100)[None]


def turned(people: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.concatenate((people[..., :2] @ matrix, people[..., 2:]), axis=-1)


def squeezed(people: np.ndarray, width: float) -> np.ndarray:
    """Seen from further round: 1 is square to the camera, 0 from the side, −1 from behind."""
    return people * [width, 1, 1]


@pytest.mark.parametrize("degrees", [0, 90, 200])
def test_views_whichever_way_is_up(degrees: float) -> None:
    people = np.concatenate([squeezed(FACING, width) for width in (1, 0.7, 0.1, -0.1, -1)])
    views = [VIEWS[view] for view in viewpoints(turned(people, degrees))]
    assert views == ["front", "front", "side", "side", "back"]


@pytest.mark.parametrize(("degrees", "tilt"), [(0, 0), (30, 30), (90, 90), (-90, 90), (180, 180)])
def test_tilts(degrees: float, tilt: float) -> None:
    assert np.degrees(torso_tilts(turned(FACING, degrees)))[0] == pytest.approx(tilt, abs=1e-4)


def test_what_cannot_be_told() -> None:
    assert viewpoints(np.zeros((0, 17, 3))).tolist() == []
    assert viewpoints(np.stack((np.full((17, 3), np.nan), np.ones((17, 3))))).tolist() == [-1, -1]
    assert np.isnan(torso_tilts(np.full((1, 17, 3), np.nan))).all()
