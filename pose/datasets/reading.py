"""`read_labelled`: a set of labelled pictures, whichever way it lies on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pose.datasets.coco_labels import read_coco
from pose.datasets.labelled import LabelledSet
from pose.datasets.yolo_labels import read_yolo
from pose.errors import LabelsError, LabelsMissing

__all__ = ["read_labelled"]

_LAYOUTS: Final = (
    "Expected is a folder with images/ and labels/ (YOLO-pose text), a COCO keypoint JSON file, or a folder with one"
)


def read_labelled(path: str | Path, images: str | Path | None = None) -> LabelledSet:
    """Read a set of labelled pictures. The pictures themselves are measured, not decoded.

    Args:
        path: a folder with `images/` and `labels/` (YOLO-pose text, see `yolo_labels`), a COCO keypoint JSON file
            (see `coco_labels`), or a folder with one such file, in it or in its `annotations/`.
        images: folder of the pictures a JSON file names; None looks around the file.

    Raises:
        LabelsMissing: the folder, the file or the pictures are not there.
        LabelsError: the labels cannot be used; one line for each of the first faults.
        PictureError: a picture cannot be measured.
    """
    path = Path(path)
    if path.is_file():
        if path.suffix.lower() != ".json":
            raise LabelsError(f"{path} is not a JSON file. {_LAYOUTS}.")
        return read_coco(path, images)
    if not path.is_dir():
        raise LabelsMissing(f"There is no {path}. {_LAYOUTS}.")
    if (path / "labels").is_dir():
        if images is not None:
            raise LabelsError(
                f"{path} has its pictures in images/; a folder of pictures is named only beside a JSON file."
            )
        return read_yolo(path)
    found = sorted(file for place in (path, path / "annotations") for file in place.glob("*.json"))
    if len(found) > 1:
        names = ", ".join(str(file.relative_to(path)) for file in found)
        raise LabelsError(f"{path} holds several JSON files: {names}. Name the one to read.")
    if not found:
        missing = "images/ but no labels/" if (path / "images").is_dir() else "neither labels/ nor a JSON file"
        raise LabelsMissing(f"{path} has {missing}. {_LAYOUTS}.")
    return read_coco(found[0], images)
