"""Charts of an evaluation, drawn with OpenCV: the confusion matrix and the reliability of probabilities."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.building.pictures import printable
from index.classification import OTHER_LABEL
from index.evaluation.evaluation import Evaluation
from index.evaluation.metrics import Calibration
from stream.drawing.readable import FONT, readable

__all__ = ["draw_confusion", "draw_reliability"]

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

PAPER: Final[Colour] = (255, 255, 255)  # BGR
INK: Final[Colour] = (40, 40, 40)
FAINT: Final[Colour] = (225, 225, 225)
RIGHT: Final[Colour] = (110, 160, 40)
WRONG: Final[Colour] = (60, 80, 215)
UNKNOWN: Final[Colour] = (150, 150, 150)

CELL: Final = 64
MARGIN: Final = 16
SIZE: Final = 15  # of text, pixels
SMALL: Final = 12
_WEIGHT: Final = 400


def draw_confusion(evaluation: Evaluation) -> Picture:
    """The confusion matrix, uint8 `[H, W, 3]` BGR: a row for every posture that people have, a column for every answer.

    A cell holds the number of people and their part of the row; green is right, red is wrong, grey is unknown, and the
    stronger the colour, the larger the part. Postures without people, and answers nobody got, are left away.
    """
    names = [printable(label) for label in evaluation.classes]
    counts = evaluation.confusion
    rows = np.flatnonzero(counts.sum(axis=1))
    columns = np.union1d(rows[rows < len(names)], np.flatnonzero(counts.sum(axis=0))).astype(np.int64)
    row_names, column_names = [*names, OTHER_LABEL], [*names, "unknown"]
    left = MARGIN + max((_width(row_names[row], SIZE) for row in rows), default=0) + MARGIN
    top = MARGIN + 2 * SIZE + max((_width(column_names[column], SIZE) for column in columns), default=0) + MARGIN
    title = f"{evaluation.method}: accuracy {evaluation.accuracy:.3f}, macro F1 {evaluation.scores.macro_f1:.3f}"
    width = max(left + CELL * len(columns), MARGIN + _width(title, SIZE)) + MARGIN
    sheet = np.full((top + CELL * len(rows) + MARGIN, width, 3), 255, np.uint8)
    _write(sheet, title, MARGIN, MARGIN + SIZE)
    for place, column in enumerate(columns):
        _write_upwards(sheet, column_names[column], left + CELL * place + (CELL + SIZE) // 2, top - 8)
    for line, row in enumerate(rows):
        y = top + CELL * line
        _write(sheet, row_names[row], left - 8 - _width(row_names[row], SIZE), y + (CELL + SIZE) // 2 - 2)
        for place, column in enumerate(columns):
            part = counts[row, column] / counts[row].sum()
            right = row == column
            colour = RIGHT if right else UNKNOWN if column == len(names) else WRONG
            x = left + CELL * place
            _fill(sheet, x, y, CELL, CELL, _blend(colour, part))
            if counts[row, column]:
                ink = PAPER if part > 0.6 else INK
                _write_centred(sheet, str(counts[row, column]), x + CELL // 2, y + CELL // 2, SIZE, ink)
                _write_centred(sheet, f"{part:.0%}", x + CELL // 2, y + CELL // 2 + SIZE + 3, SMALL, ink)
    return sheet


def draw_reliability(calibration: Calibration) -> Picture:
    """How often the likeliest label is right (bars) against its probability (the diagonal), uint8 `[H, W, 3]` BGR."""
    bins, side = len(calibration.count), 400
    left, top = MARGIN + _width("100 %", SMALL) + 8, 2 * MARGIN + 2 * SIZE
    step = side // bins
    sheet = np.full((top + side + 4 * SIZE + MARGIN, left + side + 2 * MARGIN, 3), 255, np.uint8)
    error = calibration.expected_error
    _write(sheet, f"calibration error {error:.3f}, {int(calibration.count.sum())} people", MARGIN, MARGIN + SIZE)
    for tenth in range(0, 11, 2):
        y = top + side - side * tenth // 10
        cv2.line(sheet, (left, y), (left + side, y), FAINT, 1)
        text = f"{10 * tenth} %"
        _write(sheet, text, left - 8 - _width(text, SMALL), y + SMALL // 2 - 1, SMALL)
    for place in range(bins):
        x = left + step * place
        _write_centred(sheet, f"{calibration.edges[place + 1]:.1f}", x + step, top + side + SIZE + 2, SMALL, INK)
        if not calibration.count[place]:
            continue
        height = round(side * float(calibration.accuracy[place]))
        _fill(sheet, x + 2, top + side - height, step - 4, height, _blend(RIGHT, 0.6))
        _write_centred(sheet, str(calibration.count[place]), x + step // 2, top + side - 4, SMALL, INK)
        middle = top + side - round(side * float(calibration.probability[place]))
        cv2.line(sheet, (x + 2, middle), (x + step - 3, middle), WRONG, 2)
    cv2.line(sheet, (left, top + side), (left + side, top), UNKNOWN, 1, cv2.LINE_AA)
    _write(sheet, "probability; red: mean of the people in a bin", left, top + side + 2 * SIZE + 8, SMALL)
    _write(
        sheet,
        "bars: part of them whose likeliest label is right; below: people",
        left,
        top + side + 3 * SIZE + 8,
        SMALL,
    )
    return sheet


def _blend(colour: Colour, part: float) -> Colour:
    """The colour on paper, more of it the larger the part."""
    b, g, r = (round(paper + (ink - paper) * part**0.6) for ink, paper in zip(colour, PAPER, strict=True))
    return b, g, r


def _fill(sheet: Picture, x: int, y: int, width: int, height: int, colour: Colour) -> None:
    cv2.rectangle(sheet, (x, y), (x + width - 1, y + height - 1), colour, cv2.FILLED)
    cv2.rectangle(sheet, (x, y), (x + width - 1, y + height - 1), FAINT, 1)


def _width(text: str, size: int) -> int:
    return int(cv2.getTextSize((0, 0), readable(text), (0, 0), FONT, size, _WEIGHT)[2])


def _write(sheet: Picture, text: str, x: int, y: int, size: int = SIZE, colour: Colour = INK) -> None:
    """Text whose base line begins at x, y."""
    cv2.putText(sheet, readable(text), (x, y), colour, FONT, size, _WEIGHT)


def _write_centred(sheet: Picture, text: str, x: int, y: int, size: int, colour: Colour) -> None:
    _write(sheet, text, x - _width(text, size) // 2, y, size, colour)


def _write_upwards(sheet: Picture, text: str, x: int, y: int) -> None:
    """Text that runs upwards from x, y."""
    strip = np.full((SIZE + 8, _width(text, SIZE) + 2, 3), 255, np.uint8)
    _write(strip, text, 0, SIZE)
    turned = cv2.rotate(strip, cv2.ROTATE_90_COUNTERCLOCKWISE)
    height, width = turned.shape[:2]
    sheet[y - height : y, x - SIZE : x - SIZE + width] = turned
