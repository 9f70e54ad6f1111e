"""`stance import`, run through argparse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index import PostureIndex
from index.errors import DatabaseExists
from tests.stream.commands.colours import stance

pytestmark = pytest.mark.usefixtures("network", "picture_folder")


def test_a_database_without_its_manifest_is_made_whole(capfd: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data", "--index", "old")
    Path("old.json").unlink()
    capfd.readouterr()
    assert stance("import", "old.faiss", "--json") == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts == {
        "index": "pose_index", "rows": 6, "labels": {"sitting": 3, "standing": 3}, "embedding": "gravity59",
    }  # fmt: skip
    with pytest.raises(DatabaseExists, match="--replace"):
        stance("import", "old.faiss")
    assert stance("import", "old.faiss", "old_labels.pkl", "--index", "old", "--replace") == 0
    assert capfd.readouterr().out == "old: 6 rows of gravity59: sitting 3, standing 3\n"
    assert PostureIndex.load("old", device="cpu").rows == 6
