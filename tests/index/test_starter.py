"""The database that ships: whole, and built with the weights that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index import PostureIndex, starter_prefix
from pose.weight_files.digest import sha256

WEIGHTS = Path(__file__).parents[2] / "weights"


def test_it_loads_and_knows_everyday_postures() -> None:
    index = PostureIndex.load(starter_prefix(), device="cpu")
    assert index.rows > 1500
    assert {"standing", "sitting", "lying", "running", "squatting"} <= set(index.classes)
    assert index.rejection_radius is not None
    assert len(index.examples) == index.rows
    np.testing.assert_allclose(index.embedding.compute(index.examples.keypoints), index.vectors, atol=1e-5)


def test_it_belongs_to_the_weights_that_ship() -> None:
    index = PostureIndex.load(starter_prefix(), device="cpu")
    assert {*index.networks} == {(part, sha256(WEIGHTS / f"{part}.safetensors")) for part in ("picodet-s", "tinypose")}


def test_it_names_no_place_of_the_machine_it_was_built_on() -> None:
    index = PostureIndex.load(starter_prefix(), device="cpu")
    assert not any(
        Path(name).is_absolute() or ".." in Path(name).parts for name in (*index.examples.pictures, *index.built_from)
    )


def test_loading_without_a_name_finds_what_the_command_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert PostureIndex.load(device="cpu").rows == PostureIndex.load(starter_prefix(), device="cpu").rows
    own = PostureIndex("nose25", device="cpu")
    own.add(np.zeros((1, 25), np.float32), ["mine"])
    own.save("pose_index")
    assert PostureIndex.load(device="cpu").classes == ("mine",)
