"""`ModelCache`: compiled networks in the user's cache folder, so that the next start is quick."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from pose.cache_folder import cache_folder

__all__ = ["ModelCache"]

log = logging.getLogger(__name__)

MAGIC: Final = b"stance compiled network 1\n"
DIGEST_BYTES: Final = 32
SUFFIX: Final = ".compiled"
KEPT_FILES: Final = 32  # of some 7 MB each; every version of Stance, OpenVINO or weights leaves some behind
KEPT_BYTES: Final = 1 << 30  # in all; yolov7-w6-pose alone takes hundreds of MB


class ModelCache:
    """Files by key. Any number of processes may read and write at once: a file is whole or not there.

    A file that is not what was written is taken for none, because libraries that read compiled networks trust them.
    A folder that cannot be written is said once, and then there is no cache.

    Args:
        folder: None takes `compiled` in `cache_folder()`.
    """

    def __init__(self, folder: Path | None = None):
        self.folder = folder or cache_folder() / "compiled"

    def path(self, name: str, *key: str) -> Path:
        """Where the network of this name and key lies; every part of the key counts."""
        digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:24]
        return self.folder / f"{name}-{digest}{SUFFIX}"

    def read(self, path: Path) -> bytes | None:
        """What was written there; None if nothing was, or something else is there now."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.debug("%s cannot be read (%s), so the network is compiled again", path, error.strerror or error)
            return None
        start = len(MAGIC) + DIGEST_BYTES
        content = data[start:]
        if data[:start] != MAGIC + hashlib.sha256(content).digest():
            log.debug("%s is damaged, so the network is compiled again", path)
            return None
        return content

    def write(self, path: Path, content: bytes) -> None:
        """Keep it, in place of what was there."""
        part: str | None = None
        try:
            self.folder.mkdir(0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as stream:
                part = stream.name
                stream.write(MAGIC + hashlib.sha256(content).digest() + content)
            os.replace(part, path)
        except OSError as error:
            if part is not None:
                with contextlib.suppress(OSError):
                    os.unlink(part)
            _warn(self.folder, error.strerror or str(error))
        else:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        with contextlib.suppress(OSError):  # another process may be at it too
            files = sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
            total = 0
            for number, file in enumerate(files):
                total += file.stat().st_size
                if number and (number >= KEPT_FILES or total > KEPT_BYTES):
                    file.unlink()


@cache
def _warn(folder: Path, reason: str) -> None:
    log.warning(
        "Compiled networks cannot be kept in %s (%s), so every start takes seconds longer. Set STANCE_CACHE_DIR.",
        folder, reason,
    )  # fmt: skip
