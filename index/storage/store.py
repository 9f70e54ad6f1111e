"""The files of a database: reading them with suspicion, writing them together."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from index.errors import DatabaseDamaged, DatabaseMissing
from index.search.backend import Neighbours, load_faiss
from index.storage.commit import publish, read_together
from index.storage.examples import Examples
from index.storage.examples_file import dump_examples, load_examples
from index.storage.labels import dump_labels, load_labels
from index.storage.manifest import Manifest
from index.storage.rows_file import BARE_EMBEDDING, embedding_name, finite_rows, labels_by_number, read_rows
from index.storage.suffixes import EXAMPLES, FAISS, LABELS, MANIFEST, SUFFIXES
from pose.errors import reason_of

__all__ = [
    "Stored",
    "choose_prefix",
    "database_exists",
    "files_of",
    "normalise_prefix",
    "read",
    "starter_prefix",
    "write",
]

log = logging.getLogger(__name__)

DEFAULT_PREFIX: Final = "pose_index"


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A database as it lies on disk.

    Attributes:
        neighbours: its rows, ready to search.
        labels: one per row.
        examples: one per row.
        manifest: what it says of itself; None for a bare pair.
        identity: changes when anybody changes the rows or labels on disk.
    """

    neighbours: Neighbours
    labels: list[str]
    examples: Examples
    manifest: Manifest | None
    identity: str

    @property
    def embedding(self) -> str:
        """Name of what its rows are."""
        return embedding_name(self.manifest)


def starter_prefix() -> Path:
    """Prefix of the database that ships with Stance, in a checkout and in an installed wheel."""
    return Path(__file__).parents[1] / "starter" / DEFAULT_PREFIX


def choose_prefix(given: str | Path | None = None) -> Path:
    """The database to read: the one given, else `pose_index` in this folder if it is there, else the starter database.

    Falling back to the starter database is said in the log.
    """
    if given is not None:
        return normalise_prefix(given)
    if database_exists(DEFAULT_PREFIX):
        return Path(DEFAULT_PREFIX)
    log.info("There is no database pose_index here: the starter database that ships with Stance is used.")
    return starter_prefix()


def normalise_prefix(prefix: str | Path) -> Path:
    """The prefix as a path; `pose_index.faiss` is taken as `pose_index`.

    Raises:
        DatabaseMissing: it names a folder.
    """
    path = Path(prefix)
    if path.name.endswith(FAISS):
        path = path.with_name(path.name.removesuffix(FAISS))
    if path.name in ("", "..") or str(prefix).endswith(("/", "\\")):
        raise DatabaseMissing(f"{prefix} is a folder. Name a database in it, such as {path / DEFAULT_PREFIX}.")
    return path


def files_of(prefix: str | Path) -> list[Path]:
    """The files that a database consists of and that are there."""
    path = normalise_prefix(prefix)
    return [file for suffix in SUFFIXES if (file := path.with_name(path.name + suffix)).exists()]


def database_exists(prefix: str | Path) -> bool:
    """Whether a database lies there, half of a pair and a save not yet tidied up included."""
    path = normalise_prefix(prefix)
    return any(path.with_name(path.name + suffix).exists() for suffix in (FAISS, LABELS, ".commit"))


def read(prefix: Path, device: str = "auto") -> Stored:
    """Read the database at `prefix`.

    Raises:
        DatabaseMissing: there is none.
        DatabaseDamaged: its files cannot be read or do not belong together.
        DatabaseMismatch: it is of a kind that cannot be searched here.
        UnsafeLabels: the labels file holds anything but a list of str.
    """
    files = _read_files(prefix)
    faiss_bytes, labels_bytes, manifest_bytes = files[FAISS], files[LABELS], files[MANIFEST]
    if faiss_bytes is None and labels_bytes is None:
        raise DatabaseMissing(
            f"There is no database {prefix} ({prefix}{FAISS}). Build one with `stance build FOLDER --index {prefix}`, "
            "or name another."
        )
    if faiss_bytes is None or labels_bytes is None:
        there, gone = (LABELS, FAISS) if faiss_bytes is None else (FAISS, LABELS)
        raise DatabaseDamaged(
            f"{prefix}{gone} is missing beside {prefix}{there}. Restore it, or rebuild with `stance build --replace`."
        )
    manifest = None if manifest_bytes is None else Manifest.from_json(manifest_bytes, f"{prefix}{MANIFEST}")
    if manifest is None and files[EXAMPLES] is not None:
        log.warning(
            "%s%s is missing beside %s%s: the rows are taken as %s, and where they came from is unknown.",
            *(prefix, MANIFEST, prefix, EXAMPLES, BARE_EMBEDDING),
        )
    labels = load_labels(labels_bytes, f"{prefix}{LABELS}")
    neighbours, numbers = read_rows(prefix, faiss_bytes, manifest, device)
    if numbers is not None:
        labels = labels_by_number(prefix, labels, numbers)
    if len(labels) != len(neighbours):
        problem = "fewer" if len(labels) < len(neighbours) else "more"
        raise DatabaseDamaged(
            f"{prefix}{LABELS} has {problem} labels than {prefix}{FAISS} has rows: {len(labels)} and "
            f"{len(neighbours)}. Restore the pair from one backup, or rebuild with `stance build --replace`."
        )
    digests = {FAISS: _sha256(faiss_bytes), LABELS: _sha256(labels_bytes)}
    known = 0 if manifest is None else _rows_still_known(prefix, manifest, digests, neighbours, labels)
    examples = Examples.unknown(0)
    if manifest is not None and known:
        examples = _read_examples(prefix, files[EXAMPLES], manifest)
    if len(examples) < len(labels):
        examples = Examples.concatenate([examples, Examples.unknown(len(labels) - len(examples))])
    neighbours, labels, examples = finite_rows(prefix, neighbours, labels, examples)
    return Stored(neighbours, labels, examples, manifest, digests[FAISS] + digests[LABELS])


def read_identity(prefix: Path) -> str | None:
    """`Stored.identity` of the database at `prefix`, without loading it; None where there is none."""
    files = _read_files(prefix)
    if files[FAISS] is None and files[LABELS] is None:
        return None
    return _sha256(files[FAISS] or b"") + _sha256(files[LABELS] or b"")


def write(prefix: Path, neighbours: Neighbours, labels: list[str], examples: Examples, manifest: Manifest) -> str:
    """Replace the database at `prefix`; call it within `commit.locked`. The manifest's digests are filled in.

    Returns:
        The new identity.

    Raises:
        DatabaseUnwritable: it could not be written; the old database is unchanged.
    """
    if not len(neighbours) == len(labels) == len(examples):
        raise RuntimeError(f"{len(neighbours)} rows, {len(labels)} labels, {len(examples)} examples")
    faiss_bytes = load_faiss().serialize_index(neighbours.cpu_index).tobytes()
    labels_bytes = dump_labels(labels)
    examples_bytes = dump_examples(examples)
    digests = {FAISS: _sha256(faiss_bytes), LABELS: _sha256(labels_bytes), EXAMPLES: _sha256(examples_bytes)}
    identity = digests[FAISS] + digests[LABELS]
    digests["labels"] = _labels_digest(labels)
    if neighbours.exact:
        digests["rows"] = _sha256(neighbours.vectors().tobytes())
    manifest.digests.clear()
    manifest.digests.update(digests)
    # A tool that reads only the pair, after a kill in the instant between its two files, must find enough labels.
    pair = {LABELS: labels_bytes, FAISS: faiss_bytes}
    if len(labels) < _labels_on_disk(prefix):
        pair = {FAISS: faiss_bytes, LABELS: labels_bytes}
    publish(prefix, {**pair, EXAMPLES: examples_bytes, MANIFEST: manifest.to_json()})
    return identity


def _read_files(prefix: Path) -> dict[str, bytes | None]:
    try:
        return read_together(prefix, SUFFIXES)
    except OSError as error:
        if isinstance(error, DatabaseMissing):
            raise
        raise DatabaseDamaged(f"The database {prefix} cannot be read: {reason_of(error)}.") from error


def _labels_on_disk(prefix: Path) -> int:
    try:
        return len(load_labels(_read_files(prefix)[LABELS] or b""))
    except DatabaseDamaged:
        return 0  # it is about to be replaced


def _rows_still_known(
    prefix: Path, manifest: Manifest, digests: dict[str, str], neighbours: Neighbours, labels: list[str]
) -> int:
    """How many rows, from the first on, are those that the manifest describes: all of them, or 0.

    Tools that know only the pair may have appended to it. Their rows are kept; what is known of ours still holds if
    ours still come first.
    """
    rows = manifest.rows
    if all(manifest.digests.get(suffix) == digests[suffix] for suffix in (FAISS, LABELS)) and rows == len(labels):
        return rows
    same = len(labels) >= rows and manifest.digests.get("labels") == _labels_digest(labels[:rows])
    if same and "rows" in manifest.digests:
        same = manifest.digests["rows"] == _sha256(neighbours.vectors()[:rows].tobytes())
    if same and len(labels) == rows:  # the same rows and labels, only written by another version of FAISS or pickle
        return rows
    if len(labels) <= rows:
        raise DatabaseDamaged(
            f"{prefix}{FAISS} and {prefix}{LABELS} are not the files that {prefix}{MANIFEST} describes ({rows} rows). "
            f"Restore them from one backup; if another tool changed them on purpose, delete {prefix}{MANIFEST}."
        )
    added = len(labels) - rows
    if same:
        log.warning("%s: another tool appended %d rows; where they came from is unknown.", prefix, added)
        return rows
    log.warning("%s: another tool rewrote the database; where its %d rows came from is unknown.", prefix, len(labels))
    return 0


def _read_examples(prefix: Path, data: bytes | None, manifest: Manifest) -> Examples:
    name = f"{prefix}{EXAMPLES}"
    if data is None:
        log.warning("%s is missing: the database works, but where its rows came from is unknown.", name)
        return Examples.unknown(manifest.rows)
    cure = "Restore it, or delete it: the database works without, but forgets where its rows came from"
    if _sha256(data) != manifest.digests.get(EXAMPLES):
        raise DatabaseDamaged(f"{name} is not the file that {prefix}{MANIFEST} describes. {cure}.")
    try:
        examples = load_examples(data)
    except ValueError as error:
        raise DatabaseDamaged(f"{name} is damaged. {cure}.") from error
    if len(examples) != manifest.rows:
        raise DatabaseDamaged(f"{name} has {len(examples)} rows, {prefix}{MANIFEST} says {manifest.rows}. {cure}.")
    return examples


def _labels_digest(labels: list[str]) -> str:
    return _sha256(json.dumps(labels).encode("ascii"))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
