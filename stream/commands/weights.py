"""The commands about weights: `stance weights list`, `fetch` and `convert`."""

from __future__ import annotations

import argparse
import difflib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tqdm import tqdm

from pose.errors import FetchError, WeightsError, WeightsMissing
from pose.weight_files.fetch import fetch
from pose.weight_files.known_weights import KNOWN_WEIGHTS, KnownWeights
from pose.weight_files.location import find_weights, weights_folder

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["fetch_weights", "register"]

YOLOV7: Final = ("yolov7-tiny-pose", "yolov7-w6-pose")
"""Networks whose checkpoints exist elsewhere. A test holds them to `pose.networks.architecture`, which would bring
PyTorch with it."""

log = logging.getLogger(__name__)


def register(subparsers: Any) -> None:
    """Add `weights` to what `argparse.ArgumentParser.add_subparsers` gave.

    Its commands set `run`, a function of the parsed arguments and the `Settings` that gives the exit code. Faults of
    the user rise as `StanceError`, ctrl-C as `KeyboardInterrupt`.
    """
    text = "the networks' weights: what is here, fetching, converting"
    weights = subparsers.add_parser("weights", help=text, description=f"{text[0].upper()}{text[1:]}.")
    commands = weights.add_subparsers(title="commands", metavar="COMMAND", required=True)

    text = "say which weights are known, and which are here"
    listing = commands.add_parser("list", help=text, description=f"{text[0].upper()}{text[1:]}.")
    listing.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")
    listing.set_defaults(run=_list)

    text = "download weights that do not ship with Stance; goes on where an earlier download stopped"
    fetching = commands.add_parser("fetch", help=text, description=f"{text[0].upper()}{text[1:]}.")
    fetching.add_argument("name", metavar="NAME", help=f"one of {', '.join(KNOWN_WEIGHTS)}")
    fetching.set_defaults(run=_fetch)

    text = "turn a YOLOv7-Pose checkpoint into safetensors of half precision, without running what is in it"
    converting = commands.add_parser("convert", help=text, description=f"{text[0].upper()}{text[1:]}.")
    converting.add_argument("file", metavar="FILE", help="a .pt or .safetensors file")
    converting.add_argument("--out", metavar="FILE", help="what to write (FILE with the suffix .safetensors)")
    converting.add_argument("--network", choices=YOLOV7, help="the network it must be for (what the file says)")
    converting.set_defaults(run=_convert)


def _list(args: argparse.Namespace, settings: Settings) -> int:
    from pose.weight_files.digest import sha256

    rows = []
    for known in KNOWN_WEIGHTS.values():
        row: dict[str, Any] = {"network": known.network, "path": None, "bytes": None, "sha256": None, "known": None}
        try:
            path = find_weights(known.network)
        except WeightsMissing:
            pass
        else:
            digest = sha256(path)
            row |= {"path": str(path), "bytes": path.stat().st_size, "sha256": digest}
            row |= {"known": known.digests.get(digest)}
        rows.append({**row, "licence": known.licence, "source": known.source, "address": known.address})
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        print(row["network"])
        if row["path"]:
            print(f"  here      {row['path']}, {row['bytes'] / 1e6:.1f} MB")
            print(f"  SHA-256   {row['sha256']}, {row['known'] or 'not a digest we know'}")
        else:
            cure = f"fetch with `stance weights fetch {row['network']}`" if row["address"] else "install Stance again"
            print(f"  not here  {cure}")
        print(f"  source    {row['source']}")
        print(f"  licence   {row['licence']}")
    return 0


def _fetch(args: argparse.Namespace, settings: Settings) -> int:
    if args.name not in KNOWN_WEIGHTS:
        near = difflib.get_close_matches(args.name, KNOWN_WEIGHTS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(KNOWN_WEIGHTS)}."
        raise WeightsError(f"There are no weights named {args.name!r}; {hint}")
    fetch_weights(KNOWN_WEIGHTS[args.name], weights_folder())
    return 0


def fetch_weights(known: KnownWeights, folder: Path, address: str | None = None) -> Path:
    """Have the weights of a network in `folder`, with a progress bar, and say what came.

    Args:
        address: instead of the known one.

    Raises:
        FetchError: they cannot be downloaded.
        WeightsError: what came is not a checkpoint of the network.
        WeightsMissing: they ship with Stance and are not to be fetched, but are not here.
    """
    from pose.weight_files.checkpoint import load_network
    from pose.weight_files.digest import sha256

    address = address or known.address
    if (file := folder / known.file).is_file():
        print(f"{file} is already here. {_about(known, file.stat().st_size, sha256(file))}")
        return file
    if address is None:
        try:
            file = find_weights(known.network)
        except WeightsMissing:
            raise WeightsMissing(f"The weights of {known.network} ship with Stance. Install Stance again.") from None
        print(f"{known.network} ships with Stance: {file}.")
        return file
    print(f"Fetching {address}, licence {known.licence}.")
    with tqdm(desc=known.file, unit="B", unit_scale=True, unit_divisor=1000, disable=None) as bar:

        def progress(done: int, total: int | None) -> None:
            if bar.total is None:
                bar.total, bar.initial = total, done
            bar.update(done - bar.n)

        def check(part: Path) -> None:
            try:
                load_network(part, known.network)
            except WeightsError as error:
                raise FetchError(f"{address} sent something else than weights of {known.network}: {error}") from error

        fetch(address, file, check=check, progress=progress)
    digest = sha256(file)
    print(f"{file} is here. {_about(known, file.stat().st_size, digest)}")
    if digest not in known.digests:
        log.warning("%s has a digest we do not know; its tensors have the names and shapes they should have.", file)
    return file


def _about(known: KnownWeights, size: int, digest: str) -> str:
    length = "" if size in known.bytes else f", expected {' or '.join(f'{n:,}' for n in known.bytes)}"
    return f"{size:,} bytes{length}; SHA-256 {digest}, {known.digests.get(digest, 'not a digest we know')}."


def _convert(args: argparse.Namespace, settings: Settings) -> int:
    from pose.weight_files.checkpoint import load_network, save_network
    from pose.weight_files.digest import sha256

    file = Path(args.file)
    out = Path(args.out) if args.out else file.with_suffix(".safetensors")
    if out.suffix != ".safetensors":
        raise WeightsError(f"{out} does not end in .safetensors. Name another file with --out.")
    if out.exists():
        what = "is the input itself" if file.exists() and out.samefile(file) else "is already there"
        raise WeightsError(f"{out} {what}. Name another file with --out.")
    model = load_network(file, args.network)
    save_network(model, out, {"converted_from": file.name, "converted_from_sha256": sha256(file)})
    load_network(out, args.network)
    print(f"{out} holds {model.architecture.network}: {out.stat().st_size:,} bytes; SHA-256 {sha256(out)}.")
    return 0
