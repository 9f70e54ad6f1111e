"""Colours for postures, as far apart as so many can be."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["UNKNOWN", "Colour", "distinct_colours"]

Colour = tuple[int, int, int]

UNKNOWN: Final[Colour] = (150, 150, 150)  # BGR

# Twelve colours far apart in hue, all bright enough for dark text.
FIRST: Final[tuple[Colour, ...]] = (
    (120, 220, 90), (90, 200, 255), (255, 190, 110), (200, 130, 255), (90, 255, 255), (255, 160, 220),
    (200, 255, 130), (130, 150, 255), (255, 235, 120), (140, 230, 200), (230, 170, 170), (170, 210, 250),
)  # fmt: skip

LEVELS: Final = np.arange(60, 256, 15)  # of blue, green and red, to choose from
LEAST_LUMINANCE: Final = 0.22
"""Relative, 0–1: dark text on it has a contrast of 4.5 : 1, which WCAG 2 asks for."""


@cache
def distinct_colours(count: int) -> tuple[Colour, ...]:
    """So many colours, BGR, the first ones always the same, each as far from those before it, and from that of unknown,
    as can be in CIELAB. They repeat beyond some 2,000.
    """
    candidates = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), -1).reshape(-1, 3)
    blue, green, red = (candidates / 255.0).T ** 2.2
    candidates = candidates[0.0722 * blue + 0.7152 * green + 0.2126 * red > LEAST_LUMINANCE]
    places = _lab(candidates)
    chosen = list(FIRST)
    free = np.full(len(places), np.inf)
    for colour in (UNKNOWN, *FIRST):
        free = np.minimum(free, np.linalg.norm(places - _lab([colour]), axis=1))
    while len(chosen) < min(count, len(candidates)):
        best = int(free.argmax())
        blue, green, red = candidates[best].tolist()
        chosen.append((blue, green, red))
        free = np.minimum(free, np.linalg.norm(places - places[best], axis=1))
    return tuple(chosen[place % len(chosen)] for place in range(count))


def _lab(colours: Any) -> NDArray[np.float32]:
    """BGR to CIELAB, float32 `[N, 3]`."""
    bgr = np.asarray(colours, np.float32).reshape(-1, 1, 3) / 255
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB), np.float32).reshape(-1, 3)
