"""Settings from files and from `--set`: what is right is taken, what is wrong is reported together, by line."""

import re
from pathlib import Path

import pytest
import yaml

from pose.network_descriptions import NETWORKS
from stream.errors import ConfigurationError
from stream.settings.loading import RENAMED, load_settings
from stream.settings.model import Settings

ROOT = Path(__file__).parents[3]


def faults(tmp_path, text, overrides=()):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        load_settings(file, overrides)
    return str(error.value).replace(str(file), "config.yaml").splitlines()


def test_config_yaml_shows_every_setting_at_its_default():
    shown = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert shown == Settings().model_dump(mode="json")  # lists, as YAML has them
    assert load_settings(ROOT / "config.yaml") == Settings()


def test_every_setting_in_config_yaml_has_its_meaning_beside_it():
    lines = (ROOT / "config.yaml").read_text().splitlines()
    bare = [line for line in lines if line.startswith("  ") and "#" not in line]
    assert [line.split(":")[0].strip() for line in bare] == ["boxes", "skeletons", "labels"]  # these say it themselves


@pytest.mark.parametrize("setting", ["person_threshold", "high_score_threshold", "iou_threshold", "image_size"])
def test_config_yaml_says_what_suits_the_networks(setting):
    (line,) = re.findall(rf"^  {setting}: .*null: (.*)$", (ROOT / "config.yaml").read_text(), re.MULTILINE)
    for network in NETWORKS.values():
        suits = network.image_sizes if setting == "image_size" else (getattr(network, setting),)
        assert {*suits} <= {float(number) for number in re.findall(r"(?<!\w)\d+(?:\.\d+)?", line)}


def test_without_a_file_there_are_the_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_settings() == Settings()
    (tmp_path / "config.yaml").write_text("index: {k: 9}\n")
    assert load_settings().index.k == 9


def test_overrides_win_over_the_file(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("pose:\n  device: cpu\n  image_size: 320\n")
    settings = load_settings(file, ["pose.image_size=512", "index.path=desk"])
    assert (settings.pose.device, settings.pose.image_size, settings.index.path) == ("cpu", 512, "desk")


def test_all_faults_are_told_together_with_line_and_near_name(tmp_path):
    text = "pose:\n  devise: cpu\n  batch_size: many\nindex:\n  min_probability: 2\nsmoothing: 3\n"
    told = faults(tmp_path, text, ["tracking.max_lost_second=2"])
    assert len(told) == 5
    assert "config.yaml line 2: pose.devise is not a setting; did you mean device?" in told
    assert any(line.startswith("config.yaml line 3: pose.batch_size is 'many'; ") for line in told)
    assert any(line.startswith("config.yaml line 5: index.min_probability is 2; ") for line in told)
    assert any(line.startswith("config.yaml line 6: smoothing is a section") for line in told)
    assert any(
        line.startswith("setting tracking.max_lost_second: ") and "did you mean max_lost_seconds?" in line
        for line in told
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pose: [1, 2\n", "config.yaml line 2: not YAML"),
        ("- pose\n", "config.yaml line 1: expected sections"),
        ("pose:\n  device: cpu\n  device: cpu\n", "config.yaml line 3: pose.device stands there twice"),
        ("pose:\n  device: gpu\n", "config.yaml line 2: pose.device is 'gpu'; use auto, cpu or cuda:0"),
        ("camera: 1\n", "config.yaml line 1: camera is not a setting"),
    ],
)
def test_each_fault_says_where_and_what(tmp_path, text, expected):
    (told,) = faults(tmp_path, text)
    assert told.startswith(expected)


def test_an_empty_file_is_fine_and_a_missing_one_is_not(tmp_path):
    (tmp_path / "c.yaml").write_text("# nothing\n")
    assert load_settings(tmp_path / "c.yaml") == Settings()
    with pytest.raises(ConfigurationError, match="is missing"):
        load_settings(tmp_path / "other.yaml")


@pytest.mark.parametrize("override", ["pose", "=3", "pose.=3", "pose..device=cpu"])
def test_an_override_without_a_name_is_a_fault(override):
    with pytest.raises(ConfigurationError, match=r"expected SECTION\.NAME=VALUE"):
        load_settings(None, [override])


def test_old_names_of_settings_still_work_and_say_so(tmp_path, caplog):
    file = tmp_path / "config.yaml"
    file.write_text("steadying:\n  resting_cutoff_hz: 2.0\nindex:\n  min_share: 0.7\n")
    settings = load_settings(file, ["tracking.sure_score=0.4", "steadying.moving_cutoff_hz=0.5"])
    assert (settings.keypoint_filter.min_cutoff_hz, settings.keypoint_filter.beta) == (2.0, 0.5)
    assert (settings.index.min_probability, settings.pose.high_score_threshold) == (0.7, 0.4)
    said = [record.getMessage() for record in caplog.records]
    assert f"{file} line 4: index.min_share is now called index.min_probability." in said
    assert "setting tracking.sure_score: tracking.sure_score is now called pose.high_score_threshold." in said
    assert len(said) == 5


def test_a_setting_under_both_names_is_a_fault(tmp_path):
    with pytest.raises(ConfigurationError, match=r"min_share is the old name of index\.min_probability, which is"):
        load_settings(None, ["index.min_share=0.5", "index.min_probability=0.6"])


def test_a_setting_that_moved_to_another_section_joins_what_is_there(tmp_path, caplog):
    file = tmp_path / "config.yaml"
    file.write_text("tracking:\n  high_score_threshold: 2\npose:\n  threads: 1\n")
    with pytest.raises(ConfigurationError) as error:
        load_settings(file)
    assert str(error.value).startswith(f"{file} line 2: pose.high_score_threshold is 2; ")  # where the user wrote it
    file.write_text("tracking:\n  high_score_threshold: 0.4\n  confirm_seconds: 0.3\npose:\n  threads: 1\n")
    settings = load_settings(file)
    assert (settings.pose.high_score_threshold, settings.pose.threads) == (0.4, 1)
    assert settings.tracking.confirm_seconds == 0.3
    with pytest.raises(ConfigurationError, match="pose is a section"):
        load_settings(None, ["tracking.sure_score=0.4", "pose=3"])


@pytest.mark.parametrize("new", set(RENAMED.values()), ids=".".join)
def test_new_names_are_settings(new):
    section = Settings()
    for part in new:
        section = getattr(section, part)


VALUES = [
    None,
    True,
    -1,
    0.5,
    1e9,
    float("nan"),
    float("inf"),
    "no such value",
    "",
    [],
    [1],
    ["x", 2, 3, 4, 5],
    [10],
    {},
]


def test_no_fault_is_told_in_the_words_of_a_library(tmp_path, monkeypatch):
    """Every setting, set to everything that it is not."""
    monkeypatch.chdir(tmp_path)
    told = set()
    for section, values in Settings().model_dump().items():
        for name in values if isinstance(values, dict) else ():
            for value in VALUES:
                text = "null" if value is None else yaml.safe_dump(value, default_flow_style=True).strip("\n.")
                try:
                    load_settings(overrides=[f"{section}.{name}={text}"])
                except ConfigurationError as error:
                    told.update(str(error).splitlines())
    assert len(told) > 300
    for sentence in told:
        assert re.match(r"setting \S+: \S+ (is .+; use .+|is not a setting; .+|is a section.+)\.$", sentence), sentence
        assert not re.search(r"nput|valid|should|None|tuple|string|True|integer|Errno", sentence), sentence


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("source.region=[0, 0, 1]", "source.region is [0, 0, 1]; use a list of 4."),
        ("source.region=[0, 0, 1, 1, 1]", "source.region is [0, 0, 1, 1, 1]; use a list of at most 4."),
        ("source.region=[1, 0, 0, 1]",
         "source.region is [1, 0, 0, 1]; use [left, top, right, bottom] with left < right, top < bottom."),
        ("source.region=7", "source.region is 7; use a list, such as [1, 2]."),
        ("pose.image_size=[10]", "pose.image_size is 10; use at least 64."),
        ("pose.image_size=[]", "pose.image_size is []; use a list of at least 1."),
        ("pose.device=", "pose.device is empty; use auto, cpu or cuda:0."),
        ("pose.device=gpu", "pose.device is 'gpu'; use auto, cpu or cuda:0."),
        ("pose.runtime=onnx", "pose.runtime is 'onnx'; use 'auto', 'openvino' or 'torch'."),
        ("index.k=0", "index.k is 0; use at least 1."),
        ("index.min_margin=1.5", "index.min_margin is 1.5; use at most 1."),
        ("overlay.boxes=7", "overlay.boxes is 7; use true or false."),
        ("source.webcam_format=MP", "source.webcam_format is 'MP'; use four letters or digits, such as MJPG."),
    ],
)  # fmt: skip
def test_what_to_use_instead(tmp_path, monkeypatch, override, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as error:
        load_settings(overrides=[override])
    assert str(error.value) == f"setting {override.partition('=')[0]}: {sentence}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"pose: {threads: " + b"1" * 5000 + b"}", "a number or date in it is impossible"),
        (b"[" * 5000, "nested too deeply"),
        (b"&a [*a]", "expected sections"),
        (b"pose: &a [*a]", "pose is a section"),
        (b"pose: \xff", "is not UTF-8 text"),
        (b"pose: \x00", "not YAML: a character that YAML does not allow"),
        (b"index: {path: &a [*a, *a]}", "index.path is [["),
        (b"5: 6", "5 is not a setting; names are text"),
        (b"sources: [{address: ['rtsp://u:secret@h/1']}]", "sources.0.address is ['rtsp://…; use "),
    ],
)
def test_hostile_files_are_one_sentence(tmp_path, content, said):
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError) as error:
        load_settings(tmp_path / "c.yaml")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
