"""The detector's trainer on drawn pictures: it learns them by heart, keeps what it learns, and goes on after a stop."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from pose.errors import TrainingError
from pose.networks.picodet import PicoDet
from pose.training.detector.box_hold_out import BoxHoldOut
from pose.training.detector.detector_trainer import DetectorTrainer
from pose.training.detector.picture_augmentation import DetectorAugmentation
from pose.training.detector.picture_batches import PictureBatches
from pose.training.detector.settings import DetectorTrainingSettings
from pose.training.kept_files import BEST, HISTORY, LAST, STATE
from pose.weight_files.plain_weights import read_state

PLAIN = DetectorAugmentation(
    whole=1, sideways=0, upside_down=0, any_turn=0, tilt_degrees=0, mirror=0, colour=0, blur=0
)  # fmt: skip
SMALL = DetectorTrainingSettings(epochs=4, sides={64: 1}, batch=4, warm_up_steps=2, evaluations=2, learning_rate=1e-3)


def small_network(seed: int = 0) -> PicoDet:
    torch.manual_seed(seed)
    network = PicoDet((8, 8, 12, 16, 24, 24), 16)
    for module in network.modules():  # there is no normalisation, so signals must keep their size by themselves
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
            torch.nn.init.zeros_(module.bias)
    for head in network.heads:  # sure of nothing, as trained heads are of most cells
        torch.nn.init.constant_(head.to_class.bias, -3)
    return network


def test_two_pictures_are_learnt_by_heart(tmp_path, made_people):
    pictures = made_people.pictures[:2]
    hold_out = BoxHoldOut(pictures, 128)
    settings = replace(
        SMALL, epochs=50, sides={128: 1}, batch=2, learning_rate=0.03, average_decay=0.8, augmentation=PLAIN, clip=5,
        evaluations=1,
    )  # fmt: skip
    trainer = DetectorTrainer(
        small_network(), pictures, tmp_path / "out", settings, hold_out=hold_out, teach_itself=False
    )
    trainer.run()
    first, last = trainer.history[0], trainer.history[-1]
    assert trainer.steps == 50
    assert first["ap50_upright"] < 0.1
    assert last["ap50_upright"] > 0.9
    with torch.no_grad():
        _, parts = trainer._losses(trainer.steps)
        trainer._network.load_state_dict(small_network().state_dict())
        _, before = trainer._losses(trainer.steps)
    assert parts[0] < before[0]  # score
    assert parts[2] < 0.5 * before[2]  # box


def test_a_resumed_training_equals_one_that_was_never_stopped(tmp_path, made_people):
    settings = replace(SMALL, batch=2, epochs=1)  # four steps, all augmentation on, the network its own teacher
    whole = DetectorTrainer(small_network(), made_people.pictures, tmp_path / "whole", settings)
    whole.run()
    assert whole.steps == 4

    stopped = DetectorTrainer(small_network(), made_people.pictures, tmp_path / "stopped", settings)
    step = stopped._step

    def interrupted():
        if stopped.steps == 2:
            raise KeyboardInterrupt
        return step()

    stopped._step = interrupted
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    resumed = DetectorTrainer(small_network(), made_people.pictures, tmp_path / "stopped", settings)
    resumed.resume()
    assert resumed.steps == 2
    resumed.run()
    for name, value in whole._network.state_dict().items():
        torch.testing.assert_close(resumed._network.state_dict()[name], value, rtol=0, atol=0)
    for name, value in whole._average.state.items():
        torch.testing.assert_close(resumed._average.state[name], value, rtol=0, atol=0)


def test_what_is_kept(tmp_path, made_people):
    hold_out = BoxHoldOut(made_people.pictures, 64)
    trainer = DetectorTrainer(
        small_network(), made_people.pictures, tmp_path / "out", replace(SMALL, epochs=1), hold_out=hold_out
    )
    trainer.run()
    assert {file.name for file in (tmp_path / "out").iterdir()} == {BEST, LAST, STATE, HISTORY}
    network = small_network(1)
    network.load_state_dict(read_state(tmp_path / "out" / LAST))
    rows = list(csv.DictReader((tmp_path / "out" / HISTORY).open()))
    assert len(rows) == 3  # before, in the middle, at the end
    assert {"samples", "score", "teacher", "ap_upright", "ap_turned", "figure"} <= rows[-1].keys()


def test_training_without_a_teacher_and_hold_out_keeps_the_last(tmp_path, made_people):
    trainer = DetectorTrainer(
        small_network(), made_people.pictures, tmp_path / "out", replace(SMALL, epochs=0.5), teach_itself=False
    )
    trainer.run()
    assert (tmp_path / "out" / BEST).read_bytes() == (tmp_path / "out" / LAST).read_bytes()


def test_faults_are_told(tmp_path, made_people):
    empty = [replace(picture, crowd=np.ones(len(picture), bool)) for picture in made_people.pictures]
    with pytest.raises(TrainingError, match="Nobody is labelled"):
        DetectorTrainer(small_network(), empty, tmp_path, SMALL)
    with pytest.raises(TrainingError, match="Nobody is labelled"):
        BoxHoldOut(empty)
    with pytest.raises(TrainingError, match="multiples of 64"):
        replace(SMALL, sides={96: 1})
    with pytest.raises(TrainingError, match="batch is 0"):
        replace(SMALL, batch=0)
    with pytest.raises(TrainingError, match="upright_share is 2"):
        replace(SMALL, upright_share=2)
    with pytest.raises(TrainingError, match="There is no set 'coco'; the sets are made"):
        PictureBatches(made_people.pictures, 2, {64: 1}, PLAIN, {"coco": 1})
    with pytest.raises(TrainingError, match="No picture has a weight above 0"):
        PictureBatches(made_people.pictures, 2, {64: 1}, PLAIN, {"made": 0})


def test_batches_depend_on_their_number_alone(made_people):
    batches = PictureBatches(made_people.pictures, 3, {64: 1, 128: 1}, DetectorAugmentation())
    again = PictureBatches(made_people.pictures, 3, {64: 1, 128: 1}, DetectorAugmentation())
    later, _ = batches[7], batches[2]
    np.testing.assert_array_equal(later.pixels, again[7].pixels)
    assert torch.equal(later.boxes, again[7].boxes)
    assert {again[n].pixels.shape[1] for n in range(8)} == {64, 128}
