"""`PictureSink`: annotated pictures, one file per picture of the source. And how any picture is written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.building.pictures import printable
from stream.errors import SinkError
from stream.scene import Scene
from stream.sinks.base import Drawing
from stream.sinks.mark import MARKED_PICTURES, mark_of, xmp_of
from stream.sinks.paths import check_output
from stream.sources.base import Source

__all__ = ["PictureSink", "check_picture_output", "write_picture"]


WRITTEN: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Kinds of pictures that are written as what they were."""


class PictureSink:
    """Writes drawn pictures. Not thread-safe; use one per thread.

    Args:
        path: a picture file (`.jpg`, `.png`, …) for a source of one picture; a folder, made if it is not there, for a
            source of several, where every picture keeps its name, and the folders it is in below the source's. Kinds
            that cannot be written gain an end: `a.heic.jpg`.
        source: whose pictures these are.

    Attributes:
        files: the picture, or the folder of pictures.

    Raises:
        SinkError: the path cannot be used; from `write`, the picture cannot be written.
    """

    def __init__(self, path: str | Path, source: Source) -> None:
        path = Path(path)
        self._mark = mark_of(source)
        self._folder = source.info.frame_count != 1
        self._source_folder = source.path
        self.files = [path]
        if self._folder:
            try:
                path.mkdir(exist_ok=True)
            except OSError as error:
                raise SinkError(f"{path} cannot be used as a folder for pictures ({error.strerror}).") from error
            if source.path is not None and path.resolve() == source.path.resolve():
                raise SinkError(f"{path} is the source itself. Choose another folder for the output.")
            self.path = path
        else:
            self.path = check_picture_output(path, inputs=[source.path])

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Write one picture.

        Raises:
            SinkError: it cannot be written.
        """
        path = self.path / self._name(scene) if self._folder else self.path
        if self._folder:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SinkError(f"{path.parent} cannot be used as a folder for pictures ({error.strerror}).") from error
        write_picture(path, drawing.bgr, self._mark)

    def _name(self, scene: Scene) -> Path:
        """What a picture of several is called, below the folder."""
        if scene.frame.file is None:
            return Path(f"{scene.frame.number:06d}.jpg")
        file = Path(scene.frame.file)
        base = Path("" if self._source_folder is None else printable(self._source_folder))
        name = file.relative_to(base) if file.is_relative_to(base) and ".." not in file.parts else Path(file.name)
        return name if name.suffix.lower() in WRITTEN else name.with_name(f"{name.name}.jpg")

    def close(self) -> None:
        """Every picture is already complete."""


def check_picture_output(path: str | Path, *, inputs: Iterable[Path | None] = ()) -> Path:
    """The path, if a picture can be written there without harm; see `check_output`. Creates nothing.

    Raises:
        SinkError: as for `check_output`, or the name's end says no kind of picture.
    """
    path = check_output(path, inputs=inputs)
    if not cv2.haveImageWriter(str(path)):
        raise SinkError(f"{path}: no picture can be written under this name. Let it end in .jpg or .png.")
    return path


def write_picture(path: Path, bgr: NDArray[np.uint8], mark: str | None = None) -> None:
    """Write a picture, uint8 `[H, W, 3]`, in the kind that the path's end says, with a mark where that kind has room.

    Raises:
        SinkError: it cannot be written.
    """
    if mark is not None and path.suffix.lower() in MARKED_PICTURES:
        xmp = np.frombuffer(xmp_of(mark), np.uint8)
        encoded, data = cv2.imencodeWithMetadata(path.suffix, bgr, [cv2.IMAGE_METADATA_XMP], [xmp])
    else:
        encoded, data = cv2.imencode(path.suffix, bgr)
    try:
        if not encoded:
            raise OSError(None, "the picture cannot be encoded")
        path.write_bytes(data.tobytes())  # cv2.imwrite says neither that nor why it failed
    except OSError as error:
        raise SinkError(f"{path} cannot be written ({error.strerror}).") from error
