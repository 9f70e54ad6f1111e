"""Building, with a stand-in for the network that reads the posture out of the picture's own colour.

What the stand-in gives are real `Poses`; everything else is the real thing. The real network is in the last test.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from index import PostureIndex, add_folder, build_index, database_exists
from index.errors import DatabaseExists, DatabaseUnwritable, FolderError, NothingAdded
from pose.poses import Poses
from pose.reason import Reason

ROOT = Path(__file__).parents[3]
QUIET = {"progress": False, "min_person_px": 0.0}


class Colours:
    """Finds one person per picture, bent by its blue; green under 50 finds nobody, red over 200 sees few keypoints.

    Pictures wider than 64 px show a second, smaller person.
    """

    parts: tuple[tuple[str, str], ...] = (("colours", "0" * 64),)

    def __init__(self, batch_size: int = 4) -> None:
        self.batch_size = batch_size
        self.concurrency = 1
        self.batches: list[int] = []
        self.before = lambda: None

    def __call__(self, frames: Sequence[np.ndarray], /) -> list[Poses]:
        self.before()
        self.batches.append(len(frames))
        return [self.look(frame) for frame in frames]

    def look(self, frame: np.ndarray) -> Poses:
        blue, green, red = frame.reshape(-1, 3).mean(axis=0)
        if green < 50:
            return Poses.empty()
        people = 2 if frame.shape[1] > 64 else 1
        keypoints = np.random.default_rng(0).random((people, 17, 3)).astype(np.float32) * 50
        keypoints[:, 9:, 0] += blue / 2
        keypoints[:, :, 2] = 0.1 if red > 200 else 0.9
        boxes = np.float32([[5, 5, 15, 15], [0, 0, 40, 40]])[-people:]  # the prominent one comes last
        keypoints[0, :, 1] += 20 * (people - 1)
        return Poses(keypoints, boxes, np.full(people, 0.9, np.float32))


def paint(path: Path, blue: int, green: int = 100, red: int = 0, width: int = 64) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((48, width, 3), (blue, green, red), np.uint8)
    done, data = cv2.imencode(".png", picture)
    assert done
    path.write_bytes(data.tobytes())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six standing and five sitting, with one of each thing that goes wrong."""
    root = tmp_path / "images_data"
    for number in range(6):
        paint(root / "standing" / f"{number}.png", 10 + number)
    for number in range(5):
        paint(root / "sitting" / "deep" / f"{number}.png", 200 + number)
    paint(root / "sitting" / "nobody.png", 0, green=0)
    paint(root / "sitting" / "shy.png", 0, red=255)
    (root / "sitting" / "broken.jpg").write_bytes(b"\xff\xd8\xff damaged")
    (root / "standing" / "copy.png").write_bytes((root / "standing" / "0.png").read_bytes())
    (root / "zebra").mkdir()
    paint(root / "zebra" / "stolen.png", 10)  # the same bytes as standing/0.png
    return root


def test_everything_is_counted_and_named(folder: Path, tmp_path: Path) -> None:
    network = Colours()
    index, report = build_index(folder, network, prefix=tmp_path / "pose_index", **QUIET)
    sitting, standing, zebra = report.classes
    assert (sitting.pictures, sitting.people) == (8, 5)
    assert {why: [Path(name).name for name in names] for why, names in sitting.skipped.items()} == {
        Reason.UNREADABLE: ["broken.jpg"],
        Reason.NO_PERSON: ["nobody.png"],
        Reason.TOO_FEW_KEYPOINTS: ["shy.png"],
    }
    assert (standing.pictures, standing.people) == (7, 6)
    assert list(standing.skipped) == ["already in the database"]
    assert (zebra.pictures, zebra.people, list(zebra.skipped)) == (1, 0, ["already there under another label"])
    assert (report.pictures, report.people, report.skipped()) == (16, 11, 5)
    assert report.rows == index.rows == 11
    assert all(size <= 4 for size in network.batches)

    loaded = PostureIndex.load(tmp_path / "pose_index", device="cpu")
    assert loaded.counts == {"sitting": 5, "standing": 6}
    assert loaded.networks == (("colours", "0" * 64),)
    assert loaded.built_from == (str(folder),)
    assert loaded.examples.pictures[0] == str(folder / "sitting" / "deep" / "0.png")
    np.testing.assert_array_equal(loaded.examples.sizes, [[48, 64]] * 11)
    np.testing.assert_allclose(loaded.embedding.compute(loaded.examples.keypoints), loaded.vectors, atol=1e-6)


def test_adding_again_costs_no_network_time(folder: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "pose_index"
    build_index(folder, Colours(), prefix=prefix, **QUIET)
    before = {file.name: file.read_bytes() for file in tmp_path.glob("pose_index*")}
    network = Colours()
    report = add_folder(PostureIndex.load(prefix, device="cpu"), folder, network, prefix=prefix, **QUIET)
    assert report.people == 0
    assert report.skipped(Reason.KNOWN) == 12
    assert sum(network.batches) == 2  # nobody.png and shy.png
    assert {file.name: file.read_bytes() for file in tmp_path.glob("pose_index*")} == before

    paint(folder / "lying" / "a.png", 120)
    report = add_folder(PostureIndex.load(prefix, device="cpu"), folder, network, prefix=prefix, **QUIET)
    assert report.people == 1
    assert PostureIndex.load(prefix, device="cpu").counts == {"sitting": 5, "standing": 6, "lying": 1}


def test_the_most_prominent_person_or_all(tmp_path: Path) -> None:
    folder = tmp_path / "images_data"
    paint(folder / "standing" / "two.png", 10, width=100)
    best, _ = build_index(folder, Colours(), **QUIET)
    assert best.rows == 1
    assert best.examples.boxes.tolist() == [[0, 0, 40, 40]]
    everybody, report = build_index(folder, Colours(), people="all", **QUIET)
    assert report.people == everybody.rows == 2
    assert everybody.examples.people.tolist() == [0, 1]
    assert everybody.examples.boxes.tolist() == [[0, 0, 40, 40], [5, 5, 15, 15]]
    assert add_folder(best, folder, Colours(), people="all", **QUIET).people == 1
    assert best.examples.people.tolist() == [0, 1]
    again = Colours()
    assert add_folder(best, folder, again, people="all", **QUIET).people == 0
    assert again.batches == []
    with pytest.raises(ValueError, match="best, all"):
        build_index(folder, Colours(), people="some", **QUIET)


def test_nothing_at_all_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "images_data"
    paint(folder / "standing" / "nobody.png", 0, green=0)
    (folder / "standing" / "broken.jpg").write_bytes(b"x")
    with pytest.raises(NothingAdded, match=r"cannot be read 1 \(such as .*broken.jpg\), no person found 1"):
        build_index(folder, Colours(), prefix=tmp_path / "pose_index", **QUIET)
    assert not list(tmp_path.glob("pose_index*"))
    with pytest.raises(FolderError):
        build_index(folder / "standing", Colours(), prefix=tmp_path / "pose_index", **QUIET)


def test_a_database_is_not_built_over_unasked(folder: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "pose_index"
    build_index(folder, Colours(), prefix=prefix, **QUIET)
    with pytest.raises(DatabaseExists, match=r"stance add .*--replace"):
        build_index(folder, Colours(), prefix=prefix, **QUIET)
    (folder / "sitting" / "deep" / "0.png").unlink()
    build_index(folder, Colours(), prefix=prefix, replace=True, **QUIET)
    assert PostureIndex.load(prefix, device="cpu").rows == 10
    assert len(list(tmp_path.glob("pose_index*"))) == 4  # nothing partial stays


def test_a_place_that_cannot_be_written_is_told_before_the_work(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    network = Colours()
    with pytest.raises(DatabaseUnwritable, match="could not be written"):
        build_index(folder, network, prefix=tmp_path / "file" / "pose_index", **QUIET)
    assert network.batches == []


def press_ctrl_c_at(network: Colours, batch: int, times: int = 1) -> None:
    def press() -> None:
        if len(network.batches) == batch:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    network.before = press


def test_ctrl_c_keeps_what_was_finished_and_the_same_call_continues(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prefix = tmp_path / "pose_index"
    handler = signal.getsignal(signal.SIGINT)
    network = Colours(batch_size=2)
    press_ctrl_c_at(network, 2)
    with pytest.raises(KeyboardInterrupt):
        build_index(folder, network, prefix=prefix, **QUIET)
    assert len(network.batches) <= 5  # of six: what was on its way when the key was pressed
    assert not database_exists(prefix)  # a part is never taken for the whole
    kept = PostureIndex.load(f"{prefix}_partial", device="cpu").rows
    assert 1 <= kept <= 8  # one to four batches; the rest is found again below
    (said,) = [record.message for record in caplog.records if "interrupted" in record.message]
    number = int(re.fullmatch(r"interrupted: (\d+) of 16 pictures saved; run the same command to continue", said)[1])
    assert kept <= number < 16
    assert signal.getsignal(signal.SIGINT) is handler
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("pictures")]

    again = Colours(batch_size=2)
    index, report = build_index(folder, again, prefix=prefix, **QUIET)
    assert sum(again.batches) <= 15 - kept  # of 13 that need the network, and two copies that may be read ahead
    assert (index.rows, report.people) == (11, 11)  # the table counts both parts
    assert index.counts == {"sitting": 5, "standing": 6}
    assert report.skipped(Reason.KNOWN) == 1  # copy.png
    assert PostureIndex.load(prefix, device="cpu").networks == (("colours", "0" * 64),)
    assert len(list(tmp_path.glob("pose_index*"))) == 4  # nothing partial stays


def interrupted_build(folder: Path, prefix: Path, **options: object) -> int:
    """A build that ends after two or so batches; the rows it has saved."""
    network = Colours(batch_size=2)
    press_ctrl_c_at(network, 2)
    with pytest.raises(KeyboardInterrupt):
        build_index(folder, network, prefix=prefix, **QUIET, **options)
    return PostureIndex.load(f"{prefix}_partial", device="cpu").rows


def test_pictures_that_changed_meanwhile_are_looked_at_again(folder: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "pose_index"
    assert interrupted_build(folder, prefix) >= 3
    (folder / "sitting" / "deep" / "0.png").unlink()
    paint(folder / "sitting" / "deep" / "1.png", 190)
    (folder / "sitting" / "deep" / "2.png").rename(folder / "zebra" / "2.png")
    index, _ = build_index(folder, Colours(), prefix=prefix, **QUIET)
    fresh, _ = build_index(folder, Colours(), **QUIET)
    assert index.counts == fresh.counts == {"sitting": 3, "standing": 6, "zebra": 1}
    assert set(zip(index.labels, index.examples.digests, strict=True)) == set(
        zip(fresh.labels, fresh.examples.digests, strict=True)
    )


@pytest.mark.parametrize("other", [{"people": "all"}, {"min_keypoints": 3}, {"embedding": "nose25"}, {"network": 1}])
def test_a_build_with_other_options_begins_anew(folder: Path, tmp_path: Path, other: dict[str, object]) -> None:
    prefix = tmp_path / "pose_index"
    interrupted_build(folder, prefix)
    network = Colours()
    if other.pop("network", None):
        network.parts = (("colours", "1" * 64),)
    index, _ = build_index(folder, network, prefix=prefix, **QUIET, **other)
    assert sum(network.batches) >= 13  # all that need the network, and copies that were read ahead
    assert index.networks == network.parts


def test_ctrl_c_while_adding_says_so_and_the_same_call_continues(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prefix = tmp_path / "pose_index"
    build_index(folder, Colours(), prefix=prefix, **QUIET)
    for number in range(8):
        paint(tmp_path / "more" / "lying" / f"{number}.png", 120 + number)
    network = Colours(batch_size=2)
    press_ctrl_c_at(network, 1)
    with pytest.raises(KeyboardInterrupt):
        add_folder(PostureIndex.load(prefix, device="cpu"), tmp_path / "more", network, prefix=prefix, **QUIET)
    kept = PostureIndex.load(prefix, device="cpu").rows - 11
    assert f"interrupted: {kept} of 8 pictures saved; run the same command to continue" in caplog.text
    again = Colours(batch_size=2)
    add_folder(PostureIndex.load(prefix, device="cpu"), tmp_path / "more", again, prefix=prefix, **QUIET)
    assert sum(again.batches) == 8 - kept
    assert PostureIndex.load(prefix, device="cpu").rows == 19


def test_sigterm_waits_for_a_good_moment_too(folder: Path, tmp_path: Path) -> None:
    class Terminated(KeyboardInterrupt):
        pass

    def handler(number: int, frame: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, handler)
    try:
        network = Colours(batch_size=2)
        network.before = lambda: os.kill(os.getpid(), signal.SIGTERM) if len(network.batches) == 1 else None
        with pytest.raises(Terminated):
            build_index(folder, network, prefix=tmp_path / "pose_index", **QUIET)
        assert signal.getsignal(signal.SIGTERM) is handler
        assert PostureIndex.load(tmp_path / "pose_index_partial", device="cpu").rows >= 2
    finally:
        signal.signal(signal.SIGTERM, before)


KILLED = """
import os, signal, sys
from index import build_index
from tests.index.building.test_build import Colours

network = Colours(batch_size=2)

def kill():
    if len(network.batches) == 4:
        os.kill(os.getpid(), signal.SIGKILL)

network.before = kill
build_index(sys.argv[1], network, prefix=sys.argv[2], progress=False, min_person_px=0.0, save_every_seconds=0.0)
"""


def test_a_killed_build_is_continued(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tmp_path / "pose_index"
    from index.building import adding

    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(prefix)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert PostureIndex.load(f"{prefix}_partial", device="cpu").rows >= 2
    assert adding.SAVE_EVERY_SECONDS <= 5  # so much work may be lost
    again = Colours(batch_size=2)
    index, report = build_index(folder, again, prefix=prefix, **QUIET)
    assert sum(again.batches) <= 11
    assert (index.rows, report.people) == (11, 11)


def test_ctrl_c_twice_does_not_wait(folder: Path, tmp_path: Path) -> None:
    network = Colours(batch_size=2)
    press_ctrl_c_at(network, 2, times=2)
    with pytest.raises(KeyboardInterrupt):
        build_index(folder, network, prefix=tmp_path / "pose_index", **QUIET)
    assert len(network.batches) <= 4  # of six: the two, and those that were on their way already


def test_an_interrupted_replacement_leaves_the_old_database(folder: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "pose_index"
    build_index(folder, Colours(), prefix=prefix, **QUIET)
    network = Colours(batch_size=2)
    press_ctrl_c_at(network, 1)
    with pytest.raises(KeyboardInterrupt):
        build_index(folder, network, prefix=prefix, replace=True, **QUIET)
    assert PostureIndex.load(prefix, device="cpu").rows == 11
    assert 1 <= PostureIndex.load(tmp_path / "pose_index_partial", device="cpu").rows <= 6
    build_index(folder, Colours(), prefix=prefix, replace=True, **QUIET)
    assert len(list(tmp_path.glob("pose_index*"))) == 4


def test_a_fault_in_the_middle_keeps_what_was_finished(folder: Path, tmp_path: Path) -> None:
    network = Colours(batch_size=2)

    def fail() -> None:
        if len(network.batches) == 3:
            raise RuntimeError("a bug")

    network.before = fail
    with pytest.raises(RuntimeError, match="a bug"):
        build_index(folder, network, prefix=tmp_path / "pose_index", **QUIET)
    assert PostureIndex.load(tmp_path / "pose_index_partial", device="cpu").rows >= 5


def test_it_is_saved_now_and_then(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saves: list[int] = []
    real = PostureIndex.save

    def save(self: PostureIndex, *args, **options) -> None:
        saves.append(self.rows)
        real(self, *args, **options)

    monkeypatch.setattr(PostureIndex, "save", save)
    seconds = iter(range(0, 10_000, 20))
    prefix = tmp_path / "pose_index"
    build_index(folder, Colours(batch_size=1), prefix=prefix, clock=lambda: float(next(seconds)), **QUIET)
    assert len(saves) >= 3
    assert saves[:-1] == sorted(set(saves))
    assert saves[-2:] == [11, 11]  # the part, now complete, and the database


def test_warnings_come_before_the_work_and_are_in_the_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "images_data"
    paint(folder / "standing" / "a.png", 10)
    paint(folder / "Standing " / "b.png", 12)
    (folder / "standing" / "loop").symlink_to("..")
    network = Colours()
    network.before = lambda: said.extend(record.message for record in caplog.records)
    said: list[str] = []
    index, report = build_index(folder, network, prefix=tmp_path / "pose_index", **QUIET)
    assert index.counts == {"Standing ": 1, "standing": 1}
    assert report.warnings == said
    assert said[0].startswith("The postures 'Standing ' and 'standing' differ only in case or spaces")
    assert "--merge-alike" in said[0]
    assert said[1] == f"1 link(s) lead out of their class folder, or nowhere, and are left out: {folder}/standing/loop."

    caplog.clear()
    index, report = build_index(
        folder, Colours(), prefix=tmp_path / "pose_index", merge_alike=True, replace=True, **QUIET
    )
    assert index.counts == {"standing": 2}
    assert report.warnings[0].startswith("There is only one posture, 'standing'")

    paint(tmp_path / "more" / "STANDING" / "c.png", 14)
    report = add_folder(index, tmp_path / "more", Colours(), **QUIET)
    assert "'standing' and 'STANDING'" in report.warnings[0]
    paint(tmp_path / "more" / "STANDING" / "d.png", 16)
    assert add_folder(index, tmp_path / "more", Colours(), merge_alike=True, **QUIET).warnings == []
    assert index.counts == {"standing": 3, "STANDING": 1}


def test_the_bar_tells_elapsed_and_remaining(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build_index(folder, Colours())
    out, err = capfd.readouterr()
    assert out == ""
    assert "16/16" in err
    assert "<" in err


def test_reading_ahead_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    network = Colours(batch_size=2)
    ahead: list[int] = []
    from index.building import reading

    real = reading.decode_picture
    monkeypatch.setattr(reading, "decode_picture", lambda *args: decoded.append(1) or real(*args))
    network.before = lambda: ahead.append(len(decoded) - sum(network.batches))
    build_index(folder, network, **QUIET)
    assert max(ahead) <= 2 + 3 + 4  # the batch, what is read ahead, and the pictures that gave nothing


def test_the_real_network(shared: Path, tmp_path: Path) -> None:
    estimator_module = pytest.importorskip("pose.estimator")
    for posture in ("standing", "sitting"):
        for number, path in enumerate(sorted((shared / "data" / "postures" / "train" / posture).iterdir())[:3]):
            target = tmp_path / "images_data" / posture / f"{number}{path.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    estimator = estimator_module.PoseEstimator(network="picodet-tinypose", device="cpu")
    index, report = build_index(tmp_path / "images_data", estimator, prefix=tmp_path / "pose_index", **QUIET)
    assert report.pictures == 6
    assert report.people >= 5
    assert index.networks == estimator.parts
    loaded = PostureIndex.load(tmp_path / "pose_index", device="cpu")
    found = loaded.search(loaded.vectors, 1)
    np.testing.assert_array_equal(found.distances, 0)
