"""`import stance`: the public door, in a checkout and in a wheel."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import stance

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", stance.__all__)
def test_every_name_is_there_where_it_is_said_to_be(name: str) -> None:
    found = getattr(stance, name)
    assert getattr(sys.modules[found.__module__], name) is found
    assert name in dir(stance)


def test_no_other_name() -> None:
    assert stance.__all__ == sorted(stance._HOMES)
    with pytest.raises(AttributeError, match="module 'stance' has no attribute 'nothing'"):
        stance.nothing  # noqa: B018


def test_importing_is_light() -> None:
    heavy = "{'torch', 'faiss', 'cv2', 'av', 'pydantic', 'numpy'}"
    code = f"import sys, stance; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.strip() == "[]"


@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="needs hatchling, which builds the wheel")
def test_the_wheel_holds_it(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], check=True, capture_output=True,
        cwd=ROOT,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    files = set(zipfile.ZipFile(wheel).namelist())
    assert {"stance.py", "stream/cli.py", "index/starter/pose_index.faiss", "pose/weights/README.md"} <= files
    assert {"stream/sources/demo/recordings.npz", "stream/sources/demo/README.md"} <= files
    assert not any(file.startswith(("tests/", "bench/")) for file in files)
