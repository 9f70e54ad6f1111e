"""`Manifest`: what `PREFIX.json` says about the database beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from index.errors import DatabaseDamaged, DatabaseMismatch
from index.search.calibration import Calibration
from index.storage.provenance import Network, Provenance

__all__ = ["FORMAT_VERSION", "Manifest"]

FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a database is: read and written as JSON.

    Attributes:
        embedding: name in the registry of `pose.embeddings.registry`.
        dimension: numbers per row.
        embedding_version: the embedding's version when the database was built.
        rows: how many.
        labels: rows per label.
        calibration: how distances are to be read; None where an older Stance did not measure all of it.
        provenance: networks, folders and times.
        digests: SHA-256, in hex, of the other files by suffix, and of the bare rows ("rows") and labels ("labels").
        metric: always "l2": Euclidean.
    """

    embedding: str
    dimension: int
    embedding_version: int
    rows: int
    labels: dict[str, int]
    calibration: Calibration | None
    provenance: Provenance
    digests: dict[str, str]
    metric: str = "l2"

    def to_json(self) -> bytes:
        """The content of the file."""
        fields: dict[str, Any] = {
            "format": "stance posture database",
            "version": FORMAT_VERSION,
            "embedding": {"name": self.embedding, "dimension": self.dimension, "version": self.embedding_version},
            "metric": self.metric,
            "rows": self.rows,
            "labels": self.labels,
            "rejection_radius": None if self.calibration is None else self.calibration.radius,
            "bandwidth": None if self.calibration is None else self.calibration.bandwidth,
            "mirror": None if self.calibration is None else self.calibration.mirror,
            "built_from": list(self.provenance.built_from),
            "networks": [network._asdict() for network in self.provenance.networks],
            "created": self.provenance.created,
            "updated": self.provenance.updated,
            "digests": self.digests,
        }
        return json.dumps(fields, indent=2).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, name: str) -> Manifest:
        """Read the file's content; `name` is what errors call it.

        Raises:
            DatabaseDamaged: it is no manifest.
            DatabaseMismatch: a newer Stance wrote it, or it measures another distance.
        """
        try:
            fields = json.loads(data)
            version = int(fields["version"])
            if version > FORMAT_VERSION:
                raise DatabaseMismatch(
                    f"{name} has format version {version}; this Stance reads up to {FORMAT_VERSION}. Update Stance."
                )
            if fields["metric"] != "l2":
                raise DatabaseMismatch(f"{name} says metric {fields['metric']!r}; Stance searches by l2 only.")
            return cls(
                embedding=str(fields["embedding"]["name"]),
                dimension=int(fields["embedding"]["dimension"]),
                embedding_version=int(fields["embedding"]["version"]),
                rows=int(fields["rows"]),
                labels={str(label): int(count) for label, count in fields["labels"].items()},
                calibration=_calibration(fields),
                provenance=Provenance(
                    networks=tuple(Network(str(n["name"]), str(n["weights_sha256"])) for n in fields["networks"]),
                    built_from=tuple(map(str, fields["built_from"])),
                    created=str(fields["created"]),
                    updated=str(fields["updated"]),
                ),
                digests={str(suffix): str(digest) for suffix, digest in fields["digests"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            if isinstance(error, DatabaseMismatch):
                raise
            raise DatabaseDamaged(
                f"{name} is damaged. Restore it, or delete it: the database then loads as nose25 without origins."
            ) from error


def _calibration(fields: dict[str, Any]) -> Calibration | None:
    if fields.get("mirror") is None:
        return None
    radius, bandwidth = fields["rejection_radius"], fields["bandwidth"]
    return Calibration(
        None if radius is None else float(radius),
        None if bandwidth is None else float(bandwidth),
        bool(fields["mirror"]),
    )
