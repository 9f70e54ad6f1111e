"""`PartialBuild`: what a build has finished so far, so that the same build can be continued after a kill."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from index.building.pictures import ClassPicture
from index.errors import DatabaseError, DatabaseUnwritable
from index.posture_index import PostureIndex
from index.storage import store
from pose.errors import reason_of

__all__ = ["PartialBuild"]

log = logging.getLogger(__name__)


class PartialBuild:
    """The database `PREFIX_partial`, and `PREFIX_partial_options.json`, which says what it is being built with.

    Args:
        path: prefix of the database that is to be built.
        options: whatever changes the rows; a build with other options begins anew.
    """

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        self.prefix = path.with_name(path.name + "_partial")
        self._options_file = path.with_name(path.name + "_partial_options.json")
        self._options = options

    def exists(self) -> bool:
        """Whether an earlier build left something."""
        return store.database_exists(self.prefix)

    def resume(
        self, pictures: Sequence[ClassPicture], networks: Sequence[tuple[str, str]], device: str
    ) -> PostureIndex | None:
        """What is finished and still holds: rows of pictures that are where they were, unchanged; None if nothing is.

        Args:
            pictures: those that the build is to read now.
            networks: name and digest of weights that the build would use.
            device: where to search.
        """
        try:
            options = json.loads(self._options_file.read_text(encoding="utf-8"))
            partial = PostureIndex.load(self.prefix, device="cpu")
        except (OSError, ValueError, RecursionError, DatabaseError):
            return None
        if options != self._options or {*partial.networks} != {*networks}:
            log.info("%s was begun with other options or another network: the build begins anew.", self.prefix)
            return None
        examples = partial.examples
        files = {(str(picture.path), picture.label): picture.path for picture in pictures}
        digests: dict[str, str] = {}
        still = np.zeros(partial.rows, bool)
        for row, (name, label, digest) in enumerate(
            zip(examples.pictures, partial.labels, examples.digests, strict=True)
        ):
            if (path := files.get((name, label))) is not None:
                if name not in digests:
                    with contextlib.suppress(OSError):
                        digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
                still[row] = digests.get(name) == digest
        if not still.any():
            return None
        index = PostureIndex(partial.embedding.name, device=device)
        labels = [label for label, keep in zip(partial.labels, still, strict=True) if keep]
        index.add(partial.vectors[still], labels, examples.select(still))
        for network in partial.networks:
            index.note_network(*network)
        return index

    def begin(self) -> None:
        """Forget what an earlier build left, and note the options of this one.

        Raises:
            DatabaseUnwritable: it could not be written.
        """
        try:
            self.remove()
            self._options_file.parent.mkdir(parents=True, exist_ok=True)
            self._options_file.write_text(json.dumps(self._options), encoding="utf-8")
        except OSError as error:
            raise DatabaseUnwritable(
                f"The database {self.prefix} could not be written: {reason_of(error)}. Free space or choose "
                "another place."
            ) from error

    def remove(self) -> None:
        """Delete the files."""
        for file in (*store.files_of(self.prefix), self._options_file):
            file.unlink(missing_ok=True)
