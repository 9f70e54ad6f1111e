"""Where the system says no, a user reads one sentence. Strategy: real files that may not be read, links in circles,
names that are too long; one process without an administrator's rights runs all commands, once in UTF-8 and once in the
C locale, which knows only ASCII."""

import errno
import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream.cli import main

ROOT = Path(__file__).resolve().parents[2]
LONG = "x" * 300
OPTIONS = ["--quiet", "--set", "pose.image_size=128", "--set", "pose.threads=1"]
DENIED = "(Permission denied)"

CASES = {
    "run locked.mp4": "locked.mp4 may not be read",
    "run a=locked.mp4 b=clip.mp4": "locked.mp4 may not be read",
    "run locked/clip.mp4": "locked/clip.mp4 cannot be read",
    "run locked": "locked cannot be",
    "run locked.png": "locked.png cannot be read",
    "run listed": "listed",
    "run circle": "circle cannot be read (Too many levels of symbolic links)",
    f"run {LONG}.mp4": "File name too long",
    "run clip.mp4/more.mp4": "there is no such file",
    "run clip.mp4 --config locked.yaml": f"locked.yaml cannot be read {DENIED}",
    "run clip.mp4 --config folder": "folder cannot be read (Is a directory)",
    "run clip.mp4 --config latin.yaml": "latin.yaml cannot be read (it is not UTF-8 text)",
    f"run clip.mp4 --config {LONG}": "cannot be read (File name too long)",
    "run clip.mp4 --out read_only/o.mp4": f"read_only/o.mp4 cannot be written {DENIED}",
    "run clip.mp4 --out locked/o.mp4": f"locked/o.mp4 cannot be written {DENIED}",
    f"run clip.mp4 --out {LONG}.mp4": "cannot be written (File name too long)",
    "run a=clip.mp4 b=clip.mp4 --out locked/more": "locked",
    "run a=clip.mp4 b=clip.mp4 --out locked": f"locked/a.mp4 cannot be written {DENIED}",
    "run pictures --out locked": f"locked cannot be written {DENIED}",
    "run pictures --out read_only": f"read_only cannot be written {DENIED}",
    "run pictures --out read_only/more": f"read_only/more cannot be written {DENIED}",
    "run pictures/a.png --out locked/o.png": f"locked/o.png cannot be written {DENIED}",
    "run clip.mp4 --jsonl locked.jsonl": f"locked.jsonl cannot be written {DENIED}",
    "run clip.mp4 --jsonl locked/o.jsonl": f"locked/o.jsonl cannot be written {DENIED}",
    "run clip.mp4 --jsonl circle.jsonl": "circle.jsonl cannot be written (Too many levels of symbolic links)",
    "run clip.mp4 --jsonl folder": "folder is a folder",
    "run clip.mp4 --timeline locked/t.csv": f"locked/t.csv cannot be written {DENIED}",
    "run clip.mp4 --index locked_index": "locked_index cannot be read: Permission denied",
    "run clip.mp4 --index locked/x": "locked/x cannot be read: Permission denied",
    "run clip.mp4 --set pose.weights=locked.safetensors": f"locked.safetensors cannot be read {DENIED}",
    "run clip.mp4 --set pose.weights=locked/x.safetensors": f"locked/x.safetensors cannot be read {DENIED}",
    "info --index locked_index": "locked_index cannot be read: Permission denied",
    "evaluate-video clip.mp4 --intervals locked.csv": f"locked.csv cannot be read {DENIED}",
    "build locked": "locked cannot be read",
    # works, whatever the locale
    "run clip.mp4 --jsonl -": "",
    "run clip.mp4 --jsonl über人🧘.jsonl --timeline ü.srt --out ü.mp4": "",
    "run Käse.mp4 --jsonl k.jsonl": "",
    "weights list": "",
}
SCRIPT = """
import json, sys
from stream.cli import main
for command in json.loads(sys.stdin.buffer.read()):
    arguments = [word.encode().decode(sys.getfilesystemencoding(), "surrogateescape") for word in command]
    print(f"\\n== {main(arguments)}", file=sys.stderr, flush=True)
"""


@pytest.fixture
def world(tmp_path, worlds, monkeypatch):
    """A folder of files, most of which may not be read."""
    monkeypatch.chdir(tmp_path)
    worlds.write_clip(tmp_path / "clip.mp4", [n / 30 for n in range(3)])
    for folder in ("locked", "pictures", "listed", "read_only", "folder"):
        Path(folder).mkdir()
        shutil.copy("clip.mp4", f"{folder}/clip.mp4") if folder == "locked" else None
        if folder in ("pictures", "listed"):
            for name in ("a", "b"):
                cv2.imwrite(f"{folder}/{name}.png", np.zeros((50, 50, 3), np.uint8))
    shutil.copy("clip.mp4", "locked.mp4")
    shutil.copy("clip.mp4", "Käse.mp4")
    shutil.copy("pictures/a.png", "locked.png")
    for name in ("locked.yaml", "locked.jsonl", "locked.csv", "locked.safetensors"):
        Path(name).write_text("pose:\n  device: cpu\n")
    Path("latin.yaml").write_bytes(b"pose:\n  weights: \xe4\n")
    for file in (ROOT / "index" / "starter").glob("pose_index*"):
        shutil.copy(file, file.name.replace("pose_index", "locked_index"))
    for name in ("circle", "circle.jsonl"):
        Path(name).symlink_to(name)
    modes = {"locked": 0, "listed": 0o444, "read_only": 0o555, "locked_index.faiss": 0}
    modes |= {path.name: 0 for path in Path().glob("locked.*")}
    for name, mode in modes.items():
        os.chmod(name, mode)
    yield tmp_path
    for name in modes:
        os.chmod(name, 0o755)


@pytest.mark.parametrize("locale", [{"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=["UTF-8", "C"])
def test_every_refusal_of_the_system_is_a_sentence(world, worlds, locale):
    worlds.need("/usr/bin/setpriv", "util-linux")
    as_anybody = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]
    commands = [[*case.split(), *(OPTIONS if case.startswith("run") else [])] for case in CASES]
    done = subprocess.run(
        [*(as_anybody if os.geteuid() == 0 else []), sys.executable, "-c", SCRIPT],
        input=json.dumps(commands).encode(), capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **locale},
    )  # fmt: skip
    told = done.stderr.decode()
    assert done.returncode == 0, told
    ended = ("\n" + told).split("\n== ")
    answers = [f"{after[0]}{before.partition(chr(10))[2]}" for before, after in pairwise(ended)]
    faults = []
    for (case, expected), answer in zip(CASES.items(), answers, strict=True):
        sentence = answer.strip().splitlines()[-1] if expected else ""
        good = answer[0] == ("2" if expected else "0") and expected in sentence and "Errno" not in answer
        if not good or "stance: " not in (sentence or "stance: "):
            faults.append(f"{case}: {answer}")
    assert not faults, "\n".join(faults)
    assert len(Path("über人🧘.jsonl").read_text(encoding="utf-8").splitlines()) == 3


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"),
         "/a/b cannot be used (No space left on device). Make room, or choose another place."),
        (OSError(errno.EMFILE, "Too many open files"),
         "Too many open files. Allow more open files (ulimit -n), or name fewer sources."),
        (OSError("timed out"), "timed out."),
    ],
)  # fmt: skip
def test_what_no_part_has_a_sentence_for(monkeypatch, capsys, error, sentence):
    def fail(*_):
        raise error

    monkeypatch.setattr("stream.commands.weights._list", fail)
    assert main(["weights", "list"]) == 2
    assert capsys.readouterr().err.splitlines() == [f"stance: {sentence}"]
