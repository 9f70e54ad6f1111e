"""No output destroys an input, and a fault is one sentence."""

import errno

import pytest

from stream.errors import SinkError
from stream.sinks.paths import check_output, write_fault


def test_outputs_are_checked_before_the_run(tmp_path):
    source = tmp_path / "clip.mp4"
    source.write_bytes(b"precious")
    (tmp_path / "link.mp4").symlink_to(source)
    assert check_output(tmp_path / "out.mp4", inputs=[source, None]) == tmp_path / "out.mp4"
    assert not (tmp_path / "out.mp4").exists()
    with pytest.raises(SinkError, match="would be destroyed"):
        check_output(tmp_path / "link.mp4", inputs=[source])
    with pytest.raises(SinkError, match=r"does not exist\. Create it"):
        check_output(tmp_path / "none" / "out.mp4")
    with pytest.raises(SinkError, match="is a folder"):
        check_output(tmp_path)
    with pytest.raises(SinkError, match="does not exist"):
        check_output(source / "out.mp4")


def test_what_stopped_a_running_output_is_said():
    assert "has ended" in str(write_fault("the pipe", BrokenPipeError(errno.EPIPE, "Broken pipe")))
    assert "out.mp4 cannot be written any further (No space left)" in str(
        write_fault("out.mp4", OSError(errno.ENOSPC, "No space left"))
    )
