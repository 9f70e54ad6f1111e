"""The kinds of files that a hostile world may hand to Stance: whole ones to begin with, and how each is read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.hostile_mutations import bomb, mutate

__all__ = ["KINDS", "Kind"]

MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Attributes:
        make: writes whole files into a folder.
        damage: from whole files in one folder to damaged ones in another, as the number of the trial says. A third
            folder must never come to be: a payload would make it.
        read: reads the damaged files as Stance does, and uses what comes of it.
    """

    make: Callable[[Path], None]
    damage: Callable[[Path, Path, int, Path], None]
    read: Callable[[Path, int], None]


def _changed(whole: Path, damaged: Path, number: int, *, text: bool = False, head: int | None = None) -> Path:
    """One of the files of `whole`, whose turn it is, damaged; the path of what was written."""
    files = sorted(file for file in whole.iterdir() if file.is_file())
    file = files[number % len(files)]
    target = damaged / file.name
    target.write_bytes(mutate(file.read_bytes(), number, text=text, head=head))
    return target


# Databases


def _make_database(folder: Path) -> None:
    from index import PostureIndex, starter_prefix
    from index.search.backend import load_faiss

    starter = PostureIndex.load(starter_prefix(), device="cpu")
    rows = np.arange(0, starter.rows, starter.rows // 60)
    index = PostureIndex(starter.embedding.name, device="cpu")
    index.add(starter.vectors[rows], [starter.labels[row] for row in rows], starter.examples.select(rows))
    index.note_network("a network", "ab" * 32)
    index.save(folder / "new" / "whole")
    pair = PostureIndex("nose25", device="cpu")
    pair.add(pair.embedding.compute(index.examples.keypoints), list(index.labels), index.examples)
    pair.save(folder / "old" / "whole")
    other = folder / "other"
    other.mkdir()
    faiss = load_faiss()
    for number, recipe in enumerate(("IVF4,Flat", "HNSW8", "IDMap,Flat", "SQ8")):
        made = faiss.index_factory(25, recipe)
        made.train(pair.vectors)
        if recipe.startswith("IDMap"):
            made.add_with_ids(pair.vectors, np.arange(pair.rows)[::-1].copy())
        else:
            made.add(pair.vectors)
        (other / f"{number}.faiss").write_bytes(faiss.serialize_index(made).tobytes())


def _damage_database(whole: Path, damaged: Path, number: int, never: Path) -> None:
    """One file of a database, or two; sometimes with a manifest that vouches for them, sometimes with none."""
    chance = random.Random(number)
    place = whole / ("old" if number % 2 else "new")
    content = {file.name.removeprefix("whole"): file.read_bytes() for file in sorted(place.iterdir())}
    if number % 10 == 1:  # a pair of a kind that FAISS itself must read
        content = {
            ".faiss": (whole / "other" / f"{number // 10 % 4}.faiss").read_bytes(),
            "_labels.pkl": content["_labels.pkl"],
        }
    for suffix in chance.sample(sorted(content), min(len(content), chance.choice((1, 1, 1, 2)))):
        content[suffix] = mutate(content[suffix], number, text=suffix == ".json")
        if suffix == "_labels.pkl" and chance.random() < 0.5:
            content[suffix] = bomb(content[suffix], number, str(never))
    manner = chance.randrange(4)
    if manner == 0:
        content.pop(".json", None)
    elif manner == 1 and ".json" in content:
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            manifest = json.loads(content[".json"])
            for suffix in (".faiss", "_labels.pkl", "_examples.npz"):
                manifest["digests"][suffix] = hashlib.sha256(content[suffix]).hexdigest()
            content[".json"] = json.dumps(manifest).encode()
    for suffix, data in content.items():
        (damaged / f"whole{suffix}").write_bytes(data)


def _read_database(damaged: Path, number: int) -> None:
    from index import PostureIndex
    from index.evaluation.evaluate import evaluate_leaving_one_out
    from pose.errors import StanceError

    index = PostureIndex.load(damaged / "whole", device="cpu")
    index.classify(index.vectors[:4])
    index.search(np.full((1, index.embedding.dimension), 0.5, np.float32), 3)
    if index.rows and number % 5 == 0:
        with contextlib.suppress(StanceError):
            evaluate_leaving_one_out(index)
    index.save(damaged / "again")
    assert PostureIndex.load(damaged / "again", device="cpu").rows == index.rows


# Files of labels: of databases, of pictures, of videos


def _make_labels(folder: Path) -> None:
    names = ["standing", "sitting", "größer", "a\nb"] * 5
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (folder / f"list{protocol}.pkl").write_bytes(pickle.dumps(names, protocol))
        (folder / f"array{protocol}.pkl").write_bytes(pickle.dumps(np.array(names), protocol))
        (folder / f"objects{protocol}.pkl").write_bytes(pickle.dumps(np.array(names, object), protocol))
        (folder / f"scalars{protocol}.pkl").write_bytes(pickle.dumps(tuple(map(np.str_, names)), protocol))
    (folder / "names.json").write_text(json.dumps(names))
    np.save(folder / "names.npy", np.array(names))
    np.savez(
        folder / "keypoints.npz", path=np.array(["a/1.jpg", "a/2.jpg"]), keypoint=np.ones((2, 17, 3), np.float32) * 9
    )
    people = [
        {"id": n, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "area": 900.5, "iscrowd": 0,
         "num_keypoints": 17, "keypoints": [5, 6, 2] * 17}
        for n in range(3)
    ]  # fmt: skip
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
        "annotations": people,
        "categories": [{"id": 1, "name": "person", "keypoints": ["nose"] * 17, "skeleton": [[1, 2]]}],
    }
    (folder / "coco.json").write_text(json.dumps(coco))
    line = " ".join(["0", *["0.5"] * 4, *["0.25", "0.75", "2"] * 17])
    (folder / "yolo.txt").write_text(f"{line}\n{line}\n")
    (folder / "intervals.csv").write_text(
        "from_seconds,to_seconds,posture\n0,1.5,standing\n1.5,2,\n2,3,sitting\n4,5,standing\n"
    )


def _damage_labels(whole: Path, damaged: Path, number: int, never: Path) -> None:
    text = sorted(whole.iterdir())[number % len(list(whole.iterdir()))].suffix in (".json", ".txt", ".csv")
    target = _changed(whole, damaged, number, text=text)
    if target.suffix == ".pkl" and number % 3 == 0:
        target.write_bytes(bomb(target.read_bytes(), number, str(never)))


def _read_labels(damaged: Path, number: int) -> None:
    from index.building.given_keypoints import GivenKeypoints
    from index.building.importing import read_labels
    from pose.datasets.reading import read_labelled
    from stream.reports.true_postures import read_true_postures

    (file,) = damaged.iterdir()
    if file.suffix in (".pkl", ".npy") or file.name == "names.json":
        labels = read_labels(file)
        assert all(type(label) is str for label in labels)
    elif file.suffix == ".npz":
        GivenKeypoints(file).people([Path("a/1.jpg"), Path("b.jpg")])
    elif file.name == "coco.json":
        _write_picture(damaged / "a.png")
        read_labelled(file, damaged)
    elif file.suffix == ".txt":
        for name in ("images", "labels"):
            (damaged / "set" / name).mkdir(parents=True)
        file.rename(damaged / "set" / "labels" / "a.txt")
        _write_picture(damaged / "set" / "images" / "a.png")
        read_labelled(damaged / "set")
    else:
        read_true_postures(file, ["standing", "sitting"])


# Weights


def _make_checkpoints(folder: Path) -> None:
    import torch

    from pose.networks.architecture import Architecture
    from pose.networks.yolov7_pose import build_network
    from pose.weight_files.checkpoint import published_names, save_network
    from tests.pose.weight_files.official import save_official

    torch.manual_seed(0)
    architecture = Architecture("yolov7-tiny-pose", "official", "leaky_relu_0.1", "silu", width=0.0625)
    network = build_network(architecture).eval()
    save_network(network, folder / "tiny.safetensors")
    save_official(network, folder / "official.pt")
    save_official(network, folder / "legacy.pt", legacy=True, half=False)
    own = network.state_dict()
    named = {theirs: own[ours] for ours, theirs in published_names(architecture, own).items()}
    torch.save(named, folder / "state.pt")
    torch.save(named, folder / "state_legacy.pt", _use_new_zipfile_serialization=False)
    root = Path(__file__).resolve().parent.parent
    for part in ("picodet-s", "tinypose"):
        (folder / f"{part}.safetensors").write_bytes((root / "weights" / f"{part}.safetensors").read_bytes())
    np.savez(folder / "start.npz", **{f"{number:03d}.1": np.ones((3, 3), np.float16) for number in range(9)})


def _damage_checkpoint(whole: Path, damaged: Path, number: int, never: Path) -> None:
    files = sorted(whole.iterdir())
    size = files[number % len(files)].stat().st_size
    head = 40_000 if number % 2 and size > 80_000 else None  # headers and pickles are small beside the numbers
    target = _changed(whole, damaged, number, head=head)
    if target.suffix == ".pt" and number % 5 == 0:
        data = target.read_bytes()
        place = data.find(b"\x80\x02")
        target.write_bytes(data[:place] + bomb(data[place:], number, str(never)))


def _read_checkpoint(damaged: Path, number: int) -> None:
    from pose.networks.tinypose import TinyPose
    from pose.weight_files.checkpoint import load_network
    from pose.weight_files.header import network_of
    from pose.weight_files.start_weights import load_start_weights
    from pose.weight_files.topdown_file import load_topdown

    (file,) = damaged.iterdir()
    if file.suffix == ".npz":
        load_start_weights(TinyPose(), file)
        return
    network_of(file)
    if file.name in ("picodet-s.safetensors", "tinypose.safetensors"):
        load_topdown(file)
    else:
        load_network(file)


# Settings


def _make_settings(folder: Path) -> None:
    root = Path(__file__).resolve().parent.parent
    (folder / "config.yaml").write_bytes((root / "config.yaml").read_bytes())
    (folder / "short.yaml").write_text(
        "pose: {device: cpu, image_size: [320, 512]}\nsources:\n- {name: door, address: 'rtsp://u:p@host/1'}\n"
        "- address: 0\nsource:\n  region: [0.1, 0.1, 0.9, 0.9]\n  webcam_size: [640, 480]\nindex:\n  min_share: 0.4\n"
    )


def _damage_settings(whole: Path, damaged: Path, number: int, never: Path) -> None:
    _changed(whole, damaged, number, text=True)


def _read_settings(damaged: Path, number: int) -> None:
    from stream.settings.loading import load_settings

    (file,) = damaged.iterdir()
    line = random.Random(number).choice(file.read_bytes().splitlines() or [b""]).decode(errors="replace")
    load_settings(file, [line.strip().replace(": ", "=", 1)] if number % 3 == 0 else [])


# Pictures


def _write_picture(path: Path) -> None:
    import cv2

    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    done, data = cv2.imencode(path.suffix, picture)
    assert done
    path.write_bytes(data.tobytes())


def _make_pictures(folder: Path) -> None:
    for suffix in (".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm", ".gif", ".jp2", ".hdr"):
        _write_picture(folder / f"picture{suffix}")
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    plain = (folder / "picture.jpg").read_bytes()
    block = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (folder / "turned.jpg").write_bytes(plain[:2] + block + plain[2:])


def _damage_picture(whole: Path, damaged: Path, number: int, never: Path) -> None:
    _changed(whole, damaged, number)


def _read_picture(damaged: Path, number: int) -> None:
    from index.building.pictures import is_picture, quiet_opencv
    from pose.datasets.picture_file import decode_picture, picture_size, read_picture
    from pose.errors import PictureError

    (file,) = damaged.iterdir()
    with quiet_opencv():
        is_picture(file)
        with contextlib.suppress(PictureError):
            picture_size(file)
        with contextlib.suppress(PictureError):
            read_picture(file)
        decode_picture(file.read_bytes(), file.name)


# Videos


def _make_videos(folder: Path) -> None:
    import av

    wanted = (
        ("h264.mp4", "libx264"), ("mpeg4.avi", "mpeg4"), ("h264.mkv", "libx264"), ("vp9.webm", "libvpx-vp9"),
        ("mpeg2.ts", "mpeg2video"), ("mjpeg.mov", "mjpeg"), ("h265.mp4", "libx265"), ("a.gif", "gif"),
        ("flv1.flv", "flv"),
    )  # fmt: skip
    noise = np.random.default_rng(0)
    for name, codec in wanted:
        with contextlib.suppress(av.error.FFmpegError, ValueError), av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = 160, 120
            stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
            for _ in range(12):
                picture = noise.integers(0, 255, (120, 160, 3)).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


def _damage_video(whole: Path, damaged: Path, number: int, never: Path) -> None:
    _changed(whole, damaged, number, head=MEGABYTE)


def _read_video(damaged: Path, number: int) -> None:
    from stream.sources.opening import open_source

    (file,) = damaged.iterdir()
    with open_source(file) as source:
        for count, frame in enumerate(source, 1):
            assert frame.bgr.ndim == 3
            if count == 40:
                break


KINDS: Final[dict[str, Kind]] = {
    "database": Kind(_make_database, _damage_database, _read_database),
    "labels": Kind(_make_labels, _damage_labels, _read_labels),
    "checkpoint": Kind(_make_checkpoints, _damage_checkpoint, _read_checkpoint),
    "settings": Kind(_make_settings, _damage_settings, _read_settings),
    "picture": Kind(_make_pictures, _damage_picture, _read_picture),
    "video": Kind(_make_videos, _damage_video, _read_video),
}
"""By name."""
