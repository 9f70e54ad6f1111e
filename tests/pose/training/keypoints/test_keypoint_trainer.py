"""The trainer with a small network on drawn people: it learns, keeps what it learns, and goes on after a stop."""

from __future__ import annotations

import copy
import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from pose.errors import TrainingError, WeightsError, WeightsMissing
from pose.inference.crops import CROP_SIZE, SMALL_CROP_SIZE
from pose.networks.tinypose import TinyPose
from pose.training.kept_files import BEST, HISTORY, LAST, STATE
from pose.training.keypoints.blend import blended, judge_blends
from pose.training.keypoints.crop_augmentation import crop_matrix
from pose.training.keypoints.crop_batches import CropBatches, normalised
from pose.training.keypoints.heatmap_loss import HeatmapLoss, heatmaps
from pose.training.keypoints.hold_out import TURNS, HoldOut
from pose.training.keypoints.keypoint_trainer import KeypointTrainer
from pose.training.keypoints.settings import KeypointTrainingSettings
from pose.training.keypoints.small_crop_settings import SmallCropTrainingSettings
from pose.training.keypoints.small_crops import AtSmallCells, shrunk
from pose.training.state_file import load_state
from pose.weight_files.plain_weights import read_state, write_state
from tests.pose.training.conftest import draw_people
from tests.pose.training.keypoints.test_crop_augmentation import PLAIN

SMALL = KeypointTrainingSettings(
    epochs=6, batch=4, learning_rate=3e-3, warm_up_steps=1, evaluations=2, augmentation=PLAIN, clip=10
)


def small_network(seed: int = 0) -> TinyPose:
    torch.manual_seed(seed)
    return TinyPose(channels=(8, 16), modules=(1,))


def test_four_people_learnt_by_heart(tmp_path, packed):
    batch = CropBatches(packed, 8, PLAIN)[99]

    def loss_of(network) -> float:
        with torch.no_grad():
            maps = network(normalised(batch.pixels, torch.device("cpu")))
            return float(HeatmapLoss(SMALL.loss)(maps, torch.from_numpy(batch.keypoints)))

    trainer = KeypointTrainer(small_network(), packed, tmp_path / "out", replace(SMALL, epochs=40))
    before = loss_of(trainer._network)
    trainer.run()
    assert trainer.steps == 40
    assert loss_of(trainer._network) < 0.75 * before
    assert {path.name for path in (tmp_path / "out").iterdir()} == {BEST, LAST, STATE, HISTORY}
    kept = read_state(tmp_path / "out" / LAST)
    for name, value in trainer._average.state.items():
        torch.testing.assert_close(kept[name], value.half().float())


def test_a_resumed_training_is_the_same_as_an_uninterrupted_one(tmp_path, packed):
    straight = KeypointTrainer(small_network(), packed, tmp_path / "straight", SMALL, teacher=small_network())
    straight.run()
    assert straight.steps == 6

    stopped = KeypointTrainer(small_network(), packed, tmp_path / "stopped", SMALL, teacher=small_network())
    step = stopped._step

    def interrupted():
        if stopped.steps == 3:
            raise KeyboardInterrupt
        return step()

    stopped._step = interrupted
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    assert load_state(tmp_path / "stopped" / STATE)["steps"] == 3
    again = KeypointTrainer(small_network(), packed, tmp_path / "stopped", SMALL, teacher=small_network())
    again.resume()
    again.run()
    assert again.steps == 6
    for name, value in straight._network.state_dict().items():
        torch.testing.assert_close(again._network.state_dict()[name], value, rtol=0, atol=0)
        torch.testing.assert_close(again._average.state[name], straight._average.state[name], rtol=0, atol=0)


def test_a_teacher_holds_upright_samples_to_what_was_known(tmp_path, packed):
    """The teacher is what the network was before its first step; turned samples have none."""
    network = small_network()
    trainer = KeypointTrainer(network, packed, tmp_path / "out", SMALL, teacher=network)
    first = float(trainer._step()[1])
    assert first == pytest.approx(0, abs=1e-4)  # the teacher may have answered in half precision
    assert float(trainer._step()[1]) > 2 * first  # one step away from it
    batch = trainer._batches[2]
    for turn, whole, asked in ((15, True, True), (16, True, False), (0, False, False)):
        batch.turns[:], batch.whole[:] = turn, whole
        assert (float(trainer._losses_of(batch)[1][1]) > 0) == asked


def test_a_network_for_small_crops_learns_from_a_large_one(tmp_path, packed):
    """It is shown small crops, its teacher the large ones they were made of."""
    settings = SmallCropTrainingSettings(epochs=1, batch=4, augmentation=PLAIN)
    shapes = []

    class Watched(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = small_network(3)

        def forward(self, x):
            shapes.append(tuple(x.shape))
            return self.network(x)

    trainer = KeypointTrainer(small_network(), packed, tmp_path / "out", settings, teacher=AtSmallCells(Watched()))
    trainer._network.register_forward_pre_hook(lambda module, x: shapes.append(tuple(x[0].shape)))
    batch = trainer._batches[0]
    for turn, whole, asked in ((-60, True, True), (0, False, True), (61, True, False)):
        batch.turns[:], batch.whole[:] = turn, whole
        shapes.clear()
        loss, parts = trainer._losses_of(batch)
        assert float(loss.detach()) == pytest.approx(float(parts.sum()))
        assert shapes == [(4, 3, 192, 128), (4, 3, 256, 192)][: 1 + asked]
        assert (float(parts[1]) > 0) == asked
    x, labels = shrunk(batch), HeatmapLoss(settings.loss)
    with torch.no_grad():
        wanted = labels(trainer._network(normalised(x.pixels, trainer.device)), torch.from_numpy(x.keypoints))
    assert float(parts[0]) == pytest.approx(float(wanted))


def test_batches_depend_on_seed_and_step_only(packed):
    first, second = CropBatches(packed, 3, PLAIN, seed=1), CropBatches(packed, 3, PLAIN, seed=1)
    _ = first[0], first[1]
    np.testing.assert_array_equal(first[2].pixels, second[2].pixels)
    assert not np.array_equal(first[3].pixels, second[2].pixels)
    with pytest.raises(TrainingError, match="no set 'coco'"):
        CropBatches(packed, 3, PLAIN, {"coco": 2})


def test_the_hold_out_chooses_the_best(tmp_path, packed):
    people = draw_people(tmp_path / "judged", 3, seed=8).pictures
    hold_out = HoldOut(people)
    assert len(hold_out) == 4
    trainer = KeypointTrainer(small_network(), packed, tmp_path / "out", SMALL, hold_out=hold_out)
    figures = iter([0.2, 0.5, 0.4])

    def judge(network, dtype=None):
        return dict.fromkeys(("oks_upright", "ap_upright", "oks_turned", "ap_turned"), next(figures))

    hold_out.judge = judge
    trainer.run()
    rows = list(csv.DictReader((tmp_path / "out" / HISTORY).open()))
    assert [row["oks_upright"] for row in rows] == ["0.2", "0.5", "0.4"]
    assert trainer.best == 0.5
    assert (tmp_path / "out" / BEST).read_bytes() != (tmp_path / "out" / LAST).read_bytes()


@pytest.mark.parametrize(("size", "cells"), [(CROP_SIZE, (64, 48)), (SMALL_CROP_SIZE, (48, 32))])
def test_the_hold_out_knows_a_perfect_answer(tmp_path, size, cells):
    """A network that is shown where the dots are finds everybody in every turn."""
    people = draw_people(tmp_path / "judged", 2, seed=8).pictures
    hold_out = HoldOut(people, crop_size=size)
    assert len(hold_out) == 3
    boxes = [box for picture in people for box in picture.boxes]
    labelled = np.concatenate([picture.keypoints for picture in people])
    answers = []
    for turn in TURNS:
        points = labelled.copy()
        for row, box in zip(points, boxes, strict=True):
            matrix = crop_matrix(box, turn, size=size)
            row[:, :2] = row[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        answers.append(heatmaps(torch.from_numpy(points), cells, 2))

    class Knowing(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))
            self.answers = iter(answers)

        def forward(self, x):
            return next(self.answers)

    figures = hold_out.judge(Knowing())
    assert min(figures.values()) > 0.98


def test_small_crops_are_judged_by_people_who_get_them(tmp_path):
    """By whose crop loses no pixel of the picture: people up to 153.6 px high and 102.4 wide."""
    (picture,) = draw_people(tmp_path / "judged", 1).pictures

    def judged(width, height, area, crop_size=SMALL_CROP_SIZE):
        box = np.array([[2, 3, 2 + width, 3 + height]], np.float32)
        one = replace(picture, boxes=box, areas=np.array([area], np.float32))
        try:
            return len(HoldOut([one], crop_size=crop_size)) == 1
        except TrainingError:
            return False

    assert judged(50, 153, 3000)
    assert not judged(50, 154, 3000)
    assert judged(50, 154, 3000, CROP_SIZE)
    assert judged(102, 100, 3000)
    assert not judged(103, 100, 3000)
    assert judged(10, 30, 256)
    assert not judged(10, 30, 255)
    assert not judged(30, 50, 1023, CROP_SIZE)
    with pytest.raises(TrainingError, match="Nobody in 1 pictures has a size for crops of 128×192"):
        HoldOut([replace(picture, areas=picture.areas * 0)], crop_size=SMALL_CROP_SIZE)


def test_blends(tmp_path):
    network = small_network(1)
    own = copy.deepcopy(network.state_dict())
    start, tuned = small_network(0).state_dict(), small_network(2).state_dict()
    middle = blended(start, tuned, 0.25)
    torch.testing.assert_close(
        middle["to_keypoints.bias"], 0.75 * start["to_keypoints.bias"] + 0.25 * tuned["to_keypoints.bias"]
    )
    hold_out = HoldOut(draw_people(tmp_path / "judged", 2).pictures)
    rows = judge_blends(network, start, tuned, hold_out, (0, 1))
    assert [row["share"] for row in rows] == [0, 1]
    assert rows[0]["oks_upright"] == hold_out.judge(small_network(0))["oks_upright"]
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, own[name], rtol=0, atol=0)
    with pytest.raises(WeightsError, match="different networks"):
        blended(start, {}, 0.5)
    with pytest.raises(WeightsMissing):
        read_state(tmp_path / "none.safetensors")
    write_state(start, tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-5])
    with pytest.raises(WeightsError, match="not a whole"):
        read_state(tmp_path / "a.safetensors")


def test_faults_are_sentences(tmp_path, packed):
    with pytest.raises(TrainingError, match="batch is 0"):
        replace(SMALL, batch=0)
    with pytest.raises(TrainingError, match="upright_share is 2"):
        replace(SMALL, upright_share=2)
    with pytest.raises(TrainingError, match=r"crop_size is \(96, 128\)"):
        replace(SMALL, crop_size=(96, 128))
    trainer = KeypointTrainer(small_network(), packed, tmp_path / "out", SMALL)
    with pytest.raises(TrainingError, match="nothing to resume"):
        trainer.resume()
    trainer.save()
    other = KeypointTrainer(TinyPose((8, 16, 32), (1, 1)), packed, tmp_path / "out", SMALL)
    with pytest.raises(TrainingError, match="another network"):
        other.resume()
    with torch.no_grad():
        trainer._network.to_keypoints.weight.fill_(float("nan"))
    trainer.settings = replace(SMALL, epochs=100)
    with pytest.raises(TrainingError, match="Lower the learning rate"):
        trainer.run()
    with pytest.raises(TrainingError, match="Nobody in 0 pictures"):
        HoldOut([])
