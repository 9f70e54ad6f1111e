"""Where weights are found, and which file stands for which network."""

from __future__ import annotations

from pathlib import Path

from pose.cache_folder import cache_folder
from pose.errors import WeightsMissing
from pose.weight_files.known_weights import KNOWN_WEIGHTS

__all__ = ["find_weights", "weights_folder", "weights_folders"]

_PACKAGE = Path(__file__).resolve().parents[1]
SUFFIXES = (".safetensors", ".pt")


def _checkout_folder() -> Path | None:
    """`weights/` beside the packages, if they lie in a checkout and not in an installation."""
    root = _PACKAGE.parent
    return root / "weights" if (root / "pyproject.toml").is_file() and (root / "weights").is_dir() else None


def weights_folder() -> Path:
    """Where fetched and converted weights go: `weights/` in a checkout, otherwise the user's cache folder."""
    return _checkout_folder() or cache_folder() / "weights"


def weights_folders() -> list[Path]:
    """Every folder that is searched, in order; the last one is inside the installed package."""
    return [weights_folder(), _PACKAGE / "weights"]


def find_weights(network: str) -> Path:
    """The weights file of a network.

    Raises:
        WeightsMissing: there is none.
    """
    for folder in weights_folders():
        for suffix in SUFFIXES:
            if (path := folder / f"{network}{suffix}").is_file():
                return path
    if (known := KNOWN_WEIGHTS.get(network)) is None:
        cure = "Train them with `stance train DATA --init none`"
    elif known.address is None:
        cure = "Install Stance again, they ship with it"
    else:
        cure = f"Run `stance weights fetch {network}`"
    raise WeightsMissing(
        f"There are no weights of {network} in {weights_folder()}. {cure}, or set pose.weights to a file."
    )
