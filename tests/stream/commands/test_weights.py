"""`stance weights list`, `fetch` and `convert`, through the parser, against a real HTTP server."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pose.errors import FetchError, StanceError, WeightsError, WeightsMissing
from pose.networks.architecture import NETWORKS, Architecture
from pose.weight_files.checkpoint import load_network, save_network
from pose.weight_files.digest import sha256
from pose.weight_files.known_weights import KNOWN_WEIGHTS, KnownWeights
from stream.commands import weights as weights_commands
from stream.commands.weights import YOLOV7, fetch_weights, register
from stream.settings.model import Settings
from tests.golden.make_pose import made_network
from tests.pose.weight_files.official import save_official

ROOT = Path(__file__).resolve().parents[3]
W6 = KNOWN_WEIGHTS["yolov7-w6-pose"]
SHIPPED = [known for known in KNOWN_WEIGHTS.values() if known.address is None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder in place of the checkout's."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setattr("pose.weight_files.location.weights_folders", lambda: [folder])
    monkeypatch.setattr("pose.weight_files.location.weights_folder", lambda: folder)
    monkeypatch.setattr(weights_commands, "weights_folder", lambda: folder)
    return folder


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server with an official checkpoint of w6, and one of tiny, at `/w6.pt` and `/tiny.pt`."""
    served = tmp_path / "served"
    served.mkdir()
    save_official(made_network(Architecture("yolov7-w6-pose", width=0.03)), served / "w6.pt")
    save_official(made_network(Architecture("yolov7-tiny-pose", "official", "leaky_relu_0.1")), served / "tiny.pt")
    (served / "page.pt").write_text("<html>log in first</html>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def stance(*words: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["weights", *words])
    return args.run(args, Settings())


def test_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stance("list", "--json") == 0
    rows = {row["network"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"picodet-s", "tinypose", "yolov7-w6-pose"} <= rows.keys()
    assert {row["path"] for row in rows.values()} == {None}
    assert (rows["yolov7-w6-pose"]["licence"], rows["yolov7-w6-pose"]["address"]) == ("GPL-3.0", W6.address)
    assert "PaddleDetection" in rows["tinypose"]["source"]
    assert rows["tinypose"]["licence"].startswith("Apache-2.0")

    file = folder / "yolov7-w6-pose.safetensors"
    save_network(made_network(Architecture("yolov7-w6-pose", width=0.03)), file)
    assert stance("list", "--json") == 0
    (row,) = (row for row in json.loads(capsys.readouterr().out) if row["path"])
    assert (row["path"], row["bytes"], row["sha256"], row["known"]) == (
        str(file),
        file.stat().st_size,
        sha256(file),
        None,
    )
    assert stance("list") == 0
    text = capsys.readouterr().out
    assert "not a digest we know" in text
    assert "GPL-3.0" in text
    assert "stance weights fetch tinypose" not in text  # it ships and cannot be fetched
    assert "install Stance again" in text


def test_fetch(
    folder: Path, address: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    file = fetch_weights(W6, folder, f"{address}/w6.pt")
    assert file == folder / "yolov7-w6-pose.pt"
    assert load_network(file).architecture.network == "yolov7-w6-pose"
    assert [path.name for path in folder.iterdir()] == ["yolov7-w6-pose.pt"]
    told = capsys.readouterr().out
    assert "GPL-3.0" in told
    assert f"SHA-256 {sha256(file)}, not a digest we know" in told
    assert "expected 161,114,789 or 161,137,109" in told
    assert "digest we do not know" in caplog.text  # a warning, not a failure: its tensors are what they should be

    before = file.stat().st_mtime_ns
    assert stance("fetch", "yolov7-w6-pose") == 0
    assert "is already here" in capsys.readouterr().out
    assert file.stat().st_mtime_ns == before


def test_a_known_digest_is_not_warned_of(
    folder: Path, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    served = tmp_path / "served" / "w6.pt"
    known = dataclasses.replace(W6, digests={sha256(served): "the one"}, bytes=(served.stat().st_size,))
    fetch_weights(known, folder, f"{address}/w6.pt")
    told = capsys.readouterr().out
    assert "the one" in told
    assert "expected" not in told
    assert caplog.text == ""


@pytest.mark.parametrize("path", ["tiny.pt", "page.pt"])
def test_something_else_is_not_taken(folder: Path, address: str, path: str) -> None:
    with pytest.raises(FetchError, match="sent something else than weights of yolov7-w6-pose"):
        fetch_weights(W6, folder, f"{address}/{path}")
    assert list(folder.iterdir()) == []


def test_offline_is_one_sentence_with_a_cure(folder: Path) -> None:
    with pytest.raises(FetchError) as caught:
        fetch_weights(W6, folder, "http://127.0.0.1:9/yolov7-w6-pose.pt")
    assert isinstance(caught.value, StanceError)
    assert f"put it into {folder} as yolov7-w6-pose.pt." in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_ships_is_not_fetched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WeightsMissing, match="ship with Stance"):
        stance("fetch", "tinypose")
    (folder / "tinypose.safetensors").write_bytes(b"anything")
    assert stance("fetch", "tinypose") == 0
    assert "is already here" in capsys.readouterr().out


def test_a_name_nobody_knows(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights named 'yolov7-w6'; did you mean yolov7-w6-pose\?"):
        stance("fetch", "yolov7-w6")
    with pytest.raises(WeightsError, match="known are picodet-s, tinypose, "):
        stance("fetch", "x")


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = made_network(Architecture("yolov7-w6-pose", width=0.03))
    save_official(network, tmp_path / "mine.pt", half=False)
    assert stance("convert", str(tmp_path / "mine.pt")) == 0
    out = tmp_path / "mine.safetensors"
    assert load_network(out).architecture == network.architecture
    assert sha256(out) in capsys.readouterr().out
    assert stance("convert", str(tmp_path / "mine.pt"), "--out", str(tmp_path / "other.safetensors")) == 0
    assert sha256(tmp_path / "other.safetensors") == sha256(out)  # the same weights are the same bytes


def test_convert_overwrites_nothing(tmp_path: Path) -> None:
    network = made_network(Architecture("yolov7-w6-pose", width=0.03))
    file = tmp_path / "mine.safetensors"
    save_network(network, file)
    before = file.read_bytes()
    for words, complaint in (
        ([str(file)], "is the input itself"),
        ([str(file), "--out", str(tmp_path / ".." / tmp_path.name / "mine.safetensors")], "is the input itself"),
        ([str(tmp_path / "none.pt"), "--out", str(file)], "is already there"),
        ([str(file), "--out", str(tmp_path / "out.pt")], r"does not end in \.safetensors"),
    ):
        with pytest.raises(WeightsError, match=complaint):
            stance("convert", *words)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]


def test_convert_checks_the_network(tmp_path: Path) -> None:
    save_official(made_network(Architecture("yolov7-w6-pose", width=0.03)), tmp_path / "mine.pt")
    with pytest.raises(WeightsError, match="holds weights of yolov7-w6-pose, not of yolov7-tiny-pose"):
        stance("convert", str(tmp_path / "mine.pt"), "--network", "yolov7-tiny-pose")
    with pytest.raises(WeightsMissing):
        stance("convert", str(tmp_path / "none.pt"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.pt"]


def test_only_networks_with_checkpoints_elsewhere_are_converted() -> None:
    assert set(YOLOV7) == set(NETWORKS)
    with pytest.raises(SystemExit):
        stance("convert", "any.pt", "--network", "tinypose")


def test_the_networks_that_a_cpu_takes_ship() -> None:
    assert {"picodet-s", "tinypose"} <= {known.network for known in SHIPPED}


@pytest.mark.parametrize("known", SHIPPED, ids=lambda known: known.network)
def test_what_ships_is_known(known: KnownWeights) -> None:
    file = ROOT / "weights" / known.file
    assert sha256(file) in known.digests
    assert file.stat().st_size in known.bytes


@pytest.mark.parametrize("known", KNOWN_WEIGHTS.values(), ids=lambda known: known.network)
def test_what_is_known_is_described(known: KnownWeights) -> None:
    readme = (ROOT / "weights" / "README.md").read_text(encoding="utf-8")
    assert known.network in readme
    for digest in known.digests:
        assert digest in readme
    assert (known.address or "") in readme
