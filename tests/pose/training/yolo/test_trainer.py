"""The trainer with a real network on drawn people: it learns, keeps what it learns, and goes on after a stop."""

from __future__ import annotations

import copy
import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from pose.datasets.labelled import LabelledPicture, LabelledSet
from pose.errors import TrainingError
from pose.networks.architecture import Architecture
from pose.training.kept_files import BEST, HISTORY, LAST, STATE
from pose.training.state_file import load_state
from pose.training.yolo.augmentation import AugmentationSettings
from pose.training.yolo.batches import Batches, picture_weights
from pose.training.yolo.fresh import fresh_network
from pose.training.yolo.loss import PoseLoss
from pose.training.yolo.settings import TrainingSettings
from pose.training.yolo.trainer import Trainer
from pose.weight_files.checkpoint import load_network
from tests.pose.training.conftest import draw_people

SMALL = TrainingSettings(
    epochs=10, sizes=((0.0, 96),), batch=4, jitter=0, warm_up_steps=2, evaluations=2, learning_rate=3e-3
)

PLAIN = AugmentationSettings(
    mosaic=0, zoom=0, picture_scale=(0.95, 1.05), degrees=0, quarter_turns=0, flip=0, colour=0
)  # fmt: skip


def small_network(seed: int = 0, network: str = "yolov7-tiny-pose"):
    torch.manual_seed(seed)
    if network == "yolov7-w6-pose":
        return fresh_network(Architecture(network, "official", "silu", "silu", width=0.03))
    return fresh_network(Architecture(network, "short", "leaky_relu_0.1", "leaky_relu_0.1", width=0.125))


@pytest.mark.parametrize("network", ["yolov7-tiny-pose", "yolov7-w6-pose"])
def test_twenty_steps(tmp_path, made_people, network):
    sizes = ((0.0, 128),)
    settings = TrainingSettings(**{**_fields(SMALL), "sizes": sizes, "augmentation": PLAIN, "learning_rate": 0.01})
    (fixed,) = [
        next(iter(Batches(made_people.pictures, batch=8, side=sizes[0][1], stride=64, settings=PLAIN, seed=(5,))))
    ]

    def loss_of(model) -> float:
        with torch.no_grad():
            x = torch.from_numpy(fixed.canvases).permute(0, 3, 1, 2).float() / 255
            return float(PoseLoss(model.head)(copy.deepcopy(model).train()(x), fixed.targets)[0])

    def evaluate(weights: Path, folder: Path) -> dict[str, float]:
        assert load_network(weights).architecture.network == network
        return {"ap": 0.1 + 0.1 * len(trainer.history)}

    trainer = Trainer(
        small_network(network=network), made_people.pictures, tmp_path / "out", settings, workers=0, evaluate=evaluate
    )
    before = loss_of(trainer._network)
    trainer.run()
    assert trainer.steps == 20
    assert trainer.samples == 80
    assert trainer.progress == 1
    assert loss_of(trainer._network) < 0.99 * before  # the same batch before and after, so no noise is in it
    assert {path.name for path in (tmp_path / "out").iterdir()} == {BEST, LAST, STATE, HISTORY}
    rows = list(csv.DictReader((tmp_path / "out" / HISTORY).open()))
    assert [row["ap"] for row in rows] == ["0.1", "0.2"]
    assert trainer.best == pytest.approx(0.2)
    assert (tmp_path / "out" / BEST).read_bytes() != b""


def test_a_training_that_is_stopped_goes_on(tmp_path, made_people):
    """Ctrl-C in the middle keeps everything; the resumed training ends where the settings say."""
    out = tmp_path / "out"
    trainer = Trainer(small_network(), made_people.pictures, out, SMALL, workers=0)
    step, done = trainer._step, []

    def interrupted(*args):
        if len(done) == 7:
            raise KeyboardInterrupt
        done.append(1)
        return step(*args)

    trainer._step = interrupted
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    kept = load_state(out / STATE)
    assert kept["steps"] == 7

    again = Trainer(small_network(seed=9), made_people.pictures, out, SMALL, workers=0)
    again.resume()
    assert again.samples == 28
    for name, value in again._network.state_dict().items():
        torch.testing.assert_close(value, kept["network"][name], rtol=0, atol=0)
    moments = again._optimiser.state_dict()["state"]
    assert all(float(moment["step"]) == 7 for moment in moments.values())
    again.run()
    assert again.steps == 20


def test_the_weights_that_are_kept_are_the_average(tmp_path, made_people):
    trainer = Trainer(small_network(), made_people.pictures, tmp_path / "out", SMALL, workers=0)
    training = copy.deepcopy(trainer._network.state_dict())
    trainer.run()
    kept = load_network(tmp_path / "out" / LAST).state_dict()
    moved = 0
    for name, value in trainer._network.state_dict().items():
        average = trainer._average.state[name]
        if value.is_floating_point():
            torch.testing.assert_close(kept[name], average.half().float())
            moved += int(not torch.allclose(average, value)) + int(not torch.allclose(value, training[name]))
    assert moved > 100


def test_the_last_weights_are_the_best_where_nobody_judges(tmp_path, made_people):
    Trainer(small_network(), made_people.pictures, tmp_path / "out", SMALL, workers=0).run()
    best, last = (load_network(tmp_path / "out" / name).state_dict() for name in (BEST, LAST))
    for name, value in best.items():
        torch.testing.assert_close(value, last[name], rtol=0, atol=0)


def test_a_loss_that_is_no_number_ends_in_a_sentence(tmp_path, made_people):
    trainer = Trainer(small_network(), made_people.pictures, tmp_path / "out", SMALL, workers=0)
    with torch.no_grad():
        trainer._network.conv1.conv.weight.fill_(float("nan"))
    settings = TrainingSettings(**{**_fields(SMALL), "epochs": 100})
    trainer.settings = settings
    with pytest.raises(TrainingError, match="Lower the learning rate"):
        trainer.run()


def test_workers_prepare_other_batches_each(made_people):
    batches = Batches(
        made_people.pictures, batch=4, side=96, stride=32, settings=AugmentationSettings(), seed=(1,)
    )  # fmt: skip
    loader = iter(batches.loader(2))
    first, second = next(loader), next(loader)
    assert first.canvases.shape == second.canvases.shape == (4, 96, 96, 3)
    assert not np.array_equal(first.canvases, second.canvases)
    del loader


def test_larger_pictures_come_in_smaller_batches(made_people):
    batches = Batches(made_people.pictures, batch=16, side=96, stride=32, settings=AugmentationSettings(), paint=False)
    loader = iter(batches.loader(0))
    assert (len(first := next(loader)), first.canvases, first.recipes[0].side) == (16, None, 96)
    batches.resize(192)
    assert (len(later := next(loader)), later.recipes[0].side) == (4, 192)
    assert (later.targets.picture < 4).all()


def test_sets_are_drawn_as_often_as_asked(tmp_path):
    both = (
        draw_people(tmp_path / "a", 4, prefix="often").pictures + draw_people(tmp_path / "b", 4, prefix="rare").pictures
    )
    weights = picture_weights(both, {"often": 9.0})
    plain = AugmentationSettings(mosaic=0)
    batches = Batches(both, batch=400, side=32, stride=32, settings=plain, weights=weights, paint=False)
    drawn = [recipe.tiles[0].picture < 4 for recipe in next(iter(batches)).recipes]
    assert np.mean(drawn) == pytest.approx(0.9, abs=0.06)


def test_pictures_in_which_somebody_lies_are_drawn_as_often_as_asked(made_people):
    picture = made_people.pictures[0]
    standing = np.zeros((17, 3), np.float32)
    standing[:, :2], standing[:, 2] = (40, 20), 2  # everything at the shoulders, …
    standing[11:, 1] = 60  # … the hips and what hangs on them below
    lying, bent, upside_down, headless = standing.copy(), standing.copy(), standing.copy(), standing.copy()
    lying[11:, :2] = 90, 25
    bent[11:, :2] = 90, 60
    upside_down[11:, 1] = 5
    headless[5:7, 2] = 0  # without shoulders nothing is known of the torso
    one_shoulder = lying.copy()
    one_shoulder[5] = 0, 0, 0

    def weight(*people: np.ndarray) -> float:
        count = len(people)
        boxes, crowd = np.tile(np.float32([10, 10, 90, 90]), (count, 1)), np.zeros(count, bool)
        shown = LabelledPicture(
            picture.path, (100, 100), boxes, np.array(people).reshape(-1, 17, 3), boxes[:, 0], crowd, 0
        )
        return float(picture_weights([shown], {}, lying=3.0)[0])

    assert [weight(one) for one in (standing, lying, bent, upside_down, headless)] == [1, 3, 3, 3, 1]
    assert (weight(), weight(standing, one_shoulder), weight(standing, standing)) == (1, 3, 1)


def test_resident_pictures_train_too(tmp_path, made_people):
    settings = TrainingSettings(**{**_fields(SMALL), "epochs": 2})
    trainer = Trainer(small_network(), made_people.pictures, tmp_path / "out", settings, workers=0, resident=True)
    trainer.run()
    assert trainer.steps == 4


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sizes": ((0.5, 192),)}, "rising shares from 0"),
        ({"sizes": ((0.0, 32),)}, "below 64"),
        ({"epochs": 0}, "epochs is 0"),
        ({"minutes": -1.0}, "minutes is -1"),
        ({"jitter": 0.7}, "jitter is 0.7"),
    ],
)
def test_settings_that_make_no_training(change, sentence):
    with pytest.raises(TrainingError, match=sentence):
        TrainingSettings(**{**_fields(SMALL), **change})


def test_faults_are_sentences(tmp_path, made_people):
    empty = LabelledSet(tuple(picture for picture in made_people.pictures if not len(picture)), False)
    with pytest.raises(TrainingError, match="Nobody is labelled"):
        Trainer(small_network(), empty.pictures, tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be made"):
        Trainer(small_network(), made_people.pictures, tmp_path / "file")
    trainer = Trainer(small_network(), made_people.pictures, tmp_path / "out", SMALL)
    with pytest.raises(TrainingError, match="nothing to resume"):
        trainer.resume()
    (tmp_path / "out" / STATE).write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(TrainingError, match="damaged"):
        trainer.resume()
    trainer.save()
    other = Trainer(small_network(network="yolov7-w6-pose"), made_people.pictures, tmp_path / "out", SMALL)
    with pytest.raises(TrainingError, match="another network"):
        other.resume()


def test_a_fresh_network_expects_an_empty_picture():
    model = small_network().eval()
    with torch.inference_mode():
        found = torch.cat([z[..., 4].sigmoid().flatten() for z in model(torch.rand(1, 3, 128, 128))])
    assert found.mean() < 0.02


def _fields(settings: TrainingSettings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in TrainingSettings.__dataclass_fields__}
