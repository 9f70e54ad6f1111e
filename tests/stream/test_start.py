"""Commands start quickly. Strategy: not a clock, which a busy machine turns, but the libraries that are imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("av", "cv2", "faiss", "openvino", "pydantic", "torch", "tqdm")
CODE = f"""
import sys
from stream.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(code, *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("command", "code", "allowed"),
    [
        ("--version", 0, set()),
        ("info", 0, {"faiss", "pydantic"}),
        ("weights list", 0, {"pydantic", "tqdm"}),
        ("export picodet-s --help", 0, set()),
        ("run missing.mp4", 2, {"cv2", "pydantic", "tqdm"}),
        ("run --help", 0, {"pydantic"}),
    ],
)
def test_only_what_a_command_needs_is_imported(tmp_path, command, code, allowed):
    done = subprocess.run(
        [sys.executable, "-c", CODE, *command.split()],
        capture_output=True, text=True, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    ended, *imported = done.stderr.splitlines()[-1].split()
    assert int(ended) == code, done.stderr
    assert set(imported) <= allowed
