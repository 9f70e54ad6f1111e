"""`stance info`, run through argparse."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from index import starter_prefix
from index.errors import DatabaseMissing, UnsafeLabels
from stream.assembly import database_prefix
from stream.settings.model import IndexSettings, Settings
from tests.stream.commands.colours import stance

pytestmark = pytest.mark.usefixtures("network", "picture_folder")


def test_json_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data", "--index", "my/postures")
    capfd.readouterr()
    assert stance("info", "--json", "--index", "my/postures") == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts["rows"] == facts["rows_of_known_origin"] == 6
    assert facts["labels"] == {"sitting": 3, "standing": 3}
    assert facts["embedding"]["name"] == "gravity59"
    assert facts["networks"] == [{"name": "colours", "weights_sha256": "ab" * 32}]
    assert sorted(facts["files"]) == ["postures.faiss", "postures.json", "postures_examples.npz", "postures_labels.pkl"]


def test_info_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data")
    capsys.readouterr()
    assert stance("info") == 0
    out = capsys.readouterr().out
    for said in ("rows       6, of which 6", "gravity59, 59 numbers", "colours, weights abababababab", "images_data"):
        assert said in out
    assert "sitting      3" in out


def test_faults_are_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing, match="stance build"):
        stance("info", "--index", "nothing")
    stance("build", "images_data")
    (tmp_path / "pose_index_labels.pkl").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(UnsafeLabels, match=r"os\.system"):
        stance("info")
    assert not (tmp_path / "ran").exists()


def test_which_database(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "index"):
        assert database_prefix(Settings()) == starter_prefix()
    assert "starter database" in caplog.text
    assert database_prefix(Settings(), "mine") == Path("mine")
    configured = Settings(index=IndexSettings(path="configured"))
    assert database_prefix(configured) == Path("configured")
    assert stance("build", "images_data", settings=configured) == 0
    assert Path("configured.faiss").exists()
    stance("build", "images_data")
    assert database_prefix(Settings()) == Path("pose_index")
