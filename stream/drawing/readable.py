"""`readable`: a label in characters that can be drawn."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

import cv2
import numpy as np

__all__ = ["FONT", "WEIGHT", "readable"]

FONT: Final = cv2.FontFace("sans")  # European, Arabic, Hebrew and East Asian scripts
WEIGHT: Final = 500

_UNASSIGNED: Final = "\u0378"  # the font draws the same box for it as for whatever else it lacks
_SILENT: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn", "Sk"})
"""Categories of what changes a character beside it, or says nothing: joiners, skin tones, variation selectors."""


@lru_cache(maxsize=4096)
def readable(label: str) -> str:
    """The label, with its name in words for every emoji and other sign that the font lacks: "person in lotus position".

    Letters that it lacks (Devanagari, Thai) become their sound as Unicode names it, which is crude, and better than
    boxes that all look alike. Line breaks become spaces.
    """
    text = ""
    for character in label:
        if character.isspace():
            text += " "
        elif unicodedata.category(character) == "Cf" or not _lacks(character):
            text += character
        elif (plain := unicodedata.normalize("NFKC", character)) != character and not any(map(_lacks, plain)):
            text += plain
        else:
            text += _in_words(character)
    return " ".join(text.split()) or "?"


def _in_words(character: str) -> str:
    name = unicodedata.name(character, "").lower()
    category = unicodedata.category(character)
    if name.startswith("regional indicator"):  # two make a flag
        return name[-1].upper()
    if category[0] in "LM" and "variation selector" not in name and "combining" not in name:
        return name.rpartition(" ")[2]
    return "" if category in _SILENT else f" {name} "


@lru_cache(maxsize=4096)
def _lacks(character: str) -> bool:
    """Whether the font has no picture of a character."""
    return not character.isascii() and _picture(character) == _picture(_UNASSIGNED)


def _picture(character: str) -> bytes:
    picture = np.zeros((40, 60), np.uint8)
    cv2.putText(picture, character, (10, 28), 255, FONT, 20, WEIGHT)
    return picture.tobytes()
