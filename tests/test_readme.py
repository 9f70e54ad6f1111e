"""The README's promises that a machine can keep an eye on: its script runs, its commands exist, its links lead
somewhere, its figures are those in `bench/results`."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from stream.cli import main
from stream.scene import Person

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MEASURED = (ROOT / "docs" / "measured.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def write_clip(path: Path) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((96, 128, 3), 90, np.uint8), "bgr24")))
        container.mux(stream.encode())


def test_the_script_runs_as_it_stands(tmp_path, monkeypatch):
    (script,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4")
    for file in (ROOT / "index" / "starter").glob("pose_index*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    exec(compile(script, "README.md", "exec"), {})


def test_the_script_asks_people_for_what_they_have():
    """The clip above shows nobody, so the innermost line does not run there."""
    (script,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    asked = set(re.findall(r"\bperson\.(\w+)", script))
    assert asked
    assert asked <= {field.name for field in fields(Person)}


def test_every_command_is_one(capsys):
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    parts = [part.strip() for line in blocks.splitlines() for part in line.split("#")[0].split("&&")]
    commands = [part for part in parts if part.startswith("stance ")]
    assert len(commands) >= 4
    for command in commands:
        with pytest.raises(SystemExit) as end:
            main([*shlex.split(command)[1:], "--help"])
        assert end.value.code == 0, command
    capsys.readouterr()


def test_every_local_link_leads_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_the_architecture_names_files_that_are_there():
    named = re.findall(r"\b(?:stance\.py|(?:pose|index|stream|tests)/[\w/]*(?:\.py)?)", ARCHITECTURE)
    assert len(named) > 40
    assert not [path for path in named if not (ROOT / path).exists()]
    for target in re.findall(r"\]\((?!http)([^)#]+)", ARCHITECTURE):
        assert (ROOT / "docs" / target).exists(), target


def speeds_in(result: object) -> Iterator[float]:
    """The medians of all frames per second in a result, wherever they stand."""
    if isinstance(result, dict):
        if isinstance(speed := result.get("frames_per_second"), dict) and "median" in speed:
            yield speed["median"]
        for value in result.values():
            yield from speeds_in(value)


RESULTS = sorted((ROOT / "bench" / "results").glob("*.json"))


def sections(text: str, mark: str) -> list[str]:
    """A text's parts, each from its heading on."""
    return re.split(rf"^{mark} ", text, flags=re.MULTILINE)[1:]


def unmarked(result: dict, script: str, scripts: str, measured: str) -> list[str]:
    """Headings under which a result that was measured beside other load is quoted without saying so."""
    purpose = next((part for part in sections(scripts, "###") if part.startswith(f"`{script}`")), "")
    if not result["loaded"] or re.search(r"load\s+of\s+the\s+machine\s+does\s+not\s+matter", purpose):
        return []
    quoted = [part for part in sections(measured, "##") if re.search(rf"bench\.{script}\b", part.partition("|")[0])]
    return [part.splitlines()[0] for part in quoted if "beside other load" not in part.replace("\n", " ")]


def script_of(result: Path) -> str:
    (script,) = [path.stem for path in (ROOT / "bench").glob("*.py") if re.match(rf"{path.stem}(_\d|$)", result.stem)]
    return script


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_what_was_measured_under_load_is_quoted_as_that(path):
    scripts = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
    assert not unmarked(json.loads(path.read_text()), script_of(path), scripts, MEASURED)


def test_a_speed_under_load_that_does_not_say_so_is_found():
    scripts = "### `street`: fast\n\n### `keypoints`: right\n\nThe load of the machine\ndoes not matter here.\n"
    plain = "## Speed\n\n`python -m bench.street`: so fast\n\n| 5 |\n\n## Right\n\n`python -m bench.keypoints`\n"
    said = plain.replace("so fast", "beside\nother load")
    assert unmarked({"loaded": True}, "street", scripts, plain) == ["Speed"]
    assert unmarked({"loaded": True}, "street", scripts, said) == []
    assert unmarked({"loaded": False}, "street", scripts, plain) == []
    assert unmarked({"loaded": True}, "keypoints", scripts, plain) == []


def test_the_figures_are_those_that_were_measured():
    for file in ("end_to_end", "street", "against_ultralytics"):
        path = ROOT / "bench" / "results" / f"{file}.json"
        for speed in speeds_in(json.loads(path.read_text())) if path.exists() else ():
            assert f"{speed:.1f}" in MEASURED, f"{file}: {speed}"


def test_it_is_short_and_begins_with_what_works_and_what_does_not():
    lines = README.splitlines()
    assert len(lines) < 200
    first_screen = "\n".join(lines[:20])
    assert first_screen.index("**Works well:**") < first_screen.index("**Does not yet:**")
    assert max(map(len, lines)) <= 200 or all("|" in line for line in lines if len(line) > 200)


def test_the_first_command_needs_nothing_at_hand():
    (first, *_) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert first.strip().endswith("&& stance demo")
