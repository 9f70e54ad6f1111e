"""Why a person is called what they are called. Strategy: the real starter database, made classifications."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from index.posture_index import PostureIndex

pytest.importorskip("uvicorn", reason="the extra web is not installed (pip install '.[web]')")


def ask(page, query: str) -> tuple[int, dict]:
    try:
        with urllib.request.urlopen(page.address(f"api/why?{query}"), timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_somebody_known(page):
    page.write()
    status, told = ask(page, "camera=door&track=7")
    assert status == 200
    assert told["probabilities"] == [
        {"label": "sitting", "probability": 0.8}, {"label": "standing", "probability": 0.2}
    ]  # fmt: skip
    pictures = PostureIndex.load().examples.pictures
    assert [(one["row"], one["label"], one["distance"]) for one in told["examples"]] == [
        (3, "sitting", 2.25), (8, "standing", 2.75)
    ]  # fmt: skip
    assert told["examples"][0]["picture"] == pictures[3].rpartition("/")[2]
    assert (told["posture"], told["label"], told["reason"], told["probability"]) == ("sitting", "sitting", None, 0.9)
    assert told["sentence"].startswith("80% of the vote")
    assert told["seconds"] - told["since_seconds"] == pytest.approx(65)


def test_somebody_unknown_and_somebody_by_row(page):
    page.write()
    _, told = ask(page, "camera=door&row=1")
    assert (told["track"], told["posture"], told["label"], told["reason"]) == (8, None, None, "too far")
    assert "beyond the rejection radius" in told["sentence"]


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("camera=door&track=99", 404, "not in the picture"),
        ("camera=clip&track=7", 404, "not in the picture"),  # it has shown nothing yet
        ("camera=nowhere&track=7", 404, "no camera"),
        ("track=7", 404, "no camera"),
        ("camera=door", 400, "track or row"),
        ("camera=door&track=-1", 400, "whole numbers"),
        ("camera=door&track=1e3", 400, "whole numbers"),
        ("camera=door&row=" + "9" * 500, 400, "whole numbers"),
    ],
)
def test_what_cannot_be_told_is_said(page, query, status, sentence):
    page.write()
    code, told = ask(page, query)
    assert code == status
    assert sentence in told["error"]
