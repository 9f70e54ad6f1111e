"""`draw_figure`: a person drawn around 17 keypoints, as a flat picture-book figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.keypoints import Keypoint as K

__all__ = ["WARDROBE", "Clothes", "body_unit", "draw_figure", "draw_shadow"]

Colour = tuple[int, int, int]
Points = NDArray[np.float64]

SEEN: Final = 0.2  # keypoints below this score are not drawn
SHIFT: Final = 4  # bits behind the point in what OpenCV draws: sixteenths of a pixel
SHADE: Final = 0.82  # brightness of what is on the far side of the body


@dataclass(frozen=True, slots=True)
class Clothes:
    """What a figure looks like; colours are BGR."""

    shirt: Colour
    trousers: Colour
    shoes: Colour
    skin: Colour
    hair: Colour


WARDROBE: Final = (
    Clothes((176, 112, 52), (74, 58, 48), (40, 40, 46), (150, 184, 226), (40, 52, 70)),
    Clothes((70, 92, 196), (110, 84, 62), (60, 60, 66), (120, 156, 204), (32, 36, 44)),
    Clothes((112, 150, 76), (66, 66, 72), (52, 56, 60), (84, 116, 164), (24, 26, 30)),
    Clothes((70, 168, 222), (104, 72, 50), (46, 50, 56), (160, 194, 232), (58, 92, 132)),
    Clothes((150, 98, 140), (80, 70, 64), (44, 46, 52), (66, 92, 136), (20, 22, 26)),
    Clothes((206, 206, 210), (124, 96, 70), (70, 74, 82), (140, 176, 220), (70, 84, 100)),
)
"""Clothes for a crowd."""


def body_unit(keypoints: NDArray[np.floating]) -> float:
    """A length that all thicknesses are shares of: that of the torso, or of a thigh or shin that is seen longer; px."""
    xy = np.asarray(keypoints, np.float64)[:, :2]
    seen = keypoints[:, 2] >= SEEN
    pairs = (
        (K.LEFT_SHOULDER, K.LEFT_HIP), (K.RIGHT_SHOULDER, K.RIGHT_HIP), (K.LEFT_HIP, K.LEFT_KNEE),
        (K.RIGHT_HIP, K.RIGHT_KNEE), (K.LEFT_KNEE, K.LEFT_ANKLE), (K.RIGHT_KNEE, K.RIGHT_ANKLE),
    )  # fmt: skip
    return max((float(np.linalg.norm(xy[a] - xy[b])) for a, b in pairs if seen[a] and seen[b]), default=0.0)


def draw_shadow(picture: NDArray[np.uint8], keypoints: NDArray[np.floating], unit: float) -> None:
    """Darken the ground below one person; arguments as for `draw_figure`."""
    seen = keypoints[keypoints[:, 2] >= SEEN, :2]
    if unit <= 0 or not len(seen):
        return
    left, right = float(seen[:, 0].min()) - 0.15 * unit, float(seen[:, 0].max()) + 0.15 * unit
    ground = float(seen[:, 1].max()) + 0.12 * unit
    centre, axes = ((left + right) / 2, ground), ((right - left) / 2, 0.13 * unit)
    x1, x2 = max(int(left), 0), min(int(right) + 2, picture.shape[1])
    y1, y2 = max(int(ground - axes[1]), 0), min(int(ground + axes[1]) + 2, picture.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    y, x = np.mgrid[y1:y2, x1:x2]
    depth = 1 - ((x - centre[0]) / axes[0]) ** 2 - ((y - centre[1]) / axes[1]) ** 2
    area = picture[y1:y2, x1:x2]
    area[:] = (area * (1 - 0.22 * np.clip(depth, 0, 1))[..., None]).astype(np.uint8)


def draw_figure(
    picture: NDArray[np.uint8], keypoints: NDArray[np.floating], clothes: Clothes, unit: float | None = None
) -> None:
    """Draw one person into a picture.

    Args:
        picture: uint8 `[H, W, 3]` BGR, changed.
        keypoints: `[17, 3]`: x, y in pixels of the picture and score.
        clothes: colours.
        unit: see `body_unit`; None measures it in these keypoints.
    """
    unit = body_unit(keypoints) if unit is None else unit
    if unit <= 0:
        return
    _Figure(picture, np.asarray(keypoints, np.float64), clothes, unit).draw()


class _Figure:
    def __init__(self, picture: NDArray[np.uint8], keypoints: Points, clothes: Clothes, unit: float) -> None:
        self._picture = picture
        self._xy, self._score = keypoints[:, :2], keypoints[:, 2]
        self._clothes = clothes
        self._unit = unit

    def draw(self) -> None:
        """The far arm and leg, the near leg, the torso, the head, the near arm; both arms before who turns the back."""
        left = (K.LEFT_SHOULDER, K.LEFT_ELBOW, K.LEFT_WRIST, K.LEFT_HIP, K.LEFT_KNEE, K.LEFT_ANKLE)
        right = (K.RIGHT_SHOULDER, K.RIGHT_ELBOW, K.RIGHT_WRIST, K.RIGHT_HIP, K.RIGHT_KNEE, K.RIGHT_ANKLE)
        sure = [float(self._score[list(side)].mean()) for side in (left, right)]
        far, near = (left, right) if sure[0] < sure[1] else (right, left)
        frontal = self._breadth() > 0.45 * self._unit
        shade = 0.94 if frontal else SHADE
        self._leg(*far[3:], shade)
        if not frontal:
            self._arm(*far[:3], shade)
        self._leg(*near[3:], 1.0)
        self._torso()
        self._head()
        if frontal:
            self._arm(*far[:3], shade)
        self._arm(*near[:3], 1.0)

    def _seen(self, *points: K) -> bool:
        return all(self._score[point] >= SEEN for point in points)

    def _breadth(self) -> float:
        return float(np.linalg.norm(self._xy[K.LEFT_SHOULDER] - self._xy[K.RIGHT_SHOULDER]))

    def _leg(self, hip: K, knee: K, ankle: K, shade: float) -> None:
        u, xy = self._unit, self._xy
        trousers, shoes = _shaded(self._clothes.trousers, shade), _shaded(self._clothes.shoes, shade)
        if self._seen(knee, ankle):
            shin = xy[ankle] - xy[knee]
            along = shin / max(float(np.linalg.norm(shin)), 1e-6)
            self._foot(xy[ankle] + 0.06 * u * along, along, shoes)
            self._limb(xy[knee], xy[ankle], 0.125 * u, 0.085 * u, trousers)
        if self._seen(hip, knee):
            self._limb(xy[hip], xy[knee], 0.165 * u, 0.125 * u, trousers)

    def _foot(self, heel: Points, along: Points, colour: Colour) -> None:
        """A shoe that points where the person looks, at a right angle to the shin."""
        forward = np.array([-along[1], along[0]]) * np.sign(self._facing() or 1.0) * (-1.0 if along[1] > 0 else 1.0)
        reach = 0.22 if abs(self._facing()) > 0.25 else 0.08
        self._limb(heel, heel + reach * self._unit * forward + 0.03 * self._unit * along, 0.085 * self._unit,
                   0.065 * self._unit, colour)  # fmt: skip

    def _facing(self) -> float:
        """Where the nose is beside the middle of the ears or shoulders, in head radii: negative to the left."""
        ears = [point for point in (K.LEFT_EAR, K.RIGHT_EAR) if self._seen(point)]
        if not ears or not self._seen(K.NOSE):
            return 0.0
        return float((self._xy[K.NOSE] - self._xy[ears].mean(axis=0))[0] / (0.21 * self._unit))

    def _arm(self, shoulder: K, elbow: K, wrist: K, shade: float) -> None:
        u, xy = self._unit, self._xy
        sleeve, skin = _shaded(self._clothes.shirt, 0.9 * shade), _shaded(self._clothes.skin, shade)
        if self._seen(elbow, wrist):
            self._limb(xy[elbow], xy[wrist], 0.075 * u, 0.055 * u, skin)
            hand = xy[wrist] + 0.25 * (xy[wrist] - xy[elbow])
            self._limb(xy[wrist], hand, 0.06 * u, 0.065 * u, skin)
        if self._seen(shoulder, elbow):
            self._limb(xy[shoulder], xy[elbow], 0.105 * u, 0.085 * u, sleeve)

    def _torso(self) -> None:
        corners = (K.LEFT_SHOULDER, K.RIGHT_SHOULDER, K.LEFT_HIP, K.RIGHT_HIP)
        shoulders = [point for point in corners[:2] if self._seen(point)]
        hips = [point for point in corners[2:] if self._seen(point)]
        if not shoulders or not hips:
            return
        u = self._unit
        rounds = [(self._xy[point], 0.135 * u) for point in shoulders] + [(self._xy[point], 0.16 * u) for point in hips]
        middle = (self._xy[shoulders].mean(axis=0) + self._xy[hips].mean(axis=0)) / 2
        self._hull([*rounds, (middle, 0.2 * u)], self._clothes.shirt)
        belt = [(self._xy[point], 0.165 * u) for point in hips]
        self._hull(belt, self._clothes.trousers)
        waist = self._xy[hips].mean(axis=0) + 0.16 * (self._xy[shoulders].mean(axis=0) - self._xy[hips].mean(axis=0))
        self._hull([*rounds[: len(shoulders)], (middle, 0.2 * u), (waist, 0.15 * u)], self._clothes.shirt)

    def _head(self) -> None:
        u, xy = self._unit, self._xy
        shoulders = [point for point in (K.LEFT_SHOULDER, K.RIGHT_SHOULDER) if self._seen(point)]
        ears = [point for point in (K.LEFT_EAR, K.RIGHT_EAR) if self._seen(point)]
        face = [point for point in (K.NOSE, K.LEFT_EYE, K.RIGHT_EYE) if self._seen(point)]
        if not (ears or face):
            return
        centre = xy[ears].mean(axis=0) if ears else xy[face].mean(axis=0)
        radius = 0.2 * u
        skin, hair = self._clothes.skin, self._clothes.hair
        neck = xy[shoulders].mean(axis=0) if shoulders else centre
        up = centre - neck
        up = up / max(float(np.linalg.norm(up)), 1e-6)
        if shoulders:
            self._limb(neck, centre, 0.085 * u, 0.08 * u, _shaded(skin, 0.88))
        nose = xy[K.NOSE] - centre if self._seen(K.NOSE) else np.zeros(2)
        away = bool(self._score[K.NOSE] < 0.35)  # the back of the head
        centre = centre + 0.03 * u * up
        self._hull([(centre + 0.055 * u * up - 0.25 * nose, radius), (centre - 0.02 * u * up, 0.95 * radius)], hair)
        if away:
            return
        turn = nose / max(float(np.linalg.norm(nose)), radius)
        self._hull(
            [(centre + 0.32 * radius * turn - 0.02 * u * up, 0.82 * radius),
             (centre + 0.42 * radius * turn - 0.45 * radius * up, 0.6 * radius)], skin,
        )  # fmt: skip
        if abs(self._facing()) > 0.45:
            self._limb(xy[K.NOSE] - 0.4 * radius * turn, xy[K.NOSE], 0.3 * radius, 0.12 * radius, skin)
        for eye in self._eyes():
            inward = xy[eye] - 0.35 * max(abs(self._facing()) - 0.4, 0.0) * radius * turn
            self._hull([(inward, 0.1 * radius)], _shaded(hair, 0.6))

    def _eyes(self) -> list[K]:
        """The eyes that are to be seen: in profile the one on the side of the surer ear."""
        eyes = [eye for eye in (K.LEFT_EYE, K.RIGHT_EYE) if self._score[eye] >= 0.4]
        if len(eyes) == 2 and abs(self._facing()) > 0.45:
            return [K.LEFT_EYE if self._score[K.LEFT_EAR] >= self._score[K.RIGHT_EAR] else K.RIGHT_EYE]
        return eyes

    def _limb(self, a: Points, b: Points, radius_a: float, radius_b: float, colour: Colour) -> None:
        self._hull([(a, radius_a), (b, radius_b)], colour)

    def _hull(self, rounds: list[tuple[Points, float]], colour: Colour) -> None:
        """What a string around some discs encloses."""
        turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ring = np.stack((np.cos(turns), np.sin(turns)), axis=1)
        points = np.concatenate([centre + radius * ring for centre, radius in rounds])
        hull = cv2.convexHull(np.round(points * (1 << SHIFT)).astype(np.int32))
        cv2.fillConvexPoly(self._picture, hull, colour, cv2.LINE_AA, SHIFT)


def _shaded(colour: Colour, shade: float) -> Colour:
    blue, green, red = (min(round(part * shade), 255) for part in colour)
    return blue, green, red
