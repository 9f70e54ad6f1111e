"""`PostureIndex`: a database of postures that a few examples each have taught it."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.classification import DECISION_RULE, Classification, DecisionRule, vote
from index.errors import DatabaseDamaged
from index.recalibration import Recalibration
from index.reembedding import embed_again
from index.rows import Added, Rows, Snapshot
from index.search.backend import Neighbours
from index.search.calibration import Calibration
from index.search.matches import Matches
from index.search.nearest import nearest
from index.storage import store
from index.storage.commit import finish_pending, locked
from index.storage.examples import Examples
from index.storage.joining import Home, saved_by_others
from index.storage.manifest import Manifest
from index.storage.provenance import Network, Provenance
from pose.embeddings.registry import DEFAULT_EMBEDDING, Embedding, get_embedding
from pose.reason import Reason

__all__ = ["PostureIndex"]

log = logging.getLogger(__name__)


class PostureIndex:
    """Posture embeddings with labels, searched for the nearest examples, and the vote among them.

        index = PostureIndex.load()
        classifications = index.classify(index.embedding(poses))

    Thread-safe: one thread may teach and save while another classifies, which waits for neither the disk nor a
    calibration (see `Recalibration`).

    Args:
        embedding: a name in `pose.embeddings.registry`; by default that of new databases, as in `build_index`.
            A pair that earlier tools wrote is loaded as what it is, `nose25`.
        device: where to search: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        ValueError: there is no embedding of that name.
        FaissMissing: FAISS is not installed.
        DeviceError: `device` names a GPU that FAISS cannot use.
    """

    def __init__(self, embedding: str = DEFAULT_EMBEDDING, *, device: str = "auto") -> None:
        self._embedding = get_embedding(embedding)
        self._lock = threading.RLock()  # of what is in memory; held for moments
        self._saving = threading.Lock()  # one save at a time
        self._device = device
        self._provenance = Provenance.begun_now()
        self._home: Home | None = None
        self._rows = Rows(Neighbours(self._embedding.dimension, device), [], Examples.unknown(0))
        self._recalibration = Recalibration(self._embedding, self._lock, self._rows)

    # What it holds

    @property
    def embedding(self) -> Embedding:
        """What the rows are: call it with `Poses` for rows to search or add."""
        return self._embedding

    @property
    def rows(self) -> int:
        """R, how many examples there are."""
        return len(self._rows)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order in which they first came."""
        return self._rows.classes

    @property
    def counts(self) -> dict[str, int]:
        """Rows per label."""
        return self._rows.counts

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of every row."""
        return tuple(self._rows.labels)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """A copy of all rows, float32 `[R, D]`."""
        with self._lock:
            return self._rows.vectors()

    @property
    def examples(self) -> Examples:
        """Where every row came from."""
        with self._lock:
            return self._rows.examples

    @property
    def device(self) -> str:
        """Where searches run: "cpu" or "cuda:N"."""
        return self._rows.neighbours.device

    @property
    def networks(self) -> tuple[Network, ...]:
        """Every network that is noted as having contributed rows, oldest first."""
        return self._provenance.networks

    @property
    def built_from(self) -> tuple[str, ...]:
        """The folders noted as sources."""
        return self._provenance.built_from

    @property
    def created(self) -> str:
        """When the database was begun: ISO 8601, UTC; "" where a bare pair does not say."""
        return self._provenance.created

    @property
    def updated(self) -> str:
        """When it was last saved: ISO 8601, UTC; "" where a bare pair does not say."""
        return self._provenance.updated

    @property
    def rejection_radius(self) -> float | None:
        """The median distance of the nearest five beyond which a posture is unknown; None to accept any."""
        return self.calibration.radius

    @property
    def calibration(self) -> Calibration:
        """How distances are to be read, see `index.search.calibration`.

        Measured anew once the database has grown by a tenth, and at every save after additions. Asking here waits for
        that; classifying does only in a thread that taught.
        """
        return self._recalibration.latest()

    def labels_of_picture(self, digest: str) -> tuple[str, ...]:
        """The labels of all people of the picture whose file content has this SHA-256; none if it is not here."""
        return tuple(self._rows.labels[row] for row in self._rows.known.people(digest).values())

    def people_of_picture(self, digest: str) -> tuple[int, ...]:
        """The numbers of the people of that picture that are here."""
        return tuple(self._rows.known.people(digest))

    # Teaching

    def add(self, embeddings: NDArray[np.float32], labels: Sequence[str], examples: Examples | None = None) -> Added:
        """Add rows, except those that are here already.

        The same person of the same picture (by the content of its file) is here already; under another label that is
        reported as a conflict, and nothing is added either way. Rows without a picture digest are always added.

        Args:
            embeddings: float32 `[N, D]`; a row with NaN cannot be told and is not added.
            labels: N names.
            examples: where they came from, N rows; unknown by default.

        Raises:
            ValueError: the arguments differ in N, or the embedding has another dimension.
        """
        embeddings = np.asarray(embeddings, np.float32)
        examples = Examples.unknown(len(embeddings)) if examples is None else examples
        if embeddings.shape != (len(labels), self._embedding.dimension) or len(examples) != len(labels):
            raise ValueError(
                f"embeddings {embeddings.shape}, {len(labels)} labels and {len(examples)} examples; expected "
                f"[N, {self._embedding.dimension}], N and N"
            )
        with self._lock:
            added = self._rows.add(embeddings, labels, examples)
            self._recalibration.taught()
            return added

    def note_network(self, name: str, weights_sha256: str) -> None:
        """Remember that this network contributed rows."""
        self._provenance = self._provenance.including(networks=(Network(name, weights_sha256),))

    def note_source(self, folder: str) -> None:
        """Remember that rows came from this folder."""
        self._provenance = self._provenance.including(built_from=(folder,))

    # Asking

    def search(self, embeddings: NDArray[np.float32], k: int = 5) -> Matches:
        """The `k` nearest rows for all people of a batch, in one call.

        Args:
            embeddings: float32 `[N, D]`; a row with NaN has no neighbours.
            k: how many neighbours, at least 1.

        Raises:
            ValueError: `k` is less than 1, or the embedding has another dimension.
        """
        embeddings = self._checked(embeddings, k)
        calibration = self._recalibration.current()
        with self._lock:
            return self._nearest(embeddings, k, calibration)

    def vote(self, matches: Matches, rule: DecisionRule = DECISION_RULE) -> list[Classification]:
        """What each person's neighbours call the posture; see `index.classification.vote`."""
        calibration = self._recalibration.current()
        with self._lock:
            return self._vote(matches, rule, calibration)

    def classify(
        self,
        embeddings: NDArray[np.float32],
        rule: DecisionRule = DECISION_RULE,
        reject_reasons: Sequence[Reason | None] | None = None,
    ) -> list[Classification]:
        """Search and vote: one `Classification` per row.

        Args:
            embeddings: float32 `[N, D]`; a row with NaN is unknown.
            rule: how many neighbours vote, and what a label needs.
            reject_reasons: why people could not be embedded, N of `quality_gate`; too few keypoints by default.
        """
        embeddings = self._checked(embeddings, rule.k)
        calibration = self._recalibration.current()
        with self._lock:
            classifications = self._vote(self._nearest(embeddings, rule.k, calibration), rule, calibration)
        for row, reason in enumerate(reject_reasons or ()):
            if reason is not None:
                classifications[row] = replace(classifications[row], reason=reason)
        return classifications

    # On disk

    @classmethod
    def load(cls, prefix: str | Path | None = None, *, device: str = "auto") -> PostureIndex:
        """Read the database `PREFIX.faiss`, `PREFIX_labels.pkl`, `PREFIX.json`, `PREFIX_examples.npz`.

        The first two are enough; such a pair loads as `nose25`, without origins. Without a prefix, `pose_index` in this
        folder is read, or where there is none the starter database that ships with Stance.

        Raises:
            DatabaseMissing: there is none.
            DatabaseDamaged: its files cannot be read or do not belong together.
            DatabaseMismatch: its embedding, metric or format is not one this Stance has.
            UnsafeLabels: the labels file holds anything but a list of str.
        """
        path = store.choose_prefix(prefix)
        stored = store.read(path, device)
        index = cls(stored.embedding, device=device)
        index._take(stored, path)
        return index

    def save(self, prefix: str | Path, *, replace: bool = False) -> None:
        """Write the database; a kill at any instant leaves the old one or the new one.

        If another process has added to the database since it was loaded, its rows are kept and ours are added to them,
        without duplicates; row numbers of ours may then change.

        Args:
            prefix: path without suffix.
            replace: write over a database that this one was not loaded from.

        Raises:
            DatabaseExists: such a database is there, and `replace` is false.
            DatabaseUnwritable: it could not be written; the database on disk is unchanged.
        """
        path = store.normalise_prefix(prefix)
        with self._saving, locked(path):
            finish_pending(path)
            if not replace:
                self._join_with_disk(path)
            with self._lock:
                self._provenance = self._provenance.saved_now()
                rows = self._rows.snapshot()
            manifest = self._manifest(rows, self._recalibration.of(rows))
            identity = store.write(path, rows.neighbours, rows.labels, rows.examples, manifest)
            self._home = Home(path.resolve(), identity, len(rows))

    def reembedded(self, name: str) -> PostureIndex:
        """The same rows under another embedding, from the keypoints that are stored with them. This one stays as it is.

        Saved over the files it was loaded from, it needs `replace=True`.

        Raises:
            ValueError: there is no embedding of that name.
            DatabaseMismatch: the keypoints of some rows are unknown, or do not show enough for that embedding.
        """
        new = PostureIndex(name, device=self._device)
        with self._lock:
            new._rows.neighbours.add(embed_again(self.examples, new.embedding))
            new._hold(Rows(new._rows.neighbours, self._rows.labels, self.examples))
            new._provenance = replace(self._provenance, updated=new.updated)
            return new

    def __repr__(self) -> str:
        return f"PostureIndex({self._embedding.name!r}, rows={self.rows}, classes={len(self.classes)})"

    # Inside

    def _hold(self, rows: Rows) -> None:
        """Hold these rows and nothing else."""
        self._rows = rows
        self._recalibration.hold(rows)

    def _take(self, stored: store.Stored, path: Path) -> None:
        """Become the database on disk."""
        self._hold(Rows(stored.neighbours, stored.labels, stored.examples))
        self._home = Home(path.resolve(), stored.identity, self.rows)
        manifest = stored.manifest
        self._provenance = Provenance() if manifest is None else manifest.provenance  # a bare pair does not say
        if manifest is not None and manifest.rows == self.rows and manifest.calibration is not None:
            self._recalibration.hold(self._rows, manifest.calibration)

    def _checked(self, embeddings: NDArray[np.float32], k: int) -> NDArray[np.float32]:
        embeddings = np.asarray(embeddings, np.float32)
        if k < 1 or embeddings.ndim != 2 or embeddings.shape[1] != self._embedding.dimension:
            raise ValueError(f"k={k}, embeddings {embeddings.shape}; expected k ≥ 1, [N, {self._embedding.dimension}]")
        return embeddings

    def _nearest(self, embeddings: NDArray[np.float32], k: int, calibration: Calibration) -> Matches:
        try:
            return nearest(self._rows.neighbours, self._embedding, embeddings, k, mirror=calibration.mirror)
        except DatabaseDamaged:  # a kind of FAISS index that cannot give its vectors back
            return Matches(*self._rows.neighbours.search(embeddings, k))

    def _vote(self, matches: Matches, rule: DecisionRule, calibration: Calibration) -> list[Classification]:
        codes, classes = self._rows.codes, self._rows.classes
        return vote(matches, codes, classes, rule, radius=calibration.radius, bandwidth=calibration.bandwidth)

    def _join_with_disk(self, path: Path) -> None:
        """Bring in what others have saved at `path` since we loaded it."""
        stored = saved_by_others(path, self._home, self._embedding.name, self._device)
        if stored is None or self._home is None:
            return
        with self._lock:
            ours, provenance = self._rows.since(self._home.rows), self._provenance
            self._take(stored, path)
            added = self._rows.add(*ours)
            self._provenance = self._provenance.including(provenance.networks, provenance.built_from)
        log.info("%s was saved by another process meanwhile: %d rows of ours were added to it.", path, added.count)

    def _manifest(self, rows: Snapshot, calibration: Calibration) -> Manifest:
        return Manifest(
            embedding=self._embedding.name,
            dimension=self._embedding.dimension,
            embedding_version=self._embedding.version,
            rows=len(rows),
            labels=dict(Counter(rows.labels)),
            calibration=calibration,
            provenance=self._provenance,
            digests={},
        )
