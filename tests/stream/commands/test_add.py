"""`stance add`, run through argparse with a stand-in for the network."""

from __future__ import annotations

import json

import pytest

from index import PostureIndex
from index.errors import DatabaseMissing
from tests.stream.commands.colours import paint, stance

pytestmark = pytest.mark.usefixtures("network", "picture_folder")


def test_rows_come_to_those_that_are_there(capfd: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data", "--index", "my/postures")
    paint("more/lying/a.png", 120)
    capfd.readouterr()
    assert stance("add", "more", "--json", "--index", "my/postures") == 0
    added = json.loads(capfd.readouterr().out)
    assert (added["rows"], added["added"]) == (7, 1)
    assert PostureIndex.load("my/postures", device="cpu").counts == {"sitting": 3, "standing": 3, "lying": 1}


def test_there_must_be_a_database() -> None:
    with pytest.raises(DatabaseMissing, match=r"no database pose_index to add to.*stance build"):
        stance("add", "images_data")
