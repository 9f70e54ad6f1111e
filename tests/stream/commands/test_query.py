"""`stance query`, run through argparse with a stand-in for the network."""

from __future__ import annotations

import json

import cv2
import pytest

from index.errors import DatabaseMissing
from stream.commands import lazy_estimator
from stream.drawing.explanation import GAP, TILE
from stream.errors import SinkError, SourceError
from stream.settings.model import Settings, SourceSettings
from tests.stream.commands.colours import Colours, paint, stance

pytestmark = pytest.mark.usefixtures("network", "picture_folder")


def test_json_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data")
    capfd.readouterr()
    assert stance("query", "images_data/sitting/2.png", "--json") == 0
    answer = json.loads(capfd.readouterr().out)
    person, other = answer["pictures"][0]["people"]
    assert person["box"] == [0, 0, 40, 40]
    assert person["probability"] == person["share"] > 0.5
    assert person["neighbours"][0] == {
        "label": "sitting", "distance": 0.0, "row": 2, "picture": "images_data/sitting/2.png", "person": 0,
    }  # fmt: skip
    assert (other["label"], other["reason"], other["distance"]) == (None, "too few keypoints", None)


def test_query_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data")
    capsys.readouterr()
    paint("black.png", 0)
    assert stance("query", paint("q.png", 11), "black.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "q.png"
    assert lines[1].startswith("  person 1  standing, ")
    assert "% of the vote, distance 0." in lines[1]
    assert lines[2].split() == ["0.000", "standing", "row", "4", "images_data/standing/1.png"]
    assert lines[7] == "  person 2  unknown: too few keypoints  [box 1,1 to 9,9]"
    assert lines[8:] == ["black.png", "  no person found"]


def test_query_explains(capsys: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data")
    capsys.readouterr()
    assert stance("query", paint("q.png", 11), "--explain", "--out", "why.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("    why: ")
    assert "% of the vote, at least 40% is asked for; the median distance to its 5 neighbours is 0." in lines[2]
    assert lines[3].startswith("    probabilities: standing ")
    assert "    why: 0 of 17 keypoints score 0.5 or more, pose.min_keypoints asks for 5" in lines
    why = cv2.imread("why.png")
    assert why is not None
    assert why.shape[1] == GAP + 6 * (TILE + GAP)  # whoever was asked about and five neighbours, whatever index.k is
    assert stance("query", "q.png", "--json") == 0
    person, other = json.loads(capsys.readouterr().out)["pictures"][0]["people"]
    assert person["why"] == lines[2].removeprefix("    why: ")
    assert sum(person["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert other["probabilities"] == {}
    with pytest.raises(SinkError, match="is the source itself"):
        stance("query", "q.png", "--out", "q.png")


def test_query_names_what_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data")
    capsys.readouterr()
    with pytest.raises(SourceError, match=r"nope\.jpg: there is no such file"):
        stance("query", "nope.jpg")
    with pytest.raises(SourceError, match=r"broken\.jpg cannot be read as a picture"):
        stance("query", "images_data/sitting/broken.jpg")
    assert stance("query", "nope.jpg", paint("q.png", 11), "--json") == 2
    out, err = capsys.readouterr()
    answers = json.loads(out)["pictures"]
    assert answers[0]["error"].startswith("nope.jpg: there is no such file")
    assert len(answers[1]["people"]) == 2
    assert "nope.jpg: there is no such file" in err


def test_another_network_is_said(network: Colours, caplog: pytest.LogCaptureFixture) -> None:
    stance("build", "images_data")
    stance("query", paint("q.png", 11))
    assert not caplog.records
    network.parts = (("colours", "cd" * 32),)
    stance("query", "q.png")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "built with colours (abababababab)" in caplog.text


def test_a_missing_database_is_said_before_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_estimator, "make_estimator", lambda settings: pytest.fail("loaded the network"))
    with pytest.raises(DatabaseMissing):
        stance("query", "x.jpg", "--index", "nothing")


def test_a_folder_is_asked_about_as_run_reads_it(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    stance("build", "images_data")
    capsys.readouterr()
    assert stance("query", "images_data/sitting", "--json", "--out", "why.png") == 0
    answers = json.loads(capsys.readouterr().out)["pictures"]
    assert [answer["picture"] for answer in answers] == [f"images_data/sitting/{number}.png" for number in range(3)]
    assert all(answer["people"][0]["label"] == "sitting" for answer in answers)
    assert "broken.jpg cannot be read" in caplog.text  # and the others are answered
    with pytest.raises(SourceError, match=r"no pictures in this folder\. There are some in images_data/s"):
        stance("query", "images_data")
    with pytest.raises(SourceError, match=r"webcam 0 is no picture.*stance run"):
        stance("query", "0")
    turned = Settings(source=SourceSettings(rotation=90))
    assert stance("query", "images_data/standing", "--json", settings=turned) == 0
    assert json.loads(capsys.readouterr().out)["pictures"][0]["size"] == {"height": 64, "width": 48}
