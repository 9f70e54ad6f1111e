"""`Film`: what `stance demo` plays, picture by picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.sources.demo.backdrop import BACKDROPS, HEIGHT
from stream.sources.demo.figure import WARDROBE, Clothes, body_unit, draw_figure, draw_shadow
from stream.sources.demo.recordings import FRAMES_PER_SECOND, Recording, load_recordings

__all__ = ["CHAPTERS", "NOTE", "TITLE_SECONDS", "Chapter", "Film", "Place"]

TITLE_SECONDS: Final = 2.2  # before the people come; longer than the tracker remembers those of the chapter before
NOTE: Final = "People drawn around recorded keypoints. Boxes, skeletons and postures: what Stance finds in this film."

_FONT: Final = cv2.FontFace("sans")
_DARK: Final = (52, 44, 40)
_LIGHT: Final = (245, 245, 245)
_UNIT_SECONDS: Final = 0.6  # over which a body's size is averaged


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recording is shown: `x, y` times `scale` plus `left, top`, px."""

    recording: str
    scale: float
    left: float
    top: float
    clothes: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """Some recordings that play at once in one place."""

    title: str
    backdrop: str
    places: Sequence[Place]


CHAPTERS: Final = (
    Chapter(
        "Standing and sitting",
        "home",
        (Place("standing", 0.55, 240, 149, 0), Place("sitting", 0.70, 460, 261, 1)),
    ),
    Chapter("A fall", "hall", (Place("slipping", 2.0, 0, 0, 3),)),
    Chapter("Ten people, each with a number that stays", "square", (Place("street", 2.4, -560, -165, 0),)),
    Chapter("Running", "park", (Place("running", 1.0, 0, 60, 2),)),
)


@dataclass(frozen=True, slots=True)
class _Actor:
    keypoints: NDArray[np.float32]  # [F, 17, 3] in pixels of the film
    units: NDArray[np.float64]  # [F]
    clothes: Clothes


class Film:
    """The pictures of the film, `Film.frames` of them at `FRAMES_PER_SECOND`.

    Args:
        recordings: who is in it; None for those that ship.
        chapters: which of them play where.
    """

    def __init__(
        self, recordings: Mapping[str, Recording] | None = None, chapters: Sequence[Chapter] = CHAPTERS
    ) -> None:
        recordings = load_recordings() if recordings is None else recordings
        title_frames = round(TITLE_SECONDS * FRAMES_PER_SECOND)
        self._scenes: list[tuple[int, NDArray[np.uint8], list[_Actor], str]] = []
        self.frames = 0
        for chapter in chapters:
            actors = [actor for place in chapter.places for actor in _actors(recordings[place.recording], place)]
            background = BACKDROPS[chapter.backdrop]()
            _caption(background)
            self._scenes.append((self.frames + title_frames, background, actors, chapter.title))
            self.frames += title_frames + max(recordings[place.recording].frames for place in chapter.places)

    def keypoints(self, number: int) -> NDArray[np.float32]:
        """What frame `number` is drawn from: `[N, 17, 3]`, in pixels of the film."""
        begin, _, actors, _ = self._scene(number)
        there = [actor.keypoints[number - begin] for actor in actors if _is_there(actor, number - begin)]
        return np.array(there, np.float32).reshape(-1, 17, 3)

    def picture(self, number: int) -> NDArray[np.uint8]:
        """Frame `number`: uint8 `[720, 1280, 3]` BGR."""
        begin, background, actors, title = self._scene(number)
        picture = background.copy()
        there = [actor for actor in actors if _is_there(actor, number - begin)]
        # Whoever stands lower in the picture is nearer.
        there.sort(key=lambda one: _lowest(one.keypoints[number - begin]))
        for actor in there:
            draw_shadow(picture, actor.keypoints[number - begin], float(actor.units[number - begin]))
        for actor in there:
            draw_figure(picture, actor.keypoints[number - begin], actor.clothes, float(actor.units[number - begin]))
        if number < begin:
            _card(picture, title)
        return picture

    def _scene(self, number: int) -> tuple[int, NDArray[np.uint8], list[_Actor], str]:
        """The chapter of a frame; first comes the frame with which its people appear."""
        if not 0 <= number < self.frames:
            raise IndexError(f"frame {number} of {self.frames}")
        title_frames = round(TITLE_SECONDS * FRAMES_PER_SECOND)
        return [scene for scene in self._scenes if scene[0] - title_frames <= number][-1]


def _actors(recording: Recording, place: Place) -> list[_Actor]:
    actors = []
    for number, person in enumerate(recording.people):
        keypoints = person.copy()
        keypoints[..., :2] = keypoints[..., :2] * place.scale + [place.left, place.top]
        clothes = WARDROBE[(place.clothes + number) % len(WARDROBE)]
        actors.append(_Actor(keypoints, _steady_units(keypoints), clothes))
    return actors


def _steady_units(keypoints: NDArray[np.float32]) -> NDArray[np.float64]:
    """A body's size in every frame, without its trembling."""
    units = np.array([body_unit(one) if one[0, 2] >= 0 else np.nan for one in keypoints])
    reach = round(_UNIT_SECONDS * FRAMES_PER_SECOND / 2)
    near = [units[max(place - reach, 0) : place + reach + 1] for place in range(len(units))]
    return np.array([some[np.isfinite(some)].mean() if np.isfinite(some).any() else 0.0 for some in near])


def _is_there(actor: _Actor, frame: int) -> bool:
    return 0 <= frame < len(actor.keypoints) and float(actor.keypoints[frame, 0, 2]) >= 0


def _lowest(keypoints: NDArray[np.float32]) -> float:
    return float(keypoints[keypoints[:, 2] > 0.2, 1].max(initial=0.0))


def _caption(picture: NDArray[np.uint8]) -> None:
    strip = picture[HEIGHT - 34 :]
    strip[:] = (0.25 * strip + 0.75 * np.array(_DARK)).astype(np.uint8)
    _write(picture, NOTE, (18, HEIGHT - 11), 17, _LIGHT)


def _card(picture: NDArray[np.uint8], title: str) -> None:
    _, _, width, _ = cv2.getTextSize((0, 0), title, (0, 0), _FONT, 44, 600)
    panel = picture[40:132, 40 : 40 + width + 56]
    panel[:] = (0.25 * panel + 0.75 * np.array(_DARK)).astype(np.uint8)
    _write(picture, title, (68, 102), 44, _LIGHT, 600)


def _write(
    picture: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    size: int,
    colour: tuple[int, int, int],
    weight: int = 450,
) -> None:
    cv2.putText(picture, text, at, colour, _FONT, size, weight)
