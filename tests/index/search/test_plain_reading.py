"""Search and vote together, against a plain reading: one person, one row at a time, in double precision.

Everything is worked out for all people at once and in single precision where that is enough; this holds that it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import index.search.nearest
from index import Classification, PostureIndex
from index.classification import DecisionRule
from pose.embeddings.registry import Embedding, get_embedding
from tests.worlds import person

CLOSE = 3e-6
"""Single precision keeps a distance to about 1e-6 of its size; probabilities follow it."""
LABELS = ("standing", "sitting", "lying", "other")
K = 32
RULE = DecisionRule(K)


def people(embedding: Embedding, count: int, seed: int, hidden: float = 0.0) -> np.ndarray:
    """Four postures, each a person turned by another angle, shaken; a share of the keypoints hidden or half seen."""
    random = np.random.default_rng(seed)
    bodies = np.stack([person(0, 0)] * count)
    angle = np.arange(count) % len(LABELS) * 0.6
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=1).reshape(-1, 1, 2, 2)
    bodies[..., :2] = (turn @ (bodies[..., :2] + random.normal(0, 30, (count, 17, 2)))[..., None])[..., 0]
    bodies[..., 2] = np.where(random.random((count, 17)) < hidden, random.choice([0.0, 0.3], (count, 17)), 0.9)
    bodies[:, 5, 2] = 0.9
    return embedding.compute(bodies)


def taught(embedding: Embedding, rows: int, hidden: float) -> PostureIndex:
    index = PostureIndex(embedding.name, device="cpu")
    index.add(people(embedding, rows, 0, hidden), [LABELS[row % len(LABELS)] for row in range(rows)])
    return index


def read_plainly(index: PostureIndex, query: np.ndarray) -> tuple[dict[str, float], float, list[int], float]:
    """Probabilities, certainty, the nearest five and their median distance."""
    embedding, calibration = index.embedding, index.calibration
    weights = np.ones(len(query)) if embedding.seen is None else embedding.seen(query[None])[0].astype(float)
    scale = len(query) / (weights**2).sum()
    found = []
    for number, row in enumerate(index.vectors):
        sides = (
            [row] if embedding.mirrored is None or not calibration.mirror else [row, embedding.mirrored(row[None])[0]]
        )
        offsets = [(side.astype(float) - query) * weights for side in sides]
        nearer = min(offsets, key=lambda offset: float(offset @ offset))
        found.append((float(np.sqrt(scale * nearer @ nearer)), number, nearer))
    found = sorted(found, key=lambda each: each[0])[:K]
    distance = np.array([each[0] for each in found])
    assert calibration.bandwidth is not None
    tenth = distance[min(10, K) - 1] if len(distance) >= min(10, K) else np.inf
    bandwidth = min(max(0.85 * tenth, 0.1 * calibration.bandwidth), calibration.bandwidth)
    apart = np.array([[((a - b) ** 2).sum() * scale for _, _, b in found] for _, _, a in found])
    weight = np.linalg.solve(
        np.exp(-0.5 * apart / bandwidth**2) + 0.3 * np.eye(len(found)), np.exp(-0.5 * (distance / bandwidth) ** 2)
    )
    votes = dict.fromkeys(index.classes, 0.0)
    for (_, number, _), part in zip(found, weight, strict=True):
        votes[index.labels[number]] += float(part)
    rest = (1 - weight.sum()) / len(votes)
    have = {index.labels[number] for _, number, _ in found}
    likely = {name: max(vote + rest, 0.0) ** 1.75 for name, vote in votes.items() if name in have}
    total = sum(likely.values())
    parts = {name: part / total for name, part in likely.items() if part > 0}
    best = max(parts, key=lambda name: parts[name])
    certainty = votes[best] - max([0.0, *(vote for name, vote in votes.items() if name != best)])
    return parts, certainty, [number for _, number, _ in found[:5]], float(np.median(distance[:5]))


def check(classification: Classification, index: PostureIndex, query: np.ndarray, copies: int = 1) -> None:
    """With copies of every row any of them may be named."""
    parts, certainty, nearest, distance = read_plainly(index, query)
    assert dict(classification.probabilities) == pytest.approx(parts, abs=CLOSE)
    assert classification.certainty == pytest.approx(certainty, abs=CLOSE)
    assert classification.best == max(parts, key=lambda name: parts[name])
    assert classification.probability == max(part for _, part in classification.probabilities)
    originals = index.rows // copies
    assert [entry % originals for entry in classification.entries] == [row % originals for row in nearest]
    assert classification.labels == tuple(index.labels[row] for row in nearest)
    assert classification.distance == pytest.approx(distance, rel=1e-6)


@pytest.mark.parametrize("count", [1, 5, 20, 60])
@pytest.mark.parametrize("rows", [10, 33, 1000])
def test_a_plain_reading_agrees_for_one_and_for_many(rows: int, count: int) -> None:
    embedding = get_embedding("gravity59")
    index, queries = taught(embedding, rows, 0.2), people(embedding, count, 1, 0.2)
    for classification, query in list(zip(index.classify(queries, RULE), queries, strict=True))[::7]:
        check(classification, index, query)


def test_a_plain_reading_agrees_among_copies() -> None:
    """Also where some copies of a row are among the nearest and others are not."""
    embedding = get_embedding("gravity59")
    rows = people(embedding, 50, 0, 0.2)
    index = PostureIndex(embedding.name, device="cpu")
    for _ in range(3):
        index.add(rows, [LABELS[row % len(LABELS)] for row in range(50)])
    queries = people(embedding, 12, 1, 0.2)
    for classification, query in zip(index.classify(queries, RULE), queries, strict=True):
        check(classification, index, query, copies=3)


def test_a_plain_reading_agrees_where_mirror_images_are_other_postures() -> None:
    embedding = get_embedding("gravity59")
    index, queries = taught(embedding, 200, 0.2), people(embedding, 12, 1, 0.2)
    index._recalibration.hold(index._rows, replace(index.calibration, mirror=False))
    for classification, query in zip(index.classify(queries, RULE), queries, strict=True):
        check(classification, index, query)


@pytest.mark.parametrize("rows", [7, 200])
@pytest.mark.parametrize("hidden", [0.0, 0.3])
@pytest.mark.parametrize("name", ["gravity59", "nose25"])
def test_a_plain_reading_agrees(name: str, hidden: float, rows: int) -> None:
    embedding = get_embedding(name)
    index, queries = taught(embedding, rows, hidden), people(embedding, 12, 1, hidden)
    for classification, query in zip(index.classify(queries, RULE), queries, strict=True):
        check(classification, index, query)


def test_a_plain_reading_agrees_on_a_short_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index.search.nearest, "EXACT_ROWS", 0)
    embedding = get_embedding("gravity59")
    taught_index, queries = taught(embedding, 100, 0.0), people(embedding, 12, 1)
    for classification, query in zip(taught_index.classify(queries, RULE), queries, strict=True):
        check(classification, taught_index, query)


@pytest.mark.parametrize("name", ["gravity59", "nose25"])
def test_company_changes_nothing(name: str) -> None:
    """Also that of somebody who cannot be told."""
    embedding = get_embedding(name)
    index, queries = taught(embedding, 200, 0.3), people(embedding, 12, 1, 0.3)
    queries[5] = np.nan
    together = index.classify(queries, RULE)
    assert (together[5].reason, together[5].entries) == ("too few keypoints", ())
    for row in set(range(12)) - {5}:
        (alone,) = index.classify(queries[row : row + 1], RULE)
        assert (alone.label, alone.reason, alone.entries) == (
            together[row].label,
            together[row].reason,
            together[row].entries,
        )
        assert dict(alone.probabilities) == pytest.approx(dict(together[row].probabilities), abs=CLOSE)
