"""`Trainer`: teaches a network to find people and their keypoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from torch import Tensor, nn

from pose.datasets.labelled import LabelledPicture
from pose.errors import TrainingError
from pose.networks.yolov7_pose import YoloPose
from pose.training.kept_files import LAST
from pose.training.loop import TrainingLoop
from pose.training.yolo.batches import Batch, Batches, picture_weights
from pose.training.yolo.loss import LOSS_PARTS, PoseLoss
from pose.training.yolo.rendering import ResidentPictures
from pose.training.yolo.settings import TrainingSettings
from pose.weight_files.checkpoint import save_network

__all__ = ["Trainer"]

TRAINED_UPDATES: Final = 500  # what weights that were trained before count for in the average

Evaluate = Callable[[Path, Path], dict[str, float]]


class Trainer(TrainingLoop[TrainingSettings]):
    """Trains a network on labelled pictures; see `TrainingLoop` for what it keeps in its folder.

    Args:
        model: the network, changed in place.
        pictures: what to learn from.
        folder: where to keep it all; made if it is missing.
        settings: how.
        device: where to train.
        workers: processes that prepare batches; with None, half the cores on a GPU's machine, 1 otherwise.
        resident: keep all pictures in the device's memory and paint batches there.
        trained: whether the model's weights were trained before.
        evaluate: called with a weights file and the folder, gives figures, `ap` among them; with None the last weights
            are the best.

    Raises:
        TrainingError: there is no labelled person, or the folder cannot be used.
    """

    PARTS: ClassVar[tuple[str, ...]] = LOSS_PARTS
    FIGURE: ClassVar[str] = "ap"

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
        if not any(len(picture.boxes) for picture in pictures):
            raise TrainingError(
                f"Nobody is labelled in {len(pictures)} pictures. See `stance train --help` for formats."
            )
        super().__init__(
            model,
            len(pictures),
            folder,
            settings or TrainingSettings(),
            device,
            average_updates=TRAINED_UPDATES if trained else 0,
        )
        self._pictures = pictures
        self._evaluate = evaluate
        self._architecture = model.architecture
        self._loss = PoseLoss(model.head, self.settings.loss)
        if workers is None:
            workers = max(1, (os.cpu_count() or 2) // 2) if self.device.type == "cuda" else 1
        self._workers = workers
        self._keep_resident = resident
        self._resident: ResidentPictures | None = None
        self._batches: Batches | None = None  # while it runs, and their iterator
        self._loader: Iterator[Batch] = iter(())
        self._shown = 0  # samples in the last step
        self._evaluated = 0  # fresh weights find nobody, and need long to say so: the first evaluation is after steps

    def run(self) -> None:
        try:
            super().run()
        finally:
            self._batches, self._loader = None, iter(())  # its processes end

    def _new_batches(self) -> Batches:
        settings = self.settings
        if self._keep_resident and self._resident is None:
            self._resident = ResidentPictures(self._pictures, self.device)
        incomplete = frozenset(
            place
            for place, picture in enumerate(self._pictures)
            if picture.path.name.partition("_")[0] in settings.incomplete
        )
        return Batches(
            self._pictures,
            batch=settings.batch,
            side=settings.sizes[0][1],
            stride=self._architecture.strides[-1],
            settings=settings.augmentation,
            weights=picture_weights(self._pictures, settings.set_weights, settings.lying_weight),
            incomplete=incomplete,
            jitter=settings.jitter,
            paint=self._resident is None,
            seed=(settings.seed, self.steps),
        )

    def _losses(self, step: int) -> tuple[Tensor, Tensor]:
        batches = self._batches or self._new_batches()
        batches.resize(self.settings.size_at(self.progress))
        if self._batches is None:
            self._batches, self._loader = batches, iter(batches.loader(self._workers))
        batch = next(self._loader)
        self._shown = len(batch)
        if self._resident is not None:
            x = self._resident.render(batch.recipes) / 255
        else:
            assert batch.canvases is not None
            x = torch.from_numpy(batch.canvases).to(self.device).permute(0, 3, 1, 2).float().div_(255)
        with self._half_precision():
            maps = self._network(x)
        return self._loss(maps, batch.targets.to(self.device))

    def _samples_in_step(self) -> int:
        return self._shown  # larger pictures come in smaller batches

    def _also_told(self) -> dict[str, float]:
        return {"size": float(self.settings.size_at(self.progress))}

    def _kind(self) -> str:
        return " ".join(self._architecture.to_metadata().values())

    def _parameter_groups(self) -> list[dict[str, Any]]:
        decayed: list[Tensor] = []
        others: list[Tensor] = []
        for name, parameter in self._network.named_parameters():
            implicit = name.startswith(("head.add", "head.multiply"))
            (decayed if parameter.ndim > 1 and not implicit else others).append(parameter)
        return [
            {"params": decayed, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]

    def _figures(self, network: nn.Module) -> dict[str, float]:
        if self._evaluate is None:
            return {}
        self._write_weights(self.folder / LAST, self._header_now())
        return self._evaluate(self.folder / LAST, self.folder)

    def _write_weights(self, file: Path, header: Mapping[str, str]) -> None:
        with self._averaged() as network:
            assert isinstance(network, YoloPose)
            save_network(network, file, header)
