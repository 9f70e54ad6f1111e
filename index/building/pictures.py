"""Pictures of postures: finding them in class folders, and reading them."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from index.errors import FolderError, FolderMissing
from pose.errors import reason_of

__all__ = ["ClassPicture", "Folder", "find_pictures", "is_picture", "printable", "quiet_opencv"]

# What OpenCV reads, and two that people have on their telephones and expect to be read, so that they are named when
# they are not.
_SUFFIXES: Final = (
    *(".avif", ".bmp", ".dib", ".exr", ".gif", ".hdr", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"),
    *(".jxl", ".pam", ".pbm", ".pfm", ".pgm", ".pic", ".png", ".pnm", ".ppm", ".pxm", ".ras", ".sr", ".tif"),
    *(".tiff", ".webp"),
)
# First bytes of the common formats, for files that carry no such suffix.
_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ", b"#?RADIANCE")

_LAYOUT: Final = "Expected is one folder per posture, such as {0}/standing/*.jpg and {0}/sitting/*.jpg"


@dataclass(frozen=True, slots=True)
class ClassPicture:
    """A picture file and the posture that its folder says it shows."""

    path: Path
    label: str


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder of class folders holds.

    Attributes:
        pictures: sorted by class folder, then by path.
        classes: the name of every class folder, also of those without a picture.
        outside: pictures that lie beside the class folders and belong to none.
        others: files that are no pictures.
        left_out: links that lead out of their class folder or nowhere.
        unreadable: folders that may not be read.
    """

    pictures: tuple[ClassPicture, ...]
    classes: tuple[str, ...]
    outside: tuple[Path, ...]
    others: tuple[Path, ...]
    left_out: tuple[Path, ...] = ()
    unreadable: tuple[Path, ...] = ()


def find_pictures(folder: str | Path) -> Folder:
    """Find the pictures of every class: `FOLDER/standing/**` shows people standing.

    A class called `other` shows what is none of the postures: whoever resembles it is unknown.

    Hidden files and folders are passed over. A picture is a file with a picture's suffix, or with its first bytes.
    A class folder may be a link, and a picture may be one to a store of pictures elsewhere. A link to a folder outside
    of its class, or to another class's picture, would teach that under this name: it is left out and named.

    Raises:
        FolderMissing: there is no such folder.
        FolderError: it is empty, holds no class folders, or no pictures in them.
    """
    root = Path(folder)
    if not root.exists():
        raise FolderMissing(f"There is no folder {printable(root)}. {_LAYOUT.format('FOLDER')}.")
    if not root.is_dir():
        raise FolderError(f"{printable(root)} is not a folder. {_LAYOUT.format('FOLDER')}.")
    try:
        entries = sorted(entry for entry in root.iterdir() if not _hidden(entry.name))
    except OSError as error:
        raise FolderError(f"The folder {printable(root)} cannot be read: {reason_of(error)}. Check who may.") from error
    layout = _LAYOUT.format(printable(root))
    if not entries:
        raise FolderError(f"The folder {printable(root)} is empty. {layout}.")
    pictures: list[ClassPicture] = []
    classes: list[str] = []
    others: list[Path] = []
    left_out: list[Path] = []
    unreadable: list[Path] = []
    outside = [entry for entry in entries if not entry.is_dir() and is_picture(entry)]
    for entry in entries:
        if _leads_astray(entry, root):
            left_out.append(entry)
        elif entry.is_dir():
            label = _label(entry.name)
            classes.append(label)
            for path in sorted(_walk(entry, root, left_out, unreadable)):
                if is_picture(path):
                    pictures.append(ClassPicture(path, label))
                else:
                    others.append(path)
        elif entry not in outside:
            others.append(entry)
    if not pictures:
        if unreadable:
            raise FolderError(
                f"There are no pictures in the folder {printable(root)} that can be read: {printable(unreadable[0])} "
                "may not be. Check who may."
            )
        if outside:
            raise FolderError(
                f"The folder {printable(root)} has {len(outside)} picture(s) but no class folders with pictures, "
                f"so their postures are unknown. {layout}."
            )
        raise FolderError(f"There are no pictures in the folder {printable(root)}. {layout}.")
    return Folder(
        tuple(pictures),
        tuple(dict.fromkeys(classes)),
        tuple(outside),
        tuple(others),
        tuple(sorted(left_out)),
        tuple(sorted(unreadable)),
    )


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own lines about damaged pictures off standard error; ours name the picture."""
    from cv2.utils import logging as opencv_log

    level = opencv_log.getLogLevel()
    opencv_log.setLogLevel(opencv_log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        opencv_log.setLogLevel(level)


def printable(path: str | Path) -> str:
    """A path for people's eyes, on one line: characters that cannot be shown are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _label(name: str) -> str:
    """A folder's name as a label: the same letters give the same label, however the disk spells them."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def _leads_astray(entry: Path, root: Path) -> bool:
    """Whether an entry of the folder of classes is a link to nowhere, to another class, or to a folder around it."""
    if not entry.is_symlink():
        return False
    target, whole = _resolved(entry), root.resolve()
    return target is None or (target.is_dir() and (target.is_relative_to(whole) or whole.is_relative_to(target)))


def _leads_out(path: Path, folder: Path, root: Path) -> bool:
    """Whether a link below the class folder `folder` leads out of it, or nowhere."""
    target = _resolved(path)
    if target is None:
        return True
    if target.is_relative_to(folder.resolve()):
        return False
    return target.is_dir() or target.is_relative_to(root.resolve())


def _resolved(link: Path) -> Path | None:
    """Where a link leads; None if nowhere."""
    try:
        return link.resolve(strict=True)
    except (OSError, RuntimeError):  # to a file that is gone, or round in a circle
        return None


def _walk(folder: Path, root: Path, left_out: list[Path], unreadable: list[Path]) -> Iterator[Path]:
    """All files at any depth. Links that lead out are added to `left_out`, closed folders to `unreadable`."""
    entered: set[tuple[int, int]] = set()

    def refused(error: OSError) -> None:
        unreadable.append(Path(error.filename))

    for place, subfolders, names in os.walk(folder, followlinks=True, onerror=refused):
        try:
            status = os.stat(place)
        except OSError as error:
            refused(error)
            continue
        if (status.st_dev, status.st_ino) in entered:
            subfolders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        astray = set()
        for name in (*subfolders, *names):
            path = Path(place, name)
            if not _hidden(name) and path.is_symlink() and _leads_out(path, folder, root):
                astray.add(name)
                left_out.append(path)
        subfolders[:] = sorted(name for name in subfolders if not _hidden(name) and name not in astray)
        for name in names:
            path = Path(place, name)
            if not _hidden(name) and name not in astray and path.is_file():
                yield path


def is_picture(path: Path) -> bool:
    """Whether a file's name or its first bytes say that it is a picture. OpenCV may still fail to read it."""
    if not path.is_file():
        return False
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(_MAGIC) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")
