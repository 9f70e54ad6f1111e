"""Groups by path, and folds that hold them together."""

from __future__ import annotations

import numpy as np
import pytest

from index.errors import EvaluationError
from index.evaluation.groups import assign_folds, group_codes, group_of


@pytest.mark.parametrize(
    ("picture", "grouping", "group"),
    [
        ("a/standing/har_0494.jpg", "source", "har"),
        ("a/standing/0494.jpg", "source", "a/standing"),
        ("a/standing/har_0494.jpg", "picture", "a/standing/har_0494.jpg"),
        ("a/standing/person-Anna/1.jpg", "person", "anna"),
        ("a/standing/person3_camera2_0001.jpg", "person", "3"),
        ("a/standing/person3_camera2_0001.jpg", "camera", "2"),
        ("a/standing/Camera=hall/1.jpg", "camera", "hall"),
        ("personal/standing/cameras_1.jpg", "person", None),
        ("personal/standing/cameras_1.jpg", "camera", None),
    ],
)
def test_what_a_path_says(picture: str, grouping: str, group: str | None) -> None:
    assert group_of(picture, grouping) == group


def test_codes_follow_names_and_families() -> None:
    pictures = ["s/a_1", "s/b_1", "s/c_1", "s/d_1", "s/a_2"]
    apart = np.arange(5)
    codes = group_codes(pictures, "source", apart)
    assert codes[0] == codes[4]
    assert len(set(codes.tolist())) == 4
    codes = group_codes(pictures, "source", np.array([0, 1, 2, 1, 2]))  # b and d are one, c and a by way of row 4
    assert codes[0] == codes[4] == codes[2] != codes[1] == codes[3]
    codes = group_codes(["s/a_1", "s/b_1", "s/c_1", "s/c_2"], "source", np.array([0, 1, 0, 3]))
    assert codes[0] == codes[2] == codes[3] != codes[1]  # c_2 follows c_1, which is a_1
    codes = group_codes(pictures, "picture", np.array([0, 1, 2, 1, 4]))
    assert codes[1] == codes[3]
    assert len(set(codes.tolist())) == 4


def test_paths_that_do_not_say_are_one_group() -> None:
    codes = group_codes(["person1_a", "x", "person2_a", "y"], "person", np.arange(4))
    assert codes[1] == codes[3]
    assert len(set(codes.tolist())) == 3


def test_nothing_to_hold_out() -> None:
    with pytest.raises(EvaluationError, match=r"No picture's path says which camera.*camera1_0001\.jpg"):
        group_codes(["s/a", "s/b"], "camera", np.arange(2))
    with pytest.raises(EvaluationError, match=r"All pictures are of one source, so"):
        group_codes(["s/a_1", "s/a_2"], "source", np.arange(2))
    with pytest.raises(EvaluationError, match=r"once near-duplicates are kept together"):
        group_codes(["s/a_1", "s/b_2"], "source", np.array([0, 0]))
    with pytest.raises(EvaluationError, match=r"near-duplicates of one another"):
        group_codes(["s/a_1", "s/b_2"], "picture", np.array([0, 0]))


def test_folds_hold_groups_together_and_are_even() -> None:
    groups = np.repeat([7, 3, 9, 1, 5], [6, 5, 4, 3, 2])
    fold_of = assign_folds(groups, 2)
    assert all(len(set(fold_of[groups == group].tolist())) == 1 for group in (7, 3, 9, 1, 5))
    assert sorted(np.bincount(fold_of).tolist()) == [9, 11]
    assert len(set(assign_folds(groups, 50).tolist())) == 5
