"""Names of class folders that people take for one name."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.building.class_names import merge_names, name_warnings
from index.building.pictures import ClassPicture, Folder


def folder(**counts: int) -> Folder:
    pictures = [
        ClassPicture(Path(f"{name}/{number}.jpg"), name) for name, count in counts.items() for number in range(count)
    ]
    return Folder(tuple(pictures), tuple(counts), (), ())


@pytest.mark.parametrize(
    ("names", "known", "said"),
    [
        (["sitting", "standing"], [], []),
        (["Standing", "standing"], [], ["'Standing' and 'standing'"]),
        (["side plank", "sideplank", "SIDE  PLANK", "x"], [], ["'side plank' and 'sideplank' and 'SIDE  PLANK'"]),
        (["standing "], ["standing", "sitting"], ["'standing' and 'standing '"]),
        (["sitting"], ["standing", "Standing"], []),  # which is nothing new
        (["Other", "standing"], [], ["'Other' and 'other'"]),
        (["standing"], [], ["only one posture, 'standing'"]),
        (["standing"], ["sitting"], []),
        (["standing"], ["standing"], ["only one posture"]),
    ],
)
def test_warnings(names: list[str], known: list[str], said: list[str]) -> None:
    warnings = name_warnings(names, known)
    assert len(warnings) == len(said)
    assert all(part in warning for part, warning in zip(said, warnings, strict=True))


def test_names_are_merged_into_the_one_that_is_known_or_most_frequent() -> None:
    found = folder(**{"Standing ": 3, "standing": 2, " sitting": 1, "OTHER": 1, "lying": 1})
    merged = merge_names(found)
    assert merged.classes == ("Standing", "sitting", "other", "lying")
    assert [picture.label for picture in merged.pictures] == ["Standing"] * 5 + ["sitting", "other", "lying"]
    assert [picture.path for picture in merged.pictures] == [picture.path for picture in found.pictures]
    assert merge_names(found, ["STANDING"]).classes == ("STANDING", "sitting", "other", "lying")
