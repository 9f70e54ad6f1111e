"""`stance run` of a part: what is asked on the command line arrives in the results."""

import json

import pytest

from stream.cli import main

FAST = ["--set", "pose.image_size=128", "--set", "pose.threads=1"]


def test_start_end_and_every(tmp_path, worlds, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    clip = worlds.write_clip(tmp_path / "clip.mp4", [n / 25 for n in range(100)])
    part = ["--start", "0:01", "--end", "2.5", "--every", "0.2"]
    assert main(["run", str(clip), *part, "--jsonl", "-", "--out", "o.mp4", "--quiet", *FAST]) == 0
    seconds = [json.loads(line)["media_seconds"] for line in capsys.readouterr().out.splitlines()]
    assert seconds == pytest.approx([1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4])
    import av

    with av.open("o.mp4") as video:
        times = [frame.time for frame in video.decode(video=0)]
    assert times == pytest.approx([n / 5 for n in range(8)], abs=1e-3)  # zero is its own first picture


@pytest.mark.parametrize("part", [["--start", "x"], ["--end", "1:99"], ["--every", "0"]])
def test_what_is_no_part(part, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "clip.mp4", *part])
    assert ended.value.code == 2
    assert "Write seconds" in capsys.readouterr().err
