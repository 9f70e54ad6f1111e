"""Painting recipes: on the CPU from picture files, or on any device from pictures in its memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pose.datasets.labelled import LabelledPicture
from pose.datasets.picture_file import read_picture
from pose.training.yolo.augmentation import Recipe, Tile

__all__ = ["ResidentPictures", "render"]

GREY: Final = 114  # beside the pictures, as the letterbox has it
RIM: Final = 2  # grey pixels around a stored picture, one around its half: what lies beside it is grey
LUMINANCE: Final = (0.299, 0.587, 0.114)  # of red, green, blue (ITU-R BT.601)


def render(recipe: Recipe, pictures: Sequence[LabelledPicture]) -> NDArray[np.uint8]:
    """Paint a canvas from files: uint8 `[S, S, 3]`, RGB.

    Raises:
        PictureError: a file cannot be read.
    """
    canvas = np.empty((recipe.side, recipe.side, 3), np.uint8)
    for tile in recipe.tiles:
        x, y = tile.corner
        canvas[y : y + tile.side, x : x + tile.side] = _paint(tile, pictures[tile.picture])
    return canvas


def _paint(tile: Tile, picture: LabelledPicture) -> NDArray[np.uint8]:
    # A picture that is drawn at less than half its size is read at half: the decoder then averages pixels, where
    # warping would leave three of four out.
    image = read_picture(picture.path, halved=tile.scale < 0.5)
    matrix = tile.matrix.copy()
    matrix[:, 2] -= tile.corner
    to_picture = np.array(picture.size[::-1]) / image.shape[1::-1]  # picture pixels per pixel of `image`
    # Coordinates count from the corner of the picture, warpAffine's from the middle of the first pixel.
    matrix[:, :2] *= to_picture
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    warped = cv2.warpAffine(image, matrix, (tile.side, tile.side), flags=cv2.INTER_LINEAR, borderValue=(GREY,) * 3)
    square: NDArray[np.uint8] = cv2.cvtColor(warped, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    if tile.grey:
        grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
        square = np.repeat(grey[..., None], 3, 2).astype(np.uint8, copy=False)
    if (tile.gain != 1).any() or tile.offset.any():
        table = np.arange(256)[:, None] * tile.gain + tile.offset  # [256, 3]
        square = cv2.LUT(square, np.rint(table).clip(0, 255).astype(np.uint8)[None]).astype(np.uint8, copy=False)
    return square


class ResidentPictures:
    """All training pictures in the memory of a device, which paints its own canvases.

    On a GPU this keeps files, decoding and copies out of the training loop. Takes 3 bytes per pixel of the largest
    picture, times the number of pictures, and a quarter more for their halves.

    Args:
        pictures: read at once; a picture larger than `longest` pixels is reduced.
        device: where they lie.
        longest: side of the squares they lie in, pixels.
        progress: called with every picture read.

    Raises:
        PictureError: a file cannot be read.
    """

    def __init__(
        self, pictures: Sequence[LabelledPicture], device: torch.device, *, longest: int = 448, progress: object = None
    ):
        self.device = device
        self._longest = longest
        self._side = longest + 2 * RIM
        shape = (len(pictures), 3, self._side, self._side)
        self._pixels = torch.full(shape, GREY, dtype=torch.uint8, device=device)
        self._scales = np.ones((len(pictures), 2))  # stored pixels per picture pixel, x and y
        for number, picture in enumerate(pictures):
            image = read_picture(picture.path)
            height, width = image.shape[:2]
            if max(height, width) > longest:
                factor = longest / max(height, width)
                size = (max(1, round(width * factor)), max(1, round(height * factor)))
                image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
            stored = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1)
            self._pixels[number, :, RIM : RIM + image.shape[0], RIM : RIM + image.shape[1]] = stored.to(device)
            self._scales[number] = np.array(image.shape[1::-1]) / picture.size[::-1]
            if callable(progress):
                progress(1)
        self._halves = torch.empty(
            (len(pictures), 3, self._side // 2, self._side // 2), dtype=torch.uint8, device=device
        )
        for start in range(0, len(pictures), 256):
            part = self._pixels[start : start + 256].float()
            self._halves[start : start + 256] = F.avg_pool2d(part, 2)[..., : self._side // 2, : self._side // 2].round()

    def render(self, recipes: Sequence[Recipe]) -> Tensor:
        """Paint a batch of canvases of one size: float32 `[B, 3, S, S]`, RGB 0–255, channels last in memory."""
        side = recipes[0].side
        canvas = torch.empty((len(recipes), 3, side, side), device=self.device).contiguous(
            memory_format=torch.channels_last
        )
        for extent in {tile.side for recipe in recipes for tile in recipe.tiles}:
            for halved in (False, True):
                chosen = [
                    (number, tile)
                    for number, recipe in enumerate(recipes)
                    for tile in recipe.tiles
                    if tile.side == extent and self._is_small(tile) == halved
                ]
                if chosen:
                    squares = self._squares([tile for _, tile in chosen], extent, halved)
                    for (number, tile), square in zip(chosen, squares, strict=True):
                        x, y = tile.corner
                        canvas[number, :, y : y + extent, x : x + extent] = square
        return canvas

    def _is_small(self, tile: Tile) -> bool:
        return tile.scale / float(np.sqrt(self._scales[tile.picture].prod())) < 0.5

    def _squares(self, tiles: Sequence[Tile], extent: int, halved: bool) -> Tensor:
        source = self._halves if halved else self._pixels
        size = source.shape[-1]
        inverses = np.stack([self._inverse(tile) for tile in tiles])  # canvas square px → stored px
        inverses[:, :, :] /= 2 if halved else 1
        # affine_grid runs from −1 to 1 over both squares.
        theta = np.empty_like(inverses)
        theta[:, :, :2] = inverses[:, :, :2] * extent / size
        middle = np.full(2, extent / 2)
        theta[:, :, 2] = (inverses[:, :, :2] @ middle + inverses[:, :, 2]) * 2 / size - 1
        grid = F.affine_grid(
            torch.from_numpy(theta).float().to(self.device), [len(tiles), 3, extent, extent], align_corners=False
        )
        places = torch.tensor([tile.picture for tile in tiles], device=self.device)
        squares = F.grid_sample(source[places].float(), grid, padding_mode="border", align_corners=False)
        grey = torch.tensor([tile.grey for tile in tiles], device=self.device)
        if grey.any():
            luminance = torch.tensor(LUMINANCE, device=self.device)
            squares[grey] = (squares[grey] * luminance[:, None, None]).sum(1, keepdim=True).expand(-1, 3, -1, -1)
        gain = torch.from_numpy(np.stack([tile.gain for tile in tiles])).to(self.device)[..., None, None]
        offset = torch.from_numpy(np.stack([tile.offset for tile in tiles])).to(self.device)[..., None, None]
        return (squares * gain + offset).clamp(0, 255)

    def _inverse(self, tile: Tile) -> NDArray[np.float64]:
        """From pixels of the tile's square to pixels of the stored picture, both from the corner: `[2, 3]`."""
        linear = np.linalg.inv(tile.matrix[:, :2])
        shift = -linear @ (tile.matrix[:, 2] - tile.corner)
        scale = self._scales[tile.picture][:, None]
        return np.concatenate([linear * scale, shift[:, None] * scale + RIM], 1)
