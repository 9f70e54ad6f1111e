"""Assignment in a made world whose right answer is known, and in the corners of it."""

from __future__ import annotations

import pytest
import torch

from pose.training.detector.task_alignment import assign, overlaps
from tests.pose.training.detector.conftest import CELLS, answer

# Cell 9 is the second of the second row at stride 8, centre 12, 12; cell 10 right of it, centre 20, 12.
LEFT_PERSON, RIGHT_PERSON = (4.0, 4.0, 20.0, 20.0), (36.0, 36.0, 60.0, 60.0)
NOBODY = torch.zeros(1, 0, 4)


def assigned(found, people, ignored=NOBODY):
    return assign(
        found.scores(), found.boxes(), found.centres, found.strides, torch.tensor([people]).reshape(1, -1, 4), ignored
    )


def test_cells_that_fit_answer_and_the_best_is_as_sure_as_it_fits():
    # Cell 45 (sixth row, sixth column): centre 44, 44; it sees the right person well. Cell 9 sees the left one exactly.
    found = answer({9: (2.0, LEFT_PERSON), 45: (1.0, (36.0, 36.0, 60.0, 52.0))})
    result = assigned(found, [LEFT_PERSON, RIGHT_PERSON])
    assert result.person.shape == (1, CELLS)
    assert result.person[0, 9] == 0
    assert result.person[0, 45] == 1
    assert result.score[0, 9] == pytest.approx(1.0, abs=1e-3)  # overlaps completely
    assert result.score[0, 45] == pytest.approx(16 / 24, abs=1e-3)
    assert result.score[0, 9] == result.score[0, result.person[0] == 0].max()
    away = (found.centres[:, 0] > 20) & (found.centres[:, 0] < 36)
    assert (result.person[0, away] == -1).all()
    assert (result.score[0, away] == 0).all()
    assert not result.ignored.any()


def test_a_cell_between_two_people_answers_for_the_one_it_overlaps_more():
    near, far = (4.0, 4.0, 20.0, 20.0), (4.0, 4.0, 28.0, 28.0)
    found = answer({9: (2.0, near)})
    assert assigned(found, [far, near]).person[0, 9] == 1
    assert assigned(found, [near, far]).person[0, 9] == 0


def test_somebody_who_holds_no_centre_gets_the_nearest_cell():
    tiny = (13.0, 13.0, 15.5, 15.5)  # between the centres 12 and 20, of stride 8 nearest to 12, 12 (cell 9)
    found = answer({9: (0.0, (12.0, 12.0, 20.0, 20.0))})
    result = assigned(found, [tiny])
    assert (result.person[0] >= 0).nonzero()[:, 0].tolist() == [9]


def test_ignored_boxes_take_only_cells_that_answer_for_nobody():
    found = answer({9: (2.0, LEFT_PERSON)})
    result = assigned(found, [LEFT_PERSON], torch.tensor([[[0.0, 0.0, 40.0, 24.0], [0.0, 0.0, 0.0, 0.0]]]))
    inside = (found.centres[:, 0] < 40) & (found.centres[:, 1] < 24)
    assert torch.equal(result.ignored[0], inside & (result.person[0] < 0))
    assert result.person[0, 9] == 0


def test_pictures_without_people_and_rows_that_fill_up():
    found = answer({9: (2.0, LEFT_PERSON)})
    empty = assigned(found, [])
    padded = assigned(found, [(0.0, 0.0, 0.0, 0.0)])
    for result in (empty, padded):
        assert (result.person == -1).all()
        assert (result.score == 0).all()
    with_padding = assigned(found, [LEFT_PERSON, (0.0, 0.0, 0.0, 0.0)])
    assert torch.equal(with_padding.person, assigned(found, [LEFT_PERSON]).person)


def test_overlaps():
    a = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    b = torch.tensor([[0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 6.0, 4.0], [4.0, 4.0, 8.0, 8.0], [0.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(overlaps(a, b), torch.tensor([1.0, 1 / 3, 0.0, 0.0]))
