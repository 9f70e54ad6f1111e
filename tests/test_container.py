"""The container image: its recipe agrees with the project; where a container runtime is, it is built and started."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from stream.run.service import HEARTBEAT

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "docs" / "deploy" / "Containerfile"
TEXT = RECIPE.read_text(encoding="utf-8")
INSTRUCTIONS = [
    line.strip().split(maxsplit=1)
    for line in re.sub(
        r"\s*\\\n\s*", " ", "\n".join(x for x in TEXT.splitlines() if not x.startswith("#"))
    ).splitlines()
    if line.strip()
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def values(name: str) -> list[str]:
    return [value for instruction, value in INSTRUCTIONS if instruction == name]


def test_it_holds_nothing_but_known_instructions() -> None:
    known = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "HEALTHCHECK", "RUN", "USER", "WORKDIR"}
    assert {instruction for instruction, _ in INSTRUCTIONS} == known


def test_what_it_copies_is_there_and_is_all_that_the_wheel_needs() -> None:
    copied = {path for value in values("COPY") if "--from" not in value for path in value.split()[:-1]}
    assert all((ROOT / path).exists() for path in copied)
    assert {"pyproject.toml", "stance.py", "pose", "index", "stream", "weights", *PROJECT["license-files"]} <= copied
    assert PROJECT["readme"] in copied


def test_it_installs_the_versions_that_the_project_asks_for() -> None:
    wanted = dict(re.match(r"([\w-]+)(.*)", one).groups() for one in PROJECT["dependencies"])  # type: ignore[union-attr]
    (run,) = [value for value in values("RUN") if "useradd" in value]
    assert f"'torch{wanted['torch']}'" in run
    assert f"'opencv-python-headless{wanted['opencv-python']}'" in run
    assert ".whl)[cpu]" in run
    assert run.index("torch") < run.index(".whl")  # or the wheel would bring a torch with CUDA
    assert any("https://download.pytorch.org/whl/cpu" in value for value in values("ARG"))


def test_it_runs_as_nobody_special_and_starts_the_demo() -> None:
    assert values("USER") == ["stance"]
    assert json.loads(values("ENTRYPOINT")[0]) == ["stance"]
    assert json.loads(values("CMD")[0]) == ["demo"]


def test_its_health_is_the_age_of_the_heartbeat(tmp_path: Path) -> None:
    environment = dict(pair.split("=", 1) for pair in values("ENV")[0].split())
    file = environment[HEARTBEAT]
    command = json.loads(values("HEALTHCHECK")[0].partition("CMD ")[2])
    assert file in command[-1]
    beat = tmp_path / "heartbeat"
    check = [*command[:-1], command[-1].replace(file, str(beat))]
    assert subprocess.run(check, check=False, capture_output=True).returncode == 1
    beat.touch()
    assert subprocess.run(check, check=False).returncode == 0
    os.utime(beat, (1, 1))
    assert subprocess.run(check, check=False).returncode == 1


def runtime() -> str:
    """A container runtime that answers and has, or can fetch, the base image; skips with the reason."""
    base = next(value.partition("=")[2] for value in values("ARG") if value.startswith("BASE="))
    for program in ("docker", "podman"):
        if shutil.which(program) is None:
            continue
        if subprocess.run([program, "info"], capture_output=True, check=False, timeout=60).returncode != 0:
            continue
        if subprocess.run([program, "pull", base], capture_output=True, check=False, timeout=600).returncode == 0:
            return program
        pytest.skip(f"only the recipe is checked: {program} cannot fetch {base}")
    pytest.skip("only the recipe is checked: there is no container runtime")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_it_is_built_and_shows_the_demo(tmp_path: Path) -> None:
    program = runtime()
    subprocess.run([program, "build", "-f", RECIPE, "-t", "stance-test", ROOT], check=True, timeout=3000)
    tmp_path.chmod(0o777)
    subprocess.run([program, "run", "--rm", "-v", f"{tmp_path}:/work", "stance-test"], check=True, timeout=500)
    assert (tmp_path / "demo_stance.mp4").stat().st_size > 1e5
    listed = subprocess.run(
        [program, "run", "--rm", "--entrypoint", "pip", "stance-test", "list"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "nvidia" not in listed.lower()
