"""What `stream` offers, and that importing it stays light."""

import subprocess
import sys

import stream


def test_every_public_name_is_there_and_sorted():
    assert stream.__all__ == sorted(stream.__all__)
    assert all(getattr(stream, name) is not None for name in stream.__all__)


def test_importing_is_light():
    heavy = "{'torch', 'faiss', 'cv2', 'av', 'pydantic'}"
    code = f"import sys, stream; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=".")
    assert told.stdout.strip() == "[]"
