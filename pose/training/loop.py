"""`TrainingLoop`: steps, averages, evaluates, keeps, and goes on after a stop, whatever is learnt."""

from __future__ import annotations

import logging
import math
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from pose.errors import TrainingError, reason_of
from pose.inference.device import cpu_has_bf16
from pose.training.average import AverageWeights
from pose.training.kept_files import BEST, LAST, STATE, write_history
from pose.training.loop_settings import LoopSettings
from pose.training.memory import keep_freed_memory
from pose.training.state_file import load_state, save_state
from pose.weight_files.plain_weights import write_state

__all__ = ["TrainingLoop"]

log = logging.getLogger(__name__)

BAR: Final = "training: {percentage:4.1f}%|{bar:20}| {elapsed}<{remaining} {postfix}"
LOSS_MEMORY: Final = 0.98  # of the mean losses that are shown
MAX_BROKEN_STEPS: Final = 20
SAVE_SECONDS: Final = 600.0
TRAINED_UPDATES: Final = 200  # what the weights that training begins with count for in the average

S = TypeVar("S", bound=LoopSettings)


class TrainingLoop(ABC, Generic[S]):
    """Trains a network and keeps what it learns in a folder. What is learnt, and how it is judged, is a subclass.

    There are, all the time: `last.safetensors`, the averaged weights; `best.safetensors`, those with the best figure so
    far; `state.pt`, from which a training that was stopped goes on; `history.csv`, a line per evaluation, the first
    before any step.

    Args:
        network: with the weights to begin with; changed in place.
        samples: how many make an epoch.
        folder: where to keep it all; made if it is missing.
        settings: how.
        device: where to train.
        header: what weights files say of themselves, `topdown_header` for instance, besides how much was learnt.
        average_updates: steps that the weights to begin with count for in the average.

    Raises:
        TrainingError: the folder cannot be used.
    """

    PARTS: ClassVar[tuple[str, ...]]
    """Names of the losses' parts."""

    FIGURE: ClassVar[str] = "figure"
    """Name of the figure that the best weights are chosen by."""

    OPTIMISER: ClassVar[type[torch.optim.AdamW]] = torch.optim.AdamW

    def __init__(
        self,
        network: nn.Module,
        samples: int,
        folder: str | Path,
        settings: S,
        device: torch.device | None = None,
        header: Mapping[str, str] | None = None,
        average_updates: int = TRAINED_UPDATES,
    ):
        self.settings = settings
        self.folder = Path(folder)
        self.device = device or torch.device("cpu")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self.folder} cannot be made: {reason_of(error)}. Name another.") from error
        # Channels last is up to 1.5 times as fast as the other order (Zen 5, one thread).
        self._network = network.to(self.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self._average = AverageWeights(self._network, settings.average_decay, average_updates)
        self._optimiser = self.OPTIMISER(self._parameter_groups(), lr=settings.learning_rate, fused=True)
        self._epoch = samples
        self._header = dict(header or {})
        self.steps = 0
        self.samples = 0  # how many were shown
        self.seconds = 0.0
        self.best = -1.0
        self.history: list[dict[str, float]] = []
        self._evaluated = -1  # the last evaluation that is done; number 0 is of the weights training begins with

    @abstractmethod
    def _losses(self, step: int) -> tuple[Tensor, Tensor]:
        """The loss of a step's batch, a scalar, and its `PARTS`, without gradient. The same for the same step."""

    @abstractmethod
    def _figures(self, network: nn.Module) -> dict[str, float]:
        """How good a network is, by name of the figure, `FIGURE` among them.

        Empty where nothing is held out; then the last weights are the best.
        """

    def _samples_in_step(self) -> int:
        """How many the batch of the last step showed."""
        return self.settings.batch

    def _also_told(self) -> dict[str, float]:
        """What else is told beside the losses, by name."""
        return {}

    def _kind(self) -> str | None:
        """What networks of one architecture differ by: a training goes on with its own only."""
        return self._header.get("network")

    def _half_precision(self) -> torch.autocast:
        """A context in which networks compute in half precision, with the range of float32, where the device is quicker
        at it."""
        quicker = cpu_has_bf16() if self.device.type == "cpu" else torch.cuda.is_bf16_supported()
        return torch.autocast(self.device.type, torch.bfloat16, enabled=quicker)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        parameters = list(self._network.parameters())
        return [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.settings.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0–1."""
        if self.settings.minutes is not None:
            return min(1.0, self.seconds / (60 * self.settings.minutes))
        return min(1.0, self.samples / (self.settings.epochs * self._epoch))

    def resume(self) -> None:
        """Go on where a training in this folder was stopped.

        Raises:
            TrainingError: there is none, or it was of another network.
        """
        file = self.folder / STATE
        state = load_state(file)
        own = self._network.state_dict()
        theirs = state.get("network")
        fits = isinstance(theirs, dict) and {n: v.shape for n, v in theirs.items()} == {
            n: v.shape for n, v in own.items()
        }
        kind = self._kind()
        if not fits or state.get("name", kind) != kind:
            raise TrainingError(f"{file} trains another network. Name its folder, or do not resume.")
        self._network.load_state_dict(theirs)
        self._average.load(state["average"], state["updates"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.steps, self.seconds, self.best = state["steps"], state["seconds"], state["best"]
        self.samples = state.get("samples", self.steps * self.settings.batch)  # older trainings do not say
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
                since, started = self.samples, time.monotonic()
                while self.progress < 1:
                    parts = self._step()
                    broken = 0 if parts is not None else broken + 1
                    if broken >= MAX_BROKEN_STEPS:
                        raise TrainingError(
                            f"The loss has not been a number for {broken} steps. Lower the learning rate, and look at "
                            "the labels."
                        )
                    if parts is not None:
                        means = parts if means is None else means * LOSS_MEMORY + parts * (1 - LOSS_MEMORY)
                    self.seconds = time.monotonic() - begun
                    if means is not None and self.steps % 10 == 0:
                        speed = (self.samples - since) / (time.monotonic() - started)
                        bar.n = round(100 * self.progress, 2)
                        bar.set_postfix_str(self._describe(means, speed), refresh=False)
                        bar.update(0)
                    if self.progress * self.settings.evaluations >= self._evaluated + 1:
                        self._judge(means)
                        since, started = self.samples, time.monotonic()
                        self.seconds = started - begun
                    if time.monotonic() - saved > SAVE_SECONDS:
                        self.save()
                        saved = time.monotonic()
        finally:
            self.save()

    def _describe(self, means: Tensor, speed: float) -> str:
        losses = " ".join(f"{name} {value:.3f}" for name, value in zip(self.PARTS, means.tolist(), strict=True))
        best = f" best {self.best:.3f}" if self.best >= 0 else ""
        also = "".join(f"{name} {value:g} " for name, value in self._also_told().items())
        return f"{speed:.1f} samples/s {also}{losses}{best}"

    def _step(self) -> Tensor | None:
        """One step; the parts of its loss, or None if they were not numbers and nothing was learnt."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate()
        loss, parts = self._losses(self.steps)
        self.steps += 1
        self.samples += self._samples_in_step()
        self._optimiser.zero_grad(set_to_none=True)
        if not bool(loss.isfinite()):
            return None
        loss.backward()
        clip_grad_norm_(self._network.parameters(), self.settings.clip)
        self._optimiser.step()
        self._average.update(self._network)
        return parts

    def _learning_rate(self) -> float:
        settings = self.settings
        fall = settings.last_share + (1 - settings.last_share) * 0.5 * (1 + math.cos(math.pi * self.progress))
        return settings.learning_rate * fall * min(1.0, (self.steps + 1) / max(1, settings.warm_up_steps))

    def _judge(self, means: Tensor | None) -> None:
        """Evaluate the averaged weights, keep them if they are the best, and note the figures."""
        self._evaluated = int(self.progress * self.settings.evaluations)
        row = {"samples": float(self.samples), "minutes": round(self.seconds / 60, 2), **self._also_told()}
        if means is not None:
            row |= {name: round(value, 5) for name, value in zip(self.PARTS, means.tolist(), strict=True)}
        with self._averaged() as network:
            figures = self._figures(network)
        row |= {name: round(value, 4) for name, value in figures.items()}
        self.history.append(row)
        log.info(" ".join(f"{name} {value:g}" for name, value in row.items()))
        self.save()
        if not figures or figures[self.FIGURE] > self.best:
            self.best = figures.get(self.FIGURE, self.best)
            (self.folder / BEST).write_bytes((self.folder / LAST).read_bytes())
            self.save()

    @contextmanager
    def _averaged(self) -> Iterator[nn.Module]:
        """The network with the averaged weights, as it is judged and used; afterwards it is in training as before."""
        training = {name: value.clone() for name, value in self._network.state_dict().items()}
        try:
            self._network.load_state_dict(self._average.state)
            yield self._network.eval()
        finally:
            self._network.train().load_state_dict(training)

    def _write_weights(self, file: Path, header: Mapping[str, str]) -> None:
        """Write the averaged weights as a file of this network.

        Raises:
            WeightsError: it cannot be written.
        """
        write_state(self._average.state, file, header)

    def _header_now(self) -> dict[str, str]:
        learnt = {"trained_samples": str(self.samples), "trained_minutes": f"{self.seconds / 60:.1f}"}
        return {**self._header, **learnt}

    def save(self) -> None:
        """Write the averaged weights, the state to resume from, and the history.

        Raises:
            TrainingError, WeightsError: a file cannot be written.
        """
        self._write_weights(self.folder / LAST, self._header_now())
        save_state(
            {
                "name": self._kind(),
                "network": self._network.state_dict(),
                "average": self._average.state,
                "updates": self._average.updates,
                "optimiser": self._optimiser.state_dict(),
                "steps": self.steps,
                "samples": self.samples,
                "seconds": self.seconds,
                "best": self.best,
                "history": self.history,
                "evaluated": self._evaluated,
            },
            self.folder / STATE,
        )
        write_history(self.history, self.folder)
