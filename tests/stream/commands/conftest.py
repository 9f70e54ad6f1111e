"""What the tests of commands about databases share."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.commands import lazy_estimator
from tests.stream.commands.colours import Colours, paint


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Colours:
    """Stands in for the network that commands make."""
    stand_in = Colours()
    monkeypatch.setattr(lazy_estimator, "make_estimator", lambda settings: stand_in)
    return stand_in


@pytest.fixture
def picture_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that commands run in: `images_data` with three standing, three sitting and a broken picture."""
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        paint(f"images_data/standing/{number}.png", 10 + number)
        paint(f"images_data/sitting/{number}.png", 200 + number)
    Path("images_data/sitting/broken.jpg").write_bytes(b"\xff\xd8\xff damaged")
    return tmp_path
