"""The network under test: weights that are candidates, what it is made of, and how many crops it looks at."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from index import PostureIndex, starter_prefix
from pose.inference.runtimes.runtime import Arrays
from stream.assembly import make_estimator
from stream.settings.model import Settings

if TYPE_CHECKING:
    from pose.estimator import PoseEstimator

__all__ = [
    "Calls",
    "about",
    "add_index_option",
    "add_network_options",
    "estimator_of",
    "index_of",
    "script_parser",
    "settings_with",
]


def script_parser(description: str | None, result: Path) -> argparse.ArgumentParser:
    """The options of scripts that name postures and write their result to a file, `result` by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=str(result), metavar="FILE", help="the result as JSON; - writes none")
    add_index_option(parser)
    add_network_options(parser)
    return parser


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Options that every script has which runs the network."""
    parser.add_argument(
        "--weights-folder", type=Path, metavar="DIR",
        help="holds the weights to judge, such as tinypose.safetensors; what is not there is taken from where it ships",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, help="of the network (one per core)")


def add_index_option(parser: argparse.ArgumentParser) -> None:
    """The option of scripts that name postures."""
    parser.add_argument("--index", metavar="PREFIX", help="database to search (the starter database)")


def index_of(args: argparse.Namespace) -> PostureIndex:
    """The database that the option names; the starter database also where a user's own lies in this folder."""
    return PostureIndex.load(Path(args.index) if args.index else starter_prefix(), device="cpu")


def settings_with(**sections: dict[str, Any]) -> Settings:
    """The defaults, but for some values: `settings_with(pose={"detect_every_seconds": 0.0})`."""
    return Settings.model_validate(sections)


def estimator_of(args: argparse.Namespace, settings: Settings | None = None) -> PoseEstimator:
    """The estimator that the options ask for, at the default thresholds."""
    if args.weights_folder is not None:
        _look_first_in(args.weights_folder)
    settings = settings or Settings()
    if args.threads is not None:
        pose = settings.pose.model_copy(update={"threads": args.threads})
        settings = settings.model_copy(update={"pose": pose})
    return make_estimator(settings)


def _look_first_in(folder: Path) -> None:
    from pose.weight_files import location

    if not any(folder.glob("*.safetensors")):
        raise SystemExit(f"There are no weights in {folder}.")
    shipped = [place for place in location.weights_folders() if place != folder]
    location.weights_folders = lambda: [folder, *shipped]


def about(estimator: PoseEstimator) -> dict[str, Any]:
    """What a result says of the network."""
    return {
        "network": estimator.network,
        "weights": {part: digest[:12] for part, digest in estimator.parts},
        "precision": estimator.precision,
        "image_sizes": list(estimator.image_sizes),
        "person_threshold": estimator.person_threshold,
    }


Submit = Callable[["NDArray[np.uint8]"], "Future[Arrays]"]


class Calls:
    """Counts the crops and the whole pictures that a top-down network is asked about; of another one nothing.

    Attributes:
        crops: of people, so far.
        detections: pictures that the detector was given, so far; one that it saw on its sides too counts three times.
    """

    def __init__(self, estimator: PoseEstimator) -> None:
        self.crops = self.detections = 0
        if (network := estimator.top_down) is None:
            return
        estimator.ready_for_video()
        submit_pictures = network.detector.runtime.submit

        def crops(submit: Submit, pictures: NDArray[np.uint8]) -> Future[Arrays]:
            self.crops += len(pictures)
            return submit(pictures)

        def whole(pictures: NDArray[np.uint8]) -> Future[Arrays]:
            self.detections += len(pictures)
            return submit_pictures(pictures)

        for runtime in network.keypoints.runtimes:
            runtime.submit = partial(crops, runtime.submit)  # type: ignore[method-assign]
        network.detector.runtime.submit = whole  # type: ignore[method-assign]

    def take(self, frames: int) -> dict[str, float]:
        """Crops and detections per frame since the last call."""
        crops, detections, self.crops, self.detections = self.crops, self.detections, 0, 0
        return {
            "crops_per_frame": round(crops / max(frames, 1), 2),
            "detections_per_frame": round(detections / max(frames, 1), 2),
        }
