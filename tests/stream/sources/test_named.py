"""What the user typed and what config.yaml lists become named sources."""

import pytest

from stream.errors import ConfigurationError, SourceError
from stream.settings.loading import load_settings
from stream.settings.model import Settings
from stream.sources.named import named_addresses

CONFIG = """
source: {max_fps: 10, rotation: 90}
sources:
  - {name: door, address: "rtsp://u:secret@10.0.0.7/live?channel=1", rotation: 0, index: doors/pose_index}
  - {name: desk, address: 2, region: [0, 0.5, 1, 1]}
  - {address: lobby.mp4}
"""


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    return load_settings(tmp_path / "config.yaml")


def test_names_and_addresses_as_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.mp4").touch()
    given = ["cam1=rtsp://u:p@h/x?a=b", "cam2=0", "3", "lobby.mp4", "a=b.mp4", "http://h/x?user=me&pwd=secret"]
    sources = named_addresses(given, Settings())
    assert [(one.name, one.address) for one in sources] == [
        ("cam1", "rtsp://u:p@h/x?a=b"), ("cam2", "0"), ("webcam 3", "3"), ("lobby.mp4", "lobby.mp4"),
        ("a=b.mp4", "a=b.mp4"), ("http://h/x?user=***&pwd=***", "http://h/x?user=me&pwd=secret"),
    ]  # fmt: skip


def test_without_any_all_of_the_configuration_with_what_is_different_there(settings):
    door, desk, lobby = named_addresses([], settings)
    assert [one.name for one in (door, desk, lobby)] == ["door", "desk", "lobby.mp4"]
    assert (door.settings.rotation, door.settings.max_fps, door.index) == (0, 10, "doors/pose_index")
    assert (desk.address, desk.settings.region, desk.settings.rotation) == (2, (0, 0.5, 1, 1), 90)
    assert lobby.settings == settings.source


def test_a_name_picks_from_the_configuration(settings):
    picked = named_addresses(["desk", "other=1"], settings)
    assert [(one.name, one.address) for one in picked] == [("desk", 2), ("other", "1")]


def test_none_at_all():
    with pytest.raises(SourceError, match="sources:"):
        named_addresses([], Settings())


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{name: door}", "address"),
        ("{address: 0, name: 'my door'}", "name"),
        ("{address: 0, rotation: 45}", "rotation"),
        ("{address: 0, colour: red}", "colour"),
        ("{address: 0, region: [0, 0, 2, 1]}", "region"),
        ("{address: 0, region: [0.5, 0, 0.5, 1]}", "left < right"),
    ],
)
def test_faults_are_told_with_their_line(tmp_path, line, fault):
    (tmp_path / "config.yaml").write_text(f"sources:\n  - {line}\n")
    with pytest.raises(ConfigurationError) as error:
        load_settings(tmp_path / "config.yaml")
    assert fault in str(error.value)
    assert "line 2" in str(error.value)
