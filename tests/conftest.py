"""What holds for all tests."""

import os
import signal
from pathlib import Path

import pytest

# A job that a script starts in the background ignores ctrl-C, and so would every process the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# So does a job begun with nohup ignore a closed terminal.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of pictures, clips, models and parity arrays that is not part of the repository: `../shared`.

    Where the environment promises it with `STANCE_SHARED`, as in CI, tests that miss it fail; elsewhere they are
    skipped.
    """
    promised = os.environ.get("STANCE_SHARED")
    folder = Path(promised) if promised else Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        if promised:
            pytest.fail(f"STANCE_SHARED promises {folder}, and there is no such folder")
        pytest.skip("needs the material in ../shared, which is not part of the repository")
    return folder
