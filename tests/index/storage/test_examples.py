"""Origins of rows."""

from __future__ import annotations

import numpy as np
import pytest

from index import Examples


def test_unknown_origins() -> None:
    examples = Examples.unknown(2)
    assert len(examples) == 2
    assert np.isnan(examples.keypoints).all()
    assert examples.people.tolist() == [-1, -1]
    assert repr(examples) == "Examples(rows=2, known=0)"
    assert len(Examples.concatenate([])) == 0


def test_select_and_concatenate(pictures_of) -> None:
    examples = pictures_of(["a", "b", "c"])
    assert examples.select([2, 0]).pictures == ("pictures/c.jpg", "pictures/a.jpg")
    assert examples.select(np.array([False, True, False])).pictures == ("pictures/b.jpg",)
    assert len(examples.select([])) == 0
    joined = Examples.concatenate([examples.select([0]), Examples.unknown(1), examples.select([1, 2])])
    assert joined.pictures == ("pictures/a.jpg", "", "pictures/b.jpg", "pictures/c.jpg")
    np.testing.assert_array_equal(joined.keypoints[[0, 2, 3]], examples.keypoints)


def test_shapes_are_checked_and_arrays_read_only(pictures_of) -> None:
    examples = pictures_of(["a"])
    with pytest.raises(ValueError, match="read-only"):
        examples.boxes[0, 0] = 1
    fields = [examples.pictures, examples.digests, examples.people, examples.keypoints, examples.boxes, examples.sizes]
    for number, name in enumerate(["digests", "people", "keypoints", "boxes", "sizes"], 1):
        wrong = list(fields)
        wrong[number] = fields[number][:0]
        with pytest.raises(ValueError, match=name):
            Examples(*wrong)
