"""The public names of `pose`, its errors, and that importing it is quick."""

from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path

import pytest

import pose
import pose.errors

ROOT = Path(__file__).resolve().parents[2]


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
        "Reason",
        "StanceError",
        "WeightsError",
        "WeightsMissing",
        "get_embedding",
        "nose25",
    ]
    assert all(hasattr(pose, name) for name in pose.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pose.nothing  # noqa: B018


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
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == ""
