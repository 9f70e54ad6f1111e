"""The public names of `pose`, its errors, and that importing it is quick."""

from __future__ import annotations

import ast
import builtins
import subprocess
import sys
from pathlib import Path

import pytest

import pose
import pose.errors

MODULES = sorted(Path(pose.__file__).parent.glob("*.py"))


def test_public_names() -> None:
    assert pose.__all__ == [
        "EMBEDDINGS",
        "FLIP",
        "KEYPOINT_COUNT",
        "LIMBS",
        "SIGMAS",
        "DeviceError",
        "Embedding",
        "EvaluatorMissing",
        "FetchError",
        "Keypoint",
        "LabelsError",
        "LabelsMissing",
        "PictureError",
        "PoseError",
        "PoseEstimator",
        "Poses",
        "StanceError",
        "WeightsError",
        "WeightsMissing",
        "get_embedding",
        "nose25",
    ]
    assert all(hasattr(pose, name) for name in pose.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pose.nothing  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_lists_its_names(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names = ast.literal_eval(node.value)
            # Constants, classes, functions, each in the alphabet: the order ruff keeps.
            assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
            return
    pytest.fail("no __all__")


def test_errors_derive_from_what_one_would_catch() -> None:
    builtin = {
        "DeviceError": "RuntimeError",
        "EvaluatorMissing": "ImportError",
        "ExporterMissing": "ImportError",
        "FetchError": "OSError",
        "LabelsError": "ValueError",
        "LabelsMissing": "FileNotFoundError",
        "PictureError": "ValueError",
        "RuntimeMissing": "ImportError",
        "WeightsError": "ValueError",
        "WeightsMissing": "FileNotFoundError",
    }
    for name in pose.errors.__all__:
        error = getattr(pose.errors, name)
        assert issubclass(error, pose.StanceError)
        assert issubclass(error, getattr(builtins, builtin.get(name, "Exception")))
        assert str(error("one sentence")) == "one sentence"


@pytest.mark.parametrize(
    "module",
    [
        "pose",
        "pose.weight_files.fetch",
        "pose.weight_files.location",
        "pose.weight_files.known_weights",
        "stream.commands.weights",
    ],
)
def test_imports_are_light(module: str) -> None:
    code = f"import {module}, sys; print(*sorted({{'torch', 'cv2', 'faiss', 'safetensors'}} & {{*sys.modules}}))"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=MODULES[0].parents[1]
    )
    assert ran.stdout.strip() == ""
