"""`Trainer`: teaches a network to find people and their keypoints."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from pose.datasets.labelled import LabelledPicture
from pose.errors import TrainingError
from pose.inference.device import cpu_has_bf16
from pose.networks.yolov7_pose import YoloPose
from pose.system_errors import plain_reason
from pose.training.average import AverageWeights
from pose.training.kept_files import BEST, LAST, STATE, write_history
from pose.training.loop import BAR, LOSS_MEMORY, MAX_BROKEN_STEPS, SAVE_SECONDS
from pose.training.memory import keep_freed_memory
from pose.training.state_file import load_state, save_state
from pose.training.yolo.batches import Batch, Batches, picture_weights
from pose.training.yolo.loss import LOSS_PARTS, PoseLoss
from pose.training.yolo.rendering import ResidentPictures
from pose.training.yolo.settings import TrainingSettings
from pose.weight_files.checkpoint import save_network

__all__ = ["Trainer"]

log = logging.getLogger(__name__)

TRAINED_UPDATES: Final = 500  # what weights that were trained before count for in the average

Evaluate = Callable[[Path, Path], dict[str, float]]


class Trainer:
    """Trains a network on labelled pictures and keeps what it learns in a folder.

    There are, all the time: `last.safetensors`, the averaged weights; `best.safetensors`, those with the highest AP so
    far; `state.pt`, from which a training that was stopped goes on; `history.csv`, a line per evaluation.

    Args:
        model: the network, changed in place.
        pictures: what to learn from.
        folder: where to keep it all; made if it is missing.
        settings: how.
        device: where to train.
        workers: processes that prepare batches; with None, half the cores on a GPU's machine, 1 otherwise.
        resident: keep all pictures in the device's memory and paint batches there.
        trained: whether the model's weights were trained before.
        evaluate: called with a weights file and the folder, gives figures, `ap` among them.

    Raises:
        TrainingError: there is no labelled person, or the folder cannot be used.
    """

    def __init__(
        self,
        model: YoloPose,
        pictures: Sequence[LabelledPicture],
        folder: str | Path,
        settings: TrainingSettings | None = None,
        *,
        device: torch.device | None = None,
        workers: int | None = None,
        resident: bool = False,
        trained: bool = False,
        evaluate: Evaluate | None = None,
    ):
        self.settings = settings or TrainingSettings()
        self.folder = Path(folder)
        self.device = device or torch.device("cpu")
        if not any(len(picture.boxes) for picture in pictures):
            raise TrainingError(
                f"Nobody is labelled in {len(pictures)} pictures. See `stance train --help` for formats."
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self.folder} cannot be made: {plain_reason(error)}. Name another.") from error
        self._pictures = pictures
        self._evaluate = evaluate
        self._model = model.to(self.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self._loss = PoseLoss(self._model.head, self.settings.loss)
        self._average = AverageWeights(self._model, self.settings.average_decay, TRAINED_UPDATES if trained else 0)
        self._optimiser = torch.optim.AdamW(self._parameter_groups(), lr=self.settings.learning_rate, fused=True)
        self._dtype = self._autocast_dtype()
        if workers is None:
            workers = max(1, (os.cpu_count() or 2) // 2) if self.device.type == "cuda" else 1
        self._workers = workers
        self._resident = resident
        self.samples = self.steps = 0
        self.seconds = 0.0
        self.best = -1.0
        self.history: list[dict[str, float]] = []
        self._evaluated = 0  # how many evaluations are done

    def _parameter_groups(self) -> list[dict[str, Any]]:
        decayed: list[Tensor] = []
        others: list[Tensor] = []
        for name, parameter in self._model.named_parameters():
            implicit = name.startswith(("head.add", "head.multiply"))
            (decayed if parameter.ndim > 1 and not implicit else others).append(parameter)
        return [
            {"params": decayed, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]

    def _autocast_dtype(self) -> torch.dtype | None:
        """Half precision with the range of float32, where the device computes in it; else None."""
        if self.device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else None
        return torch.bfloat16 if cpu_has_bf16() else None

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0–1."""
        if self.settings.minutes is not None:
            return min(1.0, self.seconds / (60 * self.settings.minutes))
        return min(1.0, self.samples / (self.settings.epochs * len(self._pictures)))

    def resume(self) -> None:
        """Go on where a training in this folder was stopped.

        Raises:
            TrainingError: there is none, or it was of another network.
        """
        file = self.folder / STATE
        state = load_state(file)
        if state["architecture"] != self._model.architecture.to_metadata():
            raise TrainingError(f"{file} trains another network. Name its folder, or do not resume.")
        self._model.load_state_dict(state["model"])
        self._average.load(state["average"], state["updates"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.samples, self.steps, self.seconds = state["samples"], state["steps"], state["seconds"]
        self.best, self.history, self._evaluated = state["best_ap"], state["history"], state["evaluated"]

    def run(self) -> None:
        """Train to the end. What was learnt is kept whenever it ends: by ctrl-C too.

        Raises:
            TrainingError: the loss is no longer a number, or files cannot be written.
        """
        if self.progress >= 1:
            log.warning("This training is complete. Give more epochs or minutes to go on.")
            return
        settings = self.settings
        if self.device.type == "cpu":
            keep_freed_memory()
        resident = ResidentPictures(self._pictures, self.device) if self._resident else None
        incomplete = frozenset(
            place
            for place, picture in enumerate(self._pictures)
            if picture.path.name.partition("_")[0] in settings.incomplete
        )
        batches = Batches(
            self._pictures,
            batch=settings.batch,
            side=settings.sizes[0][1],
            stride=self._model.architecture.strides[-1],
            settings=settings.augmentation,
            weights=picture_weights(self._pictures, settings.set_weights, settings.lying_weight),
            incomplete=incomplete,
            jitter=settings.jitter,
            paint=resident is None,
            seed=(settings.seed, self.steps),
        )
        batches.resize(settings.size_at(self.progress))
        loader = iter(batches.loader(self._workers))
        saved = time.monotonic()
        try:
            with tqdm(
                total=100,
                initial=round(100 * self.progress, 2),
                bar_format=BAR,
                mininterval=0.5 if sys.stderr.isatty() else 60.0,  # a log need not hold every step
                dynamic_ncols=True,
            ) as bar:
                means: Tensor | None = None
                broken, begun, since = 0, time.monotonic(), self.samples
                while self.progress < 1:
                    started = time.monotonic()
                    batches.resize(settings.size_at(self.progress))
                    parts = self._step(next(loader), resident)
                    broken = 0 if parts is not None else broken + 1
                    if broken >= MAX_BROKEN_STEPS:
                        raise TrainingError(
                            f"The loss has not been a number for {broken} steps. Lower the learning rate, and look at "
                            "the labels."
                        )
                    if parts is not None:
                        means = parts if means is None else means * LOSS_MEMORY + parts * (1 - LOSS_MEMORY)
                    now = time.monotonic()
                    self.seconds += now - started
                    if means is not None and self.steps % 10 == 0:
                        bar.n = round(100 * self.progress, 2)
                        bar.set_postfix_str(
                            self._describe(means, (self.samples - since) / (now - begun)), refresh=False
                        )
                        bar.update(0)
                    if self.progress * settings.evaluations >= self._evaluated + 1:
                        self._evaluated = int(self.progress * settings.evaluations)
                        self._judge(means)
                        begun, since = time.monotonic(), self.samples
                    if time.monotonic() - saved > SAVE_SECONDS:
                        self.save()
                        saved = time.monotonic()
        finally:
            del loader
            self.save()

    def _describe(self, means: Tensor, speed: float) -> str:
        size = self.settings.size_at(self.progress)
        losses = " ".join(f"{name} {value:.3f}" for name, value in zip(LOSS_PARTS, means.tolist(), strict=True))
        best = f" AP {self.best:.3f}" if self.best >= 0 else ""
        return f"{speed:.1f} samples/s {size} px {losses}{best}"

    def _step(self, batch: Batch, resident: ResidentPictures | None) -> Tensor | None:
        """One step; the parts of its loss, or None if that was not a number and nothing was learnt."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate()
        if resident is not None:
            x = resident.render(batch.recipes) / 255
        else:
            assert batch.canvases is not None
            x = torch.from_numpy(batch.canvases).to(self.device).permute(0, 3, 1, 2).float().div_(255)
        with torch.autocast(self.device.type, self._dtype or torch.bfloat16, enabled=self._dtype is not None):
            maps = self._model(x)
        loss, parts = self._loss(maps, batch.targets.to(self.device))
        self.samples += len(batch)
        self.steps += 1
        self._optimiser.zero_grad(set_to_none=True)
        if not bool(loss.isfinite()):
            return None
        loss.backward()
        clip_grad_norm_(self._model.parameters(), self.settings.clip)
        self._optimiser.step()
        self._average.update(self._model)
        return parts

    def _learning_rate(self) -> float:
        settings = self.settings
        fall = settings.last_share + (1 - settings.last_share) * 0.5 * (1 + math.cos(math.pi * self.progress))
        return settings.learning_rate * fall * min(1.0, (self.steps + 1) / max(1, settings.warm_up_steps))

    def _judge(self, means: Tensor | None) -> None:
        """Evaluate the averaged weights, keep them if they are the best, and note the figures."""
        self._write_weights()
        row: dict[str, float] = {
            "samples": float(self.samples),
            "minutes": round(self.seconds / 60, 2),
            "size": float(self.settings.size_at(self.progress)),
        }
        if means is not None:
            row |= {name: round(value, 5) for name, value in zip(LOSS_PARTS, means.tolist(), strict=True)}
        if self._evaluate is not None:
            row |= self._evaluate(self.folder / LAST, self.folder)
        if row.get("ap", 0.0) > self.best:
            self.best = row.get("ap", 0.0)
            (self.folder / BEST).write_bytes((self.folder / LAST).read_bytes())
        self.history.append(row)
        self.save()

    def _write_weights(self) -> None:
        """The averaged weights, as a file any command takes."""
        training = {name: value.clone() for name, value in self._model.state_dict().items()}
        self._model.load_state_dict(self._average.state)
        try:
            save_network(
                self._model,
                self.folder / LAST,
                {"trained_samples": str(self.samples), "trained_minutes": f"{self.seconds / 60:.1f}"},
            )
        finally:
            self._model.load_state_dict(training)

    def save(self) -> None:
        """Write the averaged weights, the state to resume from, and the history.

        Raises:
            TrainingError, WeightsError: a file cannot be written.
        """
        self._write_weights()
        save_state(
            {
                "architecture": self._model.architecture.to_metadata(),
                "model": self._model.state_dict(),
                "average": self._average.state,
                "updates": self._average.updates,
                "optimiser": self._optimiser.state_dict(),
                "samples": self.samples,
                "steps": self.steps,
                "seconds": self.seconds,
                "best_ap": self.best,
                "history": self.history,
                "evaluated": self._evaluated,
            },
            self.folder / STATE,
        )
        write_history(self.history, self.folder)
