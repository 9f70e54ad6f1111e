"""Several files that change together: a save killed at any instant leaves all of them old or all of them new.

New content is staged beside each file and flushed. Then one small record, `PREFIX.commit`, is put in place by a single
rename: that is the moment the save happens. The staged files are renamed over the old ones and the record is removed.
Whoever meets a record, after a kill, finishes those renames, or where it may not write reads the staged files in their
place. Staged files without a record belong to a save that never happened; the next save removes them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from index.errors import DatabaseDamaged, DatabaseUnwritable
from pose.errors import reason_of

try:
    import fcntl
except ImportError:  # Windows: saves are still crash-safe, but two processes must not save at once
    fcntl = None  # type: ignore[assignment]

__all__ = ["check_writable", "finish_pending", "locked", "publish", "read_together"]

_RECORD: Final = ".commit"
_STAGED: Final = ".staged-"
_READ_ATTEMPTS: Final = 100


@contextlib.contextmanager
def locked(prefix: Path) -> Iterator[None]:
    """Keep every other writer of the folder of `prefix` out, in this and in other processes.

    The folder itself is locked, so no lock file is left behind.

    Raises:
        DatabaseUnwritable: the folder cannot be made or opened.
    """
    with _explained(prefix):
        prefix.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(prefix.parent, os.O_RDONLY) if fcntl is not None else -1
    try:
        if folder >= 0:
            with contextlib.suppress(OSError):  # a network file system without locks: as on Windows
                fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        if folder >= 0:
            os.close(folder)


def check_writable(prefix: Path) -> None:
    """Find out now, rather than after an hour's work, whether a save at `prefix` could be written.

    Raises:
        DatabaseUnwritable: it could not.
    """
    with locked(prefix), _explained(prefix):
        probe = _with(prefix, _RECORD + _STAGED + secrets.token_hex(4))
        try:
            _write_flushed(probe, b"")
        finally:
            probe.unlink(missing_ok=True)


def publish(prefix: Path, files: Mapping[str, bytes]) -> None:
    """Replace the files `PREFIX` + suffix, all of them or none. Call it within `locked`.

    Args:
        prefix: path without suffix.
        files: content by suffix, in the order in which they appear under their names.

    Raises:
        DatabaseUnwritable: they could not be written; the old files are unchanged.
    """
    finish_pending(prefix)
    token = secrets.token_hex(4)
    record = {suffix: hashlib.sha256(content).hexdigest() for suffix, content in files.items()}
    try:
        with _explained(prefix):
            _remove_stale(prefix, (*files, _RECORD))
            for suffix, content in files.items():
                _write_flushed(_with(prefix, suffix + _STAGED + token), content)
            _flush_folder(prefix)
            content = json.dumps({"token": token, "files": record}).encode()
            _write_flushed(_with(prefix, _RECORD + _STAGED + token), content)
            os.replace(_with(prefix, _RECORD + _STAGED + token), _with(prefix, _RECORD))
            _flush_folder(prefix)
    except DatabaseUnwritable:
        with contextlib.suppress(OSError):
            if not _with(prefix, _RECORD).exists():
                _remove_stale(prefix, (*files, _RECORD))
        raise
    finish_pending(prefix)


def finish_pending(prefix: Path) -> None:
    """Complete a save that was killed after it happened and before it was tidied up. Call it within `locked`.

    Raises:
        DatabaseUnwritable: the folder cannot be written.
        DatabaseDamaged: the record cannot be read.
    """
    record = _read_record(prefix)
    if record is None:
        return
    with _explained(prefix):
        for suffix in record["files"]:
            with contextlib.suppress(FileNotFoundError):  # renamed before the kill
                os.replace(_with(prefix, suffix + _STAGED + record["token"]), _with(prefix, suffix))
        _flush_folder(prefix)
        _with(prefix, _RECORD).unlink(missing_ok=True)
        _flush_folder(prefix)


def read_together(prefix: Path, suffixes: Sequence[str]) -> dict[str, bytes | None]:
    """The content of the files `PREFIX` + suffix as one save left them; None for a file that is not there.

    A pending save is finished first; where the folder is read-only its staged files are read in place. A save by
    another process while we read is noticed, and the files are read again.

    Raises:
        DatabaseDamaged: a pending save's files are gone or changed, or the files change faster than they can be read.
        OSError: a file cannot be read.
    """
    if _with(prefix, _RECORD).exists():
        with contextlib.suppress(DatabaseUnwritable), locked(prefix):
            finish_pending(prefix)
    for _ in range(_READ_ATTEMPTS):
        before = _signature(prefix, suffixes)
        record = _read_record(prefix)
        content = {suffix: _read_current(prefix, suffix, record) for suffix in suffixes}
        if before != _signature(prefix, suffixes):
            continue
        for suffix, digest in (record["files"] if record else {}).items():
            data = content.get(suffix)
            if suffix in content and (data is None or hashlib.sha256(data).hexdigest() != digest):
                raise DatabaseDamaged(
                    f"{prefix}{suffix} is not what the save recorded in {prefix}{_RECORD} wrote. Restore the database "
                    f"from a backup, or delete {prefix}{_RECORD} to read the files as they are."
                )
        return content
    raise DatabaseDamaged(f"The files of {prefix} kept changing while they were read. Try again.")


def _with(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(prefix.name + suffix)


def _read_current(prefix: Path, suffix: str, record: dict[str, Any] | None) -> bytes | None:
    if record is not None and suffix in record["files"]:
        with contextlib.suppress(FileNotFoundError):
            return _with(prefix, suffix + _STAGED + record["token"]).read_bytes()
    try:
        return _with(prefix, suffix).read_bytes()
    except FileNotFoundError:
        return None


def _read_record(prefix: Path) -> dict[str, Any] | None:
    path = _with(prefix, _RECORD)
    try:
        record = json.loads(path.read_bytes())
        if not isinstance(record["token"], str) or not isinstance(record["files"], dict):
            raise TypeError
        if any(os.sep in name for name in (record["token"], *record["files"])):
            raise ValueError("a name in the record leads elsewhere")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatabaseDamaged(f"{path} is damaged. Delete it to read the database files as they are.") from error
    return record


def _signature(prefix: Path, suffixes: Sequence[str]) -> list[tuple[int, ...] | None]:
    """Changes whenever one of the files is replaced or written."""
    signature: list[tuple[int, ...] | None] = []
    for suffix in (_RECORD, *suffixes):
        try:
            status = os.stat(_with(prefix, suffix))
            signature.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except FileNotFoundError:
            signature.append(None)
    return signature


def _remove_stale(prefix: Path, suffixes: Sequence[str]) -> None:
    starts = tuple(prefix.name + suffix + _STAGED for suffix in suffixes)
    for name in os.listdir(prefix.parent):
        if name.startswith(starts):
            (prefix.parent / name).unlink(missing_ok=True)


def _write_flushed(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(prefix: Path) -> None:
    """Make renames in the folder outlast a power cut."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    folder = os.open(prefix.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot flush a folder
            raise
    finally:
        os.close(folder)


@contextlib.contextmanager
def _explained(prefix: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = reason_of(error)
        raise DatabaseUnwritable(
            f"The database {prefix} could not be written: {reason}. Free space or choose another place."
        ) from error
