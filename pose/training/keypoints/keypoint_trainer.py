"""`KeypointTrainer`: teaches a network to find the keypoints of the person in a crop."""

from __future__ import annotations

import copy
import logging
import math
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from pose.errors import TrainingError
from pose.training.average import AverageWeights
from pose.training.keypoints.crop_batches import CropBatch, CropBatches, normalised
from pose.training.keypoints.heatmap_loss import HeatmapLoss
from pose.training.keypoints.hold_out import HoldOut
from pose.training.keypoints.packed_crops import PackedCrops
from pose.training.keypoints.settings import KeypointTrainingSettings
from pose.training.memory import keep_freed_memory
from pose.training.state_file import load_state, save_state
from pose.training.trainer import BAR, BEST, HISTORY, LAST, LOSS_MEMORY, MAX_BROKEN_STEPS, SAVE_SECONDS, STATE
from pose.weight_files.plain_weights import write_state

__all__ = ["KeypointTrainer"]

log = logging.getLogger(__name__)

TRAINED_UPDATES: Final = 200  # what the weights that training begins with count for in the average
LOSSES: Final = ("labels", "teacher")


class KeypointTrainer:
    """Trains a network on packed crops and keeps what it learns in a folder.

    There are, all the time: `last.safetensors`, the averaged weights; `best.safetensors`, those with the best figure on
    the hold-out so far; `state.pt`, from which a training that was stopped goes on; `history.csv`, a line per
    evaluation, the first before any step. Batches are made in this process, a tenth of a step's time.

    Args:
        network: from crops to heat maps, with the weights to begin with; changed in place.
        crops: what to learn from.
        folder: where to keep it all; made if it is missing.
        settings: how.
        hold_out: who to judge by; None keeps the last weights as the best.
        teach_itself: whether the network as it is now is the teacher of upright samples, so that little is forgotten.
        device: where to train.

    Raises:
        TrainingError: the folder cannot be used, or the crops and the settings do not fit.
    """

    def __init__(
        self,
        network: nn.Module,
        crops: PackedCrops,
        folder: str | Path,
        settings: KeypointTrainingSettings | None = None,
        *,
        hold_out: HoldOut | None = None,
        teach_itself: bool = True,
        device: torch.device | None = None,
    ):
        self.settings = settings or KeypointTrainingSettings()
        self.folder = Path(folder)
        self.device = device or torch.device("cpu")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self.folder} cannot be made: {error.strerror}. Name another with --out.") from error
        # Channels last: with the network's shuffles that is 1.5 times as fast as the other order (Zen 5, one thread).
        # Half precision is not: bfloat16 makes its backward pass slower than float32's.
        self._network = network.to(self.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self._teacher = copy.deepcopy(self._network).eval().requires_grad_(False) if teach_itself else None
        self._crops, self._hold_out = crops, hold_out
        self._batches = CropBatches(
            crops,
            self.settings.batch,
            self.settings.augmentation,
            self.settings.set_weights,
            self.settings.seed,
        )
        self._loss = HeatmapLoss(self.settings.loss)
        self._average = AverageWeights(self._network, self.settings.average_decay, TRAINED_UPDATES)
        self._optimiser = torch.optim.AdamW(self._parameter_groups(), lr=self.settings.learning_rate, fused=True)
        self.steps = 0
        self.seconds = 0.0
        self.best = -1.0
        self.history: list[dict[str, float]] = []
        self._evaluated = -1  # the last evaluation that is done; number 0 is of the weights training begins with

    def _parameter_groups(self) -> list[dict[str, Any]]:
        parameters = list(self._network.parameters())
        return [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.settings.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]

    @property
    def samples(self) -> int:
        """How many were shown."""
        return self.steps * self.settings.batch

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0–1."""
        if self.settings.minutes is not None:
            return min(1.0, self.seconds / (60 * self.settings.minutes))
        return min(1.0, self.samples / (self.settings.epochs * len(self._crops)))

    def resume(self) -> None:
        """Go on where a training in this folder was stopped.

        Raises:
            TrainingError: there is none, or it was of another network.
        """
        file = self.folder / STATE
        state = load_state(file)
        own = self._network.state_dict()
        theirs = state.get("network")
        if not isinstance(theirs, dict) or {n: v.shape for n, v in theirs.items()} != {
            n: v.shape for n, v in own.items()
        }:
            raise TrainingError(
                f"{file} trains another network. Name its folder with --out, or start without --resume."
            )
        self._network.load_state_dict(theirs)
        self._average.load(state["average"], state["updates"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.steps, self.seconds, self.best = state["steps"], state["seconds"], state["best"]
        self.history, self._evaluated = state["history"], state["evaluated"]

    def run(self) -> None:
        """Train to the end. What was learnt is kept whenever it ends: by ctrl-C too.

        Raises:
            TrainingError: the loss is no longer a number, or files cannot be written.
        """
        if self.progress >= 1:
            log.warning("This training is complete. Give more epochs or minutes to go on.")
            return
        if self.device.type == "cpu":
            keep_freed_memory()
        begun = time.monotonic() - self.seconds
        saved = time.monotonic()
        means: Tensor | None = None
        broken = 0
        try:
            with tqdm(
                total=100,
                initial=round(100 * self.progress, 2),
                bar_format=BAR,
                mininterval=0.5 if sys.stderr.isatty() else 60.0,  # a log need not hold every step
                dynamic_ncols=True,
            ) as bar:
                if self._evaluated < 0:
                    self._judge(None)
                since, started = self.steps, time.monotonic()
                while self.progress < 1:
                    losses = self._step(self._batches[self.steps])
                    broken = 0 if losses is not None else broken + 1
                    if broken >= MAX_BROKEN_STEPS:
                        raise TrainingError(
                            f"The loss has not been a number for {broken} steps. Lower --learning-rate, and look at "
                            "the labels."
                        )
                    if losses is not None:
                        means = losses if means is None else means * LOSS_MEMORY + losses * (1 - LOSS_MEMORY)
                    self.seconds = time.monotonic() - begun
                    if means is not None and self.steps % 10 == 0:
                        speed = (self.steps - since) * self.settings.batch / (time.monotonic() - started)
                        bar.n = round(100 * self.progress, 2)
                        bar.set_postfix_str(self._describe(means, speed), refresh=False)
                        bar.update(0)
                    if self.progress * self.settings.evaluations >= self._evaluated + 1:
                        self._judge(means)
                        since, started = self.steps, time.monotonic()
                        self.seconds = started - begun
                    if time.monotonic() - saved > SAVE_SECONDS:
                        self.save()
                        saved = time.monotonic()
        finally:
            self.save()

    def _describe(self, means: Tensor, speed: float) -> str:
        losses = " ".join(f"{name} {value:.3f}" for name, value in zip(LOSSES, means.tolist(), strict=True))
        best = f" best {self.best:.3f}" if self.best >= 0 else ""
        return f"{speed:.1f} samples/s {losses}{best}"

    def _step(self, batch: CropBatch) -> Tensor | None:
        """One step; `[2]`, the `LOSSES`, or None if they were not numbers and nothing was learnt."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate()
        x = normalised(batch.pixels, self.device)
        maps = self._network(x)
        loss = self._loss(maps, torch.from_numpy(batch.keypoints).to(self.device))
        parts = [loss.detach(), torch.zeros_like(loss)]
        upright = np.flatnonzero((np.abs(batch.turns) <= self.settings.teacher_degrees) & batch.whole)
        if self._teacher is not None and len(upright):
            with torch.no_grad():
                wanted = self._teacher(x[upright])
            parted = self._loss.to_teacher(maps[upright], wanted) * (len(upright) / len(x))
            loss = loss + self.settings.loss.teacher * parted
            parts[1] = parted.detach()
        self.steps += 1
        self._optimiser.zero_grad(set_to_none=True)
        if not bool(loss.isfinite()):
            return None
        loss.backward()
        clip_grad_norm_(self._network.parameters(), self.settings.clip)
        self._optimiser.step()
        self._average.update(self._network)
        return torch.stack(parts)

    def _learning_rate(self) -> float:
        settings = self.settings
        fall = settings.last_share + (1 - settings.last_share) * 0.5 * (1 + math.cos(math.pi * self.progress))
        return settings.learning_rate * fall * min(1.0, (self.steps + 1) / max(1, settings.warm_up_steps))

    def _judge(self, means: Tensor | None) -> None:
        """Evaluate the averaged weights, keep them if they are the best, and note the figures."""
        self._evaluated = int(self.progress * self.settings.evaluations)
        row: dict[str, float] = {"samples": float(self.samples), "minutes": round(self.seconds / 60, 2)}
        if means is not None:
            row |= {name: round(value, 5) for name, value in zip(LOSSES, means.tolist(), strict=True)}
        figure = self.best
        if self._hold_out is not None:
            figures = self._judge_average(self._hold_out)
            row |= {name: round(value, 4) for name, value in figures.items()}
            share = self.settings.upright_share
            figure = share * figures["oks_upright"] + (1 - share) * figures["oks_turned"]
        self.history.append(row)
        log.info(" ".join(f"{name} {value:g}" for name, value in row.items()))
        self.save()
        if self._hold_out is None or figure > self.best:
            self.best = figure
            (self.folder / BEST).write_bytes((self.folder / LAST).read_bytes())
            self.save()

    def _judge_average(self, hold_out: HoldOut) -> dict[str, float]:
        training = {name: value.clone() for name, value in self._network.state_dict().items()}
        self._network.load_state_dict(self._average.state)
        try:
            return hold_out.judge(self._network.eval())
        finally:
            self._network.train().load_state_dict(training)

    def save(self) -> None:
        """Write the averaged weights, the state to resume from, and the history.

        Raises:
            TrainingError, WeightsError: a file cannot be written.
        """
        write_state(
            self._average.state,
            self.folder / LAST,
            {"trained_samples": str(self.samples), "trained_minutes": f"{self.seconds / 60:.1f}"},
        )
        save_state(
            {
                "network": self._network.state_dict(),
                "average": self._average.state,
                "updates": self._average.updates,
                "optimiser": self._optimiser.state_dict(),
                "steps": self.steps,
                "seconds": self.seconds,
                "best": self.best,
                "history": self.history,
                "evaluated": self._evaluated,
            },
            self.folder / STATE,
        )
        columns = list(dict.fromkeys(name for row in self.history for name in row))
        lines = [columns, *([f"{row.get(name, '')}" for name in columns] for row in self.history)] if columns else []
        (self.folder / HISTORY).write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")
