"""`mutate`: a file's content, damaged as disks, transfers and attackers damage it: a seed always gives the same."""

from __future__ import annotations

import random
import re
import struct
from typing import Final

__all__ = ["bomb", "mutate"]

_EXTREMES: Final = (0, 1, -1, 127, 255, 32767, 65535, 2**24, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**62, -(2**63))
_NUMBERS: Final = (
    b"0", b"-1", b"1e400", b"-1e400", b"NaN", b"Infinity", b"99999999999999999999", b"0.000001", b"null", b"true",
    b'""', b"[]", b"{}", b'"x"', b"2147483648", b"1" * 5000,
)  # fmt: skip
_WORDS: Final = (
    b"&a [*a]", b"!!python/object/apply:os.mkdir [x]", b"\0", b"\xff\xfe", b"\r", b"\t", b"[" * 3000, b"{a: " * 500,
    b"'", b'"', b"*", b"~", b"\xe2\x80\xae", b"%YAML 9.9\n---\n", b"<<: {}", b"? ", b"- - - -",
)  # fmt: skip


def mutate(data: bytes, seed: int, *, text: bool = False, head: int | None = None) -> bytes:
    """One to three mutations.

    Args:
        data: the content.
        seed: chooses them.
        text: words and numbers are changed rather than bytes.
        head: only so many bytes at the beginning are changed; None for all.
    """
    chance = random.Random(seed)
    front, rest = (data, b"") if head is None else (data[:head], data[head:])
    for _ in range(chance.randint(1, 3)):
        kinds = (_TEXT if chance.random() < 0.7 else _BYTES) if text else _BYTES
        front = chance.choice(kinds)(front, chance)
    return front + rest


def bomb(data: bytes, seed: int, folder: str) -> bytes:
    """A pickle in which, at a place that the seed chooses, something makes `folder` if it is ever run."""
    chance = random.Random(seed)
    name = folder.encode()
    payloads = (
        b"cos\nmkdir\n(V" + name + b"\ntR",
        b"(V" + name + b"\nios\nmkdir\n",
        b"\x8c\x02os\x8c\x05mkdir\x93\x8c" + bytes([len(name)]) + name + b"\x85R",
        b"cbuiltins\neval\n(V__import__('os').mkdir('" + name + b"')\ntR",
        b"cnumpy\ndtype\n(dV__setstate__\ncos\nmkdir\nsb",
    )
    places = [0, 2, len(data) - 1, *(match.end() for match in re.finditer(rb"[\x94.q(]", data[:4096]))]
    place = chance.choice(places)
    return data[:place] + chance.choice(payloads) + data[place:]


def _flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16)) if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    length = chance.choice((1, 2, 4, 16, 64, 512))
    new = chance.choice((b"\0", b"\xff", chance.randbytes(length))) * length
    return data[:place] + new[:length] + data[place + length :]


def _extreme(data: bytes, chance: random.Random) -> bytes:
    """A number of 2, 4 or 8 bytes becomes an extreme one; most often near the beginning, where sizes stand."""
    size, form = chance.choice(((2, "H"), (4, "I"), (8, "Q")))
    if len(data) < size:
        return data
    reach = chance.choice((64, 512, len(data)))
    place = chance.randrange(min(reach, len(data) - size + 1))
    value = chance.choice(_EXTREMES) % (1 << 8 * size)
    return data[:place] + struct.pack(chance.choice("<>") + form, value) + data[place + size :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _remove(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    return data[:place] + data[place + chance.choice((1, 2, 8, 100, 4096)) :]


def _insert(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    return data[:place] + chance.randbytes(chance.choice((1, 3, 8, 100))) + data[place:]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    """A stretch of the file comes again elsewhere."""
    start, place = chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)
    return data[:place] + data[start : start + chance.choice((4, 64, 1024))] + data[place:]


def _number(data: bytes, chance: random.Random) -> bytes:
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not found:
        return data
    match = chance.choice(found)
    return data[: match.start()] + chance.choice(_NUMBERS) + data[match.end() :]


def _word(data: bytes, chance: random.Random) -> bytes:
    found = list(re.finditer(rb"[A-Za-z_]+|\W", data))
    if not found:
        return data
    match = chance.choice(found)
    return data[: match.start()] + chance.choice((*_WORDS, b"", *_NUMBERS)) + data[match.end() :]


def _lines(data: bytes, chance: random.Random) -> bytes:
    """Two lines change places, or one goes, or comes twice."""
    lines = data.splitlines(keepends=True) or [b""]
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    what = chance.randrange(3)
    if what == 0:
        lines[one], lines[other] = lines[other], lines[one]
    elif what == 1:
        del lines[one]
    else:
        lines.insert(other, lines[one])
    return b"".join(lines)


_BYTES: Final = (_flip, _overwrite, _extreme, _extreme, _cut, _remove, _insert, _repeat)
_TEXT: Final = (_number, _word, _lines, _cut)
