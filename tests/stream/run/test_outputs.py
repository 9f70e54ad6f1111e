"""What stands between a camera and its file. Strategy: the real sinks of a run, and a folder that is taken away."""

import shutil
import threading
from contextlib import ExitStack

from stream.run.outputs import Outputs, open_outputs
from stream.run.profile import Profile
from stream.settings.model import Settings
from stream.sinks.base import Drawing


def test_nothing_is_drawn_for_a_recording_that_pauses(tmp_path, worlds):
    source = worlds.FakeSource(live=True, name="cam")
    path = tmp_path / "disk" / "cam.mp4"
    profile, drawn = Profile(), []

    def draw(scene):
        with profile.stage("draw"):
            drawn.append(scene.frame.number)
            return scene.frame.bgr

    with ExitStack() as stack:
        outputs = Outputs({"cam": path}, {}, None, [])
        opened = open_outputs(
            outputs, [source], Settings(), threading.Event(), profile.stage, stack, drops=lambda name: {}
        )
        shutil.rmtree(path.parent)
        for number in range(100):
            scene = worlds.empty_scene(source.frame(number))
            for sink in opened.sinks["cam"]:
                sink.write(scene, Drawing(scene, draw))
            assert worlds.wait_until(lambda: not opened.workers["cam"]._waiting)
    assert drawn == [0]
    assert opened.recordings["cam"].paused_reason == "No such file or directory"
    assert opened.workers["cam"].name == str(path)
    assert list(profile.milliseconds_per_frame(100)) == ["draw", "write"]
