"""`Overlay`: draws what was understood over the picture it was understood from."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.keypoints import LIMBS, Keypoint
from stream.drawing.colours import UNKNOWN, Colour, distinct_colours
from stream.drawing.readable import FONT, WEIGHT, readable
from stream.scene import Person, Scene
from stream.settings.model import OverlaySettings

__all__ = ["Overlay"]

LEFT: Final[Colour] = (255, 160, 40)  # BGR; the person's own left is blue, right is orange
RIGHT: Final[Colour] = (30, 140, 255)
MIDDLE: Final[Colour] = (235, 235, 235)
PLAIN: Final = 48  # grey level behind skeletons without a picture
INK: Final[Colour] = (20, 20, 20)
SPARE: Final = 64  # colours for postures that come up later


def _side(a: Keypoint, b: Keypoint) -> Colour:
    sides = {point.name.partition("_")[0] for point in (a, b)} - {"NOSE"}
    return LEFT if sides == {"LEFT"} else RIGHT if sides == {"RIGHT"} else MIDDLE


_LIMB_COLOURS: Final = tuple((int(a), int(b), _side(a, b)) for a, b in LIMBS)
_POINT_COLOURS: Final = tuple(_side(point, point) for point in Keypoint)


class Overlay:
    """Draws boxes, skeletons and labels. Sizes follow the picture, so 480p and 4K read alike.

    Args:
        settings: what to draw.
        keypoint_threshold: keypoints below this score are left out, 0–1.
        classes: the postures there are; each gets a colour of its own.
        min_probability: with less than this a posture is shown with a question mark instead of a number, 0–1.
    """

    def __init__(
        self,
        settings: OverlaySettings | None = None,
        keypoint_threshold: float = 0.5,
        classes: Sequence[str] = (),
        *,
        min_probability: float = 0.0,
    ):
        self.settings = settings or OverlaySettings()
        self.keypoint_threshold = keypoint_threshold
        self.min_probability = min_probability
        names = sorted(set(classes))
        self._colours = dict(zip(names, distinct_colours(len(names)), strict=True))
        self._lock = threading.Lock()

    def colour_of(self, posture: str | None) -> Colour:
        """The colour of a posture, BGR; grey for unknown. The same in every run with the same postures."""
        if posture is None:
            return UNKNOWN
        if posture not in self._colours:  # named since by another database
            with self._lock:
                colours = distinct_colours(len(self._colours) + SPARE)
                first = zlib.crc32(posture.encode(errors="replace"))
                taken = set(self._colours.values())
                several = [colours[(first + step) % len(colours)] for step in range(len(colours))]
                self._colours.setdefault(posture, next((one for one in several if one not in taken), several[0]))
        return self._colours[posture]

    def __call__(self, scene: Scene) -> NDArray[np.uint8]:
        """A new picture, uint8 `[H, W, 3]` BGR; the frame stays as it is."""
        bgr = scene.frame.bgr
        picture = bgr.copy() if self.settings.picture else np.full_like(bgr, PLAIN)
        unit = max(min(picture.shape[:2]) / 480, 0.5)  # 1 at 480p, 4.5 at 4K
        if self.settings.skeletons:
            for person in scene.people:
                # Limbs are a fiftieth of the person: thicker ones would hide somebody far away.
                span = float((scene.poses.boxes[person.row, 2:] - scene.poses.boxes[person.row, :2]).max())
                thickness = max(round(min(span / 50, 3 * unit)), 1)
                self.draw_skeleton(picture, scene.poses.keypoints[person.row], thickness)
        if self.settings.boxes:
            for person in scene.people:
                x1, y1, x2, y2 = (round(float(edge)) for edge in scene.poses.boxes[person.row])
                cv2.rectangle(picture, (x1, y1), (x2, y2), self.colour_of(person.posture), max(round(unit), 1))
        if self.settings.labels:
            taken: list[tuple[int, int, int, int]] = []
            # After all boxes, so that nobody's box covers a label; from the top, so that labels step downwards only.
            for person in sorted(scene.people, key=lambda p: float(scene.poses.boxes[p.row, 1])):
                self._label(picture, person, scene.poses.boxes[person.row], unit, taken)
        return picture

    def draw_skeleton(self, picture: NDArray[np.uint8], keypoints: NDArray[np.float32], thickness: int) -> None:
        """Draw one person, `[17, 3]` in pixels of the picture, into it; `thickness` in pixels."""
        seen = (keypoints[:, 2] >= self.keypoint_threshold) & np.isfinite(keypoints).all(axis=1)
        xy = [
            (round(float(x)), round(float(y))) if ok else (0, 0) for (x, y, _), ok in zip(keypoints, seen, strict=True)
        ]
        limbs = [(xy[a], xy[b], colour) for a, b, colour in _LIMB_COLOURS if seen[a] and seen[b]]
        for start, end, _ in limbs:  # a dark edge, or light limbs would be lost on white
            cv2.line(picture, start, end, INK, thickness + 2 * max(thickness // 2, 1), cv2.LINE_AA)
        for start, end, colour in limbs:
            cv2.line(picture, start, end, colour, thickness, cv2.LINE_AA)
        for point, colour in enumerate(_POINT_COLOURS):
            if seen[point]:
                cv2.circle(picture, xy[point], thickness, colour, cv2.FILLED, cv2.LINE_AA)

    def text(self, person: Person) -> str:
        """What is written over a person: the posture and its probability, and the number."""
        number = "" if person.track is None else f" #{person.track}"
        if person.posture is None:
            return f"unknown{number}"
        # Over time a posture holds out through frames that alone would be unknown: a number below the limit of a single
        # frame would read as a contradiction.
        sure = person.probability >= self.min_probability
        return f"{readable(person.posture)}{f' {person.probability:.0%}' if sure else '?'}{number}"

    def _label(
        self,
        picture: NDArray[np.uint8],
        person: Person,
        box: NDArray[np.float32],
        unit: float,
        taken: list[tuple[int, int, int, int]],
    ) -> None:
        text = self.text(person)
        size, pad = max(round(12 * unit), 10), max(round(2 * unit), 2)
        height, width = picture.shape[:2]
        _, _, text_width, _ = cv2.getTextSize((0, 0), text, (0, 0), FONT, size, WEIGHT)
        w, h = text_width + 2 * pad, round(size * 1.25) + 2 * pad
        x = min(max(round(float(box[0])), 0), max(width - w, 0))
        y = min(max(round(float(box[1])) - h, 0), max(height - h, 0))
        for tx, ty, tw, th in taken:  # step below a label that is in the way
            if x < tx + tw and tx < x + w and y < ty + th and ty < y + h:
                y = min(ty + th, max(height - h, 0))
        taken.append((x, y, w, h))
        cv2.rectangle(picture, (x, y), (x + w, y + h), self.colour_of(person.posture), cv2.FILLED)
        cv2.putText(picture, text, (x + pad, y + h - pad - round(size * 0.25)), INK, FONT, size, WEIGHT)
