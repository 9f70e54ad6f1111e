"""The options of `stance train`: those of all networks, and those that only some have."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pose.errors import TrainingError

__all__ = [
    "FRESH",
    "NETWORKS",
    "OPTIONS",
    "SHIPPED",
    "YOLO",
    "add_options",
    "chosen",
    "listed",
    "named_weights",
    "refuse_strangers",
]

YOLO: Final = ("yolov7-tiny-pose", "yolov7-w6-pose")
TOPDOWN: Final = ("picodet-s", "tinypose", "tinypose-small")
NETWORKS: Final = (*TOPDOWN, *YOLO)
"""A test holds them to the networks there are, which would bring PyTorch with them."""

SHIPPED: Final = "shipped"
FRESH: Final = "none"


@dataclass(frozen=True, slots=True)
class Option:
    """An option whose default belongs to the network. A test holds the defaults in `text` to the settings classes.

    Attributes:
        flag: with its dashes.
        text: of the help.
        networks: who have it.
        how: further arguments of `ArgumentParser.add_argument`.
    """

    flag: str
    text: str
    networks: tuple[str, ...] = NETWORKS
    how: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the parsed argument."""
        return self.flag.removeprefix("--").replace("-", "_")


OPTIONS: Final = (
    Option("--epochs", "rounds through the pictures, or people (5; yolov7 30)", how={"type": float}),
    Option("--minutes", "train for so long instead", how={"type": float}),
    Option("--batch", "samples per step (16; tinypose-small 32; yolov7 32, at the first size)", how={"type": int}),
    Option(
        "--learning-rate",
        "highest (picodet-s 0.0005, in shares of a filter's size; tinypose 0.0001; tinypose-small 0.0004; "
        "yolov7 0.002)",
        how={"type": float, "metavar": "R"},
    ),
    Option("--evaluations", "how often to judge (10; yolov7 8)", how={"type": int}),
    Option("--seed", "of all that is random (0)", how={"type": int}),
    Option(
        "--set-weight", "draw what is of pictures named SET_… W times as often; may be given several times",
        how={"metavar": "SET=W", "action": "append"},
    ),
    Option(
        "--teacher", "weight of the loss that holds the network to what it knew, tinypose-small to what tinypose "
        "knows; 0: none (picodet-s 2, tinypose 1.5, tinypose-small 1)", TOPDOWN, {"type": float, "metavar": "W"},
    ),
    Option(
        "--upright-share", "of the figure that the best weights are chosen by; the rest is for turned people (0.6; "
        "tinypose-small 1)", TOPDOWN, {"type": float, "metavar": "SHARE"},
    ),
    Option(
        "--sides", "of the squares, with the share of batches that have each (320:0.7,256:0.15,384:0.1,192:0.05)",
        ("picodet-s",), {"metavar": "PIXELS:SHARE,…"},
    ),
    Option(
        "--ignored-boxes", "FOLDER/NAME.txt has boxes `cx cy w h`, in shares of the picture NAME, of which nothing is "
        "learnt: somebody may be there; for DATA and --val", ("picodet-s",), {"metavar": "FOLDER", "nargs": "+"},
    ),
    Option(
        "--val-size", "longest side, or side of the square, when judged (picodet-s 320; yolov7 640)",
        ("picodet-s", *YOLO), {"type": int, "metavar": "PIXELS"},
    ),
    Option(
        "--sizes", "picture size by share of the training (0:192,0.5:256,0.85:320)", YOLO, {"metavar": "SHARE:PIXELS,…"}
    ),
    Option(
        "--assigner", "how cells are given to people: by shape, or the best of those (anchor)", YOLO,
        {"choices": ("anchor", "transport")},
    ),
    Option(
        "--lying-weight", "draw pictures in which somebody lies, bends down or is upside down W times as often (1)",
        YOLO, {"type": float, "metavar": "W"},
    ),
    Option(
        "--quarter-turns", "share of pictures laid on their side (0.03)", YOLO, {"type": float, "metavar": "SHARE"}
    ),
    Option(
        "--incomplete", "not everybody is labelled in pictures named SET_…; may be given several times", YOLO,
        {"metavar": "SET", "action": "append"},
    ),
    Option("--workers", "processes that prepare pictures (1; on a GPU half the cores)", YOLO, {"type": int}),
    Option(
        "--resident", "keep all pictures in the GPU's memory and augment there", YOLO,
        {"action": "store_const", "const": True},
    ),
)  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `OPTIONS`, in a group for each set of networks that share them. What is not given is None."""
    groups: dict[tuple[str, ...], Any] = {NETWORKS: parser}
    for option in OPTIONS:
        if option.networks not in groups:
            groups[option.networks] = parser.add_argument_group(f"only for {listed(option.networks)}")
        groups[option.networks].add_argument(option.flag, help=option.text, default=None, **option.how)


def listed(names: Sequence[str]) -> str:
    """As in a sentence: `a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def refuse_strangers(args: argparse.Namespace) -> None:
    """Raise for options that the network does not have.

    Raises:
        TrainingError: one line for each.
    """
    faults = [
        f"{option.flag} is nothing that {args.network} has; it is for {listed(option.networks)}."
        for option in OPTIONS
        if args.network not in option.networks and getattr(args, option.name) is not None
    ]
    if faults:
        raise TrainingError("\n".join(faults))


def chosen(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those of the named options that were given, as arguments of a settings class, which has the other defaults."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def named_weights(parts: list[str] | None) -> dict[str, float]:
    """What `--set-weight coco=4` says.

    Raises:
        TrainingError: it is not of that form.
    """
    try:
        return {name: float(weight) for name, weight in (part.split("=") for part in parts or [])}
    except ValueError:
        raise TrainingError(f"--set-weight {' '.join(parts or [])!r} is not of the form coco=4.") from None
