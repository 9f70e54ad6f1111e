"""The file of origins."""

from __future__ import annotations

import io

import numpy as np
import pytest

from index.storage.examples_file import dump_examples, load_examples


def test_round_trip(pictures_of) -> None:
    examples = pictures_of(["a", "größer\n", "\udcff"])
    again = load_examples(dump_examples(examples))
    assert again.pictures == examples.pictures
    assert again.digests == examples.digests
    for name in ("people", "keypoints", "boxes", "sizes"):
        np.testing.assert_array_equal(getattr(again, name), getattr(examples, name))


def test_damage_is_a_value_error(pictures_of) -> None:
    data = dump_examples(pictures_of(["a", "b"]))
    for damaged in (b"", b"PK", data[: len(data) // 2], data[:60] + b"\xff\xff\xff\xff" + data[64:]):
        with pytest.raises(ValueError, match=r"."):
            load_examples(damaged)


def test_pickled_arrays_are_refused(pictures_of) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, pictures=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="no whole file of arrays"):
        load_examples(buffer.getvalue())
