"""The places in which the people of the demo's film move: flat pictures, drawn once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["BACKDROPS", "HEIGHT", "WIDTH"]

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]  # BGR

WIDTH: Final = 1280
HEIGHT: Final = 720


def _plain(top: Colour, bottom: Colour, begin: int = 0, end: int = HEIGHT, on: Picture | None = None) -> Picture:
    """A picture that goes from one colour to another between two rows."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8) if on is None else on
    share = np.linspace(0, 1, end - begin)[:, None, None]
    picture[begin:end] = np.rint((1 - share) * np.array(top) + share * np.array(bottom)).astype(np.uint8)
    return picture


def _area(picture: Picture, colour: Colour, *corners: tuple[float, float]) -> None:
    points = np.rint(np.array(corners) * 16).astype(np.int32)
    cv2.fillPoly(picture, [points], colour, cv2.LINE_AA, 4)


def _box(picture: Picture, colour: Colour, x1: int, y1: int, x2: int, y2: int, round_px: int = 0) -> None:
    """A filled rectangle, with round corners."""
    r = round_px
    cv2.rectangle(picture, (x1 + r, y1), (x2 - r, y2), colour, cv2.FILLED)
    cv2.rectangle(picture, (x1, y1 + r), (x2, y2 - r), colour, cv2.FILLED)
    for x in (x1 + r, x2 - r):
        for y in (y1 + r, y2 - r) if r else ():
            cv2.circle(picture, (x, y), r, colour, cv2.FILLED, cv2.LINE_AA)


def home() -> Picture:
    """A living room: window, lamp, picture, rug, an armchair."""
    picture = _plain((214, 222, 222), (226, 232, 234))
    _plain((142, 172, 196), (128, 158, 184), 560, HEIGHT, picture)
    for y in (588, 626, 674):  # boards
        cv2.line(picture, (0, y), (WIDTH, y), (130, 160, 184), 2, cv2.LINE_AA)
    _box(picture, (240, 243, 244), 0, 546, WIDTH, 560)
    _box(picture, (246, 248, 248), 96, 90, 316, 360)
    _plain((236, 214, 186), (240, 230, 214), 100, 350, on=(sky := picture.copy()))
    picture[100:350, 106:306] = sky[100:350, 106:306]
    _area(picture, (150, 184, 164), (106, 350), (106, 310), (170, 276), (232, 304), (306, 262), (306, 350))
    _box(picture, (246, 248, 248), 202, 90, 210, 360)
    _box(picture, (246, 248, 248), 96, 222, 316, 230)
    _box(picture, (120, 150, 176), 560, 130, 690, 230)
    _box(picture, (222, 230, 232), 570, 140, 680, 220)
    _area(picture, (176, 160, 120), (570, 220), (612, 172), (640, 200), (658, 184), (680, 220))
    cv2.ellipse(picture, (640, 668), (560, 44), 0, 0, 360, (168, 160, 190), cv2.FILLED, cv2.LINE_AA)
    cv2.ellipse(picture, (640, 668), (536, 38), 0, 0, 360, (178, 170, 200), cv2.FILLED, cv2.LINE_AA)
    back, seat = (140, 118, 84), (158, 136, 100)
    _box(picture, back, 756, 388, 836, 640, 30)
    _box(picture, seat, 770, 572, 950, 640, 20)
    _box(picture, (70, 80, 92), 782, 640, 796, 664)
    _box(picture, (70, 80, 92), 928, 640, 942, 664)
    _box(picture, (90, 96, 104), 1130, 270, 1136, 640)
    cv2.ellipse(picture, (1133, 644), (46, 8), 0, 0, 360, (90, 96, 104), cv2.FILLED, cv2.LINE_AA)
    _area(picture, (170, 214, 240), (1096, 200), (1170, 200), (1196, 278), (1070, 278))
    return picture


def hall() -> Picture:
    """A corridor with a shiny floor and a puddle."""
    picture = _plain((204, 212, 206), (222, 226, 222))
    _plain((178, 180, 174), (150, 154, 150), 400, HEIGHT, picture)
    _box(picture, (150, 150, 142), 0, 392, WIDTH, 402)
    for x in range(-8, 9):
        cv2.line(picture, (640 + x * 90, 402), (640 + x * 330, HEIGHT), (168, 170, 165), 2, cv2.LINE_AA)
    for y in (430, 474, 540, 630):
        cv2.line(picture, (0, y), (WIDTH, y), (168, 170, 165), 2, cv2.LINE_AA)
    for x in (90, 300, 1010):
        _box(picture, (176, 164, 134), x, 120, x + 140, 392)
        _box(picture, (190, 178, 148), x + 8, 128, x + 132, 392)
        _box(picture, (222, 226, 214), x + 42, 150, x + 98, 226)
        cv2.circle(picture, (x + 118, 270), 6, (110, 120, 124), cv2.FILLED, cv2.LINE_AA)
    cv2.ellipse(picture, (600, 506), (120, 20), 0, 0, 360, (206, 202, 188), cv2.FILLED, cv2.LINE_AA)
    cv2.ellipse(picture, (582, 502), (72, 9), 0, 0, 360, (220, 217, 206), cv2.FILLED, cv2.LINE_AA)
    return picture


def square() -> Picture:
    """Pavement seen from above, with a lawn."""
    picture = _plain((196, 200, 202), (184, 190, 194))
    _area(picture, (122, 168, 140), (0, 0), (WIDTH, 0), (WIDTH, 46), (540, 70), (0, 190))
    _area(picture, (160, 172, 172), (0, 190), (540, 70), (WIDTH, 46), (WIDTH, 58), (546, 84), (0, 206))
    for step in range(-14, 22):
        cv2.line(picture, (step * 150, HEIGHT), (430 + step * 60, 60), (176, 182, 186), 1, cv2.LINE_AA)
    for step in range(1, 12):
        y = round(60 + 5.6 * step**2)
        cv2.line(picture, (0, y + 130 - 10 * step), (WIDTH, y - 10), (176, 182, 186), 1, cv2.LINE_AA)
    _area(picture, (122, 168, 140), (0, 0), (WIDTH, 0), (WIDTH, 46), (540, 70), (0, 190))
    for x, y, size in ((70, 66, 54), (300, 34, 40)):
        cv2.ellipse(picture, (x + 14, y + 18), (size, size // 2), 0, 0, 360, (108, 150, 124), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, (x, y), size, (96, 144, 104), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, (x - 12, y - 12), size * 2 // 3, (108, 158, 116), cv2.FILLED, cv2.LINE_AA)
    return picture


def park() -> Picture:
    """A path through a park, towards the camera."""
    picture = _plain((232, 214, 182), (240, 234, 220))
    cv2.circle(picture, (1080, 110), 46, (200, 236, 250), cv2.FILLED, cv2.LINE_AA)
    _area(picture, (168, 190, 168), (0, 330), (160, 262), (380, 310), (620, 250), (900, 318), (1120, 266), (1280, 300),
          (1280, 400), (0, 400))  # fmt: skip
    _plain((120, 172, 142), (104, 158, 126), 340, HEIGHT, picture)
    _area(picture, (176, 194, 206), (560, 340), (690, 340), (1180, 720), (-60, 720))
    for x, y, size in ((90, 250, 74), (260, 290, 46), (1010, 280, 60), (1200, 236, 84)):
        _box(picture, (78, 100, 122), x - size // 9, y, x + size // 9, y + size + 34)
        cv2.circle(picture, (x, y), size, (98, 146, 110), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, (x - size // 4, y - size // 4), size * 2 // 3, (110, 160, 122), cv2.FILLED, cv2.LINE_AA)
    return picture


BACKDROPS: Final[Mapping[str, Callable[[], Picture]]] = {"home": home, "hall": hall, "square": square, "park": park}
"""By name, uint8 `[HEIGHT, WIDTH, 3]` BGR."""
