"""Downloading weights: resumable, checked, and whole or not there at all."""

from __future__ import annotations

import errno
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pose.errors import FetchError, PoseError, reason_of

__all__ = ["Progress", "fetch"]

Progress = Callable[[int, int | None], None]

CHUNK_BYTES: Final = 1 << 18


def fetch(
    address: str,
    file: Path,
    *,
    check: Callable[[Path], object],
    progress: Progress = lambda done, total: None,
    timeout_seconds: float = 30.0,
) -> None:
    """Download `address` to `file`.

    What has arrived lies in `<file>.part`; a later call goes on from there if the server still has the same file
    (`ETag` or `Last-Modified`), and starts anew otherwise. `file` appears in one step, after `check` has passed.

    Args:
        check: called with the path of the complete download; a `PoseError` from it discards the download.
        progress: called with the bytes that are here and, where the server tells it, their final number.
        timeout_seconds: for connecting, and for every wait for more.

    Raises:
        FetchError: the server cannot be reached, has no such file or broke off; or the disk is full or read-only.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _download(address, file, part, progress, timeout_seconds)
        try:
            check(part)
        except PoseError:
            _discard(part)
            raise
        os.replace(part, file)
        _version_file(part).unlink(missing_ok=True)
    except PoseError:
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FetchError(
                f"The disk of {file.parent} is full. Make room and fetch again; what came is kept."
            ) from error
        raise FetchError(
            f"{file.parent} cannot be written to: {reason_of(error)}. Make it writable, or put the file "
            "elsewhere and set pose.weights to it."
        ) from error


def _download(address: str, file: Path, part: Path, progress: Progress, timeout_seconds: float) -> None:
    """Bring `part` to its full length."""
    here = part.stat().st_size if part.is_file() else 0
    version = _version_file(part).read_text(encoding="latin-1") if _version_file(part).is_file() else ""
    headers = {"User-Agent": "stance", "Accept-Encoding": "identity"}
    if here and version:
        headers |= {"Range": f"bytes={here}-", "If-Range": version}
    response = _open(address, headers, file, timeout_seconds)
    if response is None:
        _discard(part)  # longer than what the server has: of another file
        return _download(address, file, part, progress, timeout_seconds)
    with response:
        total = response.length
        if response.status == http.HTTPStatus.PARTIAL_CONTENT:
            begin, total = _content_range(response.headers.get("Content-Range", ""), total, here)
            if begin != here:
                _discard(part)
                raise FetchError(f"{address} went on at byte {begin} instead of {here}. Fetch again from the start.")
        else:
            here = 0
            _discard(part)
            _version_file(part).write_text(_version(response), encoding="latin-1")
        free = shutil.disk_usage(part.parent).free
        if total is not None and total - here > free:
            raise FetchError(
                f"{part.parent} has {free / 1e6:,.0f} MB free; {file.name} needs {(total - here) / 1e6:,.0f} MB more."
            )
        with part.open("ab") as stream:
            progress(here, total)
            while chunk := _read(response, address, here):
                stream.write(chunk)
                here += len(chunk)
                progress(here, total)
            stream.flush()
            os.fsync(stream.fileno())
    if total is not None and here != total:
        raise _broken_off(address, here, f"{here:,} of {total:,} bytes came")
    return None


def _open(address: str, headers: dict[str, str], file: Path, timeout_seconds: float) -> http.client.HTTPResponse | None:
    """The server's answer; None where it cannot give the range that `headers` ask for."""
    try:
        request = urllib.request.Request(address, headers=headers)
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout_seconds)
        return response
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and "Range" in headers:
                return None
            what = f"{address} answers {error.code} {error.reason}"
        cause: Exception = error
    except urllib.error.URLError as error:
        reason = error.reason
        why = reason_of(reason) if isinstance(reason, OSError) else reason
        what, cause = f"{address} cannot be reached ({why})", error
    except (http.client.HTTPException, OSError) as error:
        what, cause = f"{address} does not answer ({error or type(error).__name__})", error
    raise FetchError(
        f"{what}. Download {address} in a browser, on any machine, and put it into {file.parent} as {file.name}."
    ) from cause


def _read(response: http.client.HTTPResponse, address: str, here: int) -> bytes:
    try:
        return response.read(CHUNK_BYTES)
    except (http.client.HTTPException, OSError) as error:
        raise _broken_off(address, here, str(error) or type(error).__name__) from error


def _broken_off(address: str, here: int, why: str) -> FetchError:
    return FetchError(f"The connection to {address} broke off ({why}). {here:,} bytes are kept; fetch again to go on.")


def _content_range(header: str, length: int | None, here: int) -> tuple[int, int | None]:
    """First byte and total of a partial answer."""
    if match := re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", header.strip()):
        begin, total = match.groups()
        return int(begin), None if total == "*" else int(total)
    return here, None if length is None else here + length


def _version(response: http.client.HTTPResponse) -> str:
    """What tells one version of the file from another; empty where the server gives nothing reliable."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _version_file(part: Path) -> Path:
    return part.with_name(f"{part.stem}.version.part")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _version_file(part).unlink(missing_ok=True)
