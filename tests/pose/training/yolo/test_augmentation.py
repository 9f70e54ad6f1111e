"""Recipes: labels go where the pixels go."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pose.datasets.labelled import LabelledPicture
from pose.errors import PictureError
from pose.keypoints import FLIP
from pose.training.yolo.augmentation import AugmentationSettings, Recipe, make_recipe
from pose.training.yolo.rendering import ResidentPictures, render

COLOURS = np.random.default_rng(7).integers(30, 256, (17, 3)).astype(np.uint8)  # BGR of each keypoint's disc
PLAIN = AugmentationSettings(
    mosaic=0, zoom=0, picture_scale=(1, 1), degrees=0, quarter_turns=0, flip=0, colour=0
)  # fmt: skip


def discs(
    folder: Path, number: int = 0, size: tuple[int, int] = (240, 320), visibility: float = 2.0
) -> LabelledPicture:
    """A black picture with a disc of its own colour at every keypoint of one person."""
    height, width = size
    rng = np.random.default_rng(number)
    grid = np.stack(np.meshgrid(np.linspace(0.15, 0.85, 5), np.linspace(0.2, 0.8, 4)), -1).reshape(-1, 2)[:17]
    xy = (grid + rng.uniform(-0.02, 0.02, grid.shape)) * (width, height)
    image = np.zeros((height, width, 3), np.uint8)
    for point, colour in zip(xy, COLOURS, strict=True):
        cv2.circle(image, point.round().astype(int).tolist(), 9, colour.tolist(), cv2.FILLED)
    path = folder / f"discs_{number}.png"
    cv2.imwrite(str(path), image)
    keypoints = np.concatenate([xy.round() + 0.5, np.full((17, 1), visibility)], 1)
    box = np.array([[0.1 * width, 0.1 * height, 0.9 * width, 0.9 * height]])
    return LabelledPicture(path, size, box, keypoints[None], np.array([1000.0]), np.array([False]), number)


def recipe_of(pictures, seed: int, settings: AugmentationSettings, side: int = 256, incomplete=frozenset()) -> Recipe:
    rng = np.random.default_rng(seed)
    return make_recipe(pictures, lambda: int(rng.integers(len(pictures))), side, rng, settings, incomplete)


def colour_at(canvas: np.ndarray, point: np.ndarray) -> np.ndarray:
    x, y = np.floor(point).astype(int)
    return canvas[y, x]


@pytest.mark.parametrize("where", ["files", "memory"])
@pytest.mark.parametrize("mosaic", [0.0, 1.0])
def test_the_disc_under_a_label_has_the_colour_of_its_keypoint(tmp_path, where, mosaic):
    """Whatever is turned, scaled, cut or mirrored; in a mirrored picture left and right have exchanged their discs."""
    pictures = [discs(tmp_path, number, size) for number, size in enumerate([(240, 320), (300, 200), (400, 420)])]
    settings = AugmentationSettings(mosaic=mosaic, colour=0, quarter_turns=0.3, degrees=30)
    resident = ResidentPictures(pictures, torch.device("cpu"), longest=448)
    labelled = 0
    for seed in range(30):
        recipe = recipe_of(pictures, seed, settings)
        canvas = render(recipe, pictures)
        if where == "memory":
            canvas = resident.render([recipe])[0].permute(1, 2, 0).numpy()
        assert canvas.shape == (256, 256, 3)
        for person, box in zip(recipe.keypoints, recipe.boxes, strict=True):
            middle = (box[:2] + box[2:]) / 2
            (tile,) = [
                tile
                for tile in recipe.tiles
                if ((middle - tile.corner >= 0) & (middle - tile.corner < tile.side)).all()
            ]
            mirrored = np.linalg.det(tile.matrix[:, :2]) < 0
            for colour, (x, y, visibility) in zip(COLOURS[list(FLIP)] if mirrored else COLOURS, person, strict=True):
                edge = min(x - tile.corner[0], y - tile.corner[1], *(np.array(tile.corner) + tile.side - (x, y)))
                if visibility > 0 and edge > 1:
                    labelled += 1
                    tolerance = 60  # of 255: small discs blur into the black around them
                    assert np.abs(colour_at(canvas, np.array([x, y])).astype(float) - colour[::-1]).max() <= tolerance
    assert labelled > 200


def test_a_plain_recipe_is_the_letterboxed_picture(tmp_path):
    picture = discs(tmp_path, size=(256, 256))
    found = []
    for seed in range(20):
        recipe = recipe_of([picture], seed, PLAIN)
        (tile,) = recipe.tiles
        np.testing.assert_allclose(tile.matrix[:, :2], np.eye(2))
        shift = tile.matrix[:, 2]
        np.testing.assert_allclose(recipe.keypoints[0, :, :2], picture.keypoints[0, :, :2] + shift, atol=1e-3)
        found.append(shift)
    assert np.abs(found).max() <= 0.15 * 256 + 1e-6
    assert np.std(found) > 10  # not always in the same place


def test_mirroring_exchanges_left_and_right(tmp_path):
    picture = discs(tmp_path, size=(256, 256))
    recipe = recipe_of([picture], 1, AugmentationSettings(**{**_fields(PLAIN), "flip": 1}))
    (tile,) = recipe.tiles
    xy = picture.keypoints[0, :, :2] @ tile.matrix[:, :2].T + tile.matrix[:, 2]
    np.testing.assert_allclose(recipe.keypoints[0, :, :2], xy[list(FLIP)], atol=1e-3)
    assert np.linalg.det(tile.matrix[:, :2]) < 0


def test_what_leaves_the_canvas_is_absent_and_what_is_unknown_stays_unknown(tmp_path):
    known, unknown = discs(tmp_path, 0), discs(tmp_path, 1, visibility=-1.0)
    zoomed = AugmentationSettings(**{**_fields(PLAIN), "zoom": 1, "person_share": (1.4, 1.4)})
    for seed in range(10):
        recipe = recipe_of([known], seed, zoomed)
        outside = ((recipe.keypoints[..., :2] < 0) | (recipe.keypoints[..., :2] >= 256)).any(-1)
        assert outside.any()
        assert (recipe.keypoints[..., 2][outside] == 0).all()
        assert (recipe.keypoints[..., 2][~outside] == 2).all()
        assert (recipe.boxes >= 0).all()
        assert (recipe.boxes <= 256).all()
        assert (recipe_of([unknown], seed, zoomed).keypoints[..., 2] == -1).all()


def test_a_turned_box_is_that_of_the_ellipse_in_it(tmp_path):
    picture = discs(tmp_path, size=(256, 256))
    laid = AugmentationSettings(**{**_fields(PLAIN), "quarter_turns": 1, "picture_scale": (0.5, 0.5)})
    recipe = recipe_of([picture], 0, laid)
    before = picture.boxes[0, 2:] - picture.boxes[0, :2]
    np.testing.assert_allclose(recipe.boxes[0, 2:] - recipe.boxes[0, :2], before[::-1] / 2, rtol=1e-5)


def test_crowds_and_people_mostly_cut_off_are_not_asked_for(tmp_path):
    picture = discs(tmp_path)
    crowd = LabelledPicture(
        picture.path, picture.size, picture.boxes, picture.keypoints, picture.areas, np.array([True]), 0
    )
    assert len(recipe_of([crowd], 0, PLAIN).boxes) == 0
    assert len(recipe_of([picture], 0, PLAIN).boxes) == 1


def test_one_incomplete_picture_makes_a_canvas_incomplete(tmp_path):
    pictures = [discs(tmp_path, number) for number in range(3)]
    four = AugmentationSettings(**{**_fields(PLAIN), "mosaic": 1})
    for seed in range(20):
        recipe = recipe_of(pictures, seed, four, incomplete=frozenset([2]))
        assert recipe.complete == all(tile.picture != 2 for tile in recipe.tiles)


def test_painting_from_memory_and_from_files_gives_the_same_picture(tmp_path):
    pictures = [discs(tmp_path, number, size) for number, size in enumerate([(240, 320), (300, 200), (500, 640)])]
    resident = ResidentPictures(pictures, torch.device("cpu"), longest=640)
    recipes = [recipe_of(pictures, seed, AugmentationSettings(colour=1)) for seed in range(12)]
    painted = resident.render(recipes).permute(0, 2, 3, 1).numpy()
    for recipe, memory in zip(recipes, painted, strict=True):
        # PNG is reduced by OpenCV's own resize, whose rounding differs; edges of discs are sharp.
        assert np.abs(memory - render(recipe, pictures)).mean() < 1.5


def test_a_picture_that_is_gone_is_named(tmp_path):
    picture = discs(tmp_path)
    recipe = recipe_of([picture], 0, PLAIN)
    picture.path.unlink()
    with pytest.raises(PictureError, match="discs_0"):
        render(recipe, [picture])
    with pytest.raises(PictureError, match="discs_0"):
        ResidentPictures([picture], torch.device("cpu"))


def test_on_a_gpu_the_same_is_painted(tmp_path, cuda):
    pictures = [discs(tmp_path, number) for number in range(3)]
    recipes = [recipe_of(pictures, seed, AugmentationSettings()) for seed in range(8)]
    here = ResidentPictures(pictures, torch.device("cpu")).render(recipes)
    there = ResidentPictures(pictures, cuda).render(recipes).cpu()
    assert float((here - there).abs().mean()) < 0.5


def _fields(settings: AugmentationSettings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in AugmentationSettings.__dataclass_fields__}
