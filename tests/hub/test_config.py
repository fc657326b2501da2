"""Config refuses what it does not know and resolves what it does."""

from pathlib import Path

import pytest

from hub.config import Config, ConfigError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REELWRIGHT_CONFIG", "REELWRIGHT_SERVER__PORT", "REELWRIGHT_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, text: str) -> Path:
    file = folder / "reelwright.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_relative_paths_are_resolved_against_the_file(tmp_path: Path) -> None:
    config = Config.load(write(tmp_path, 'data_dir = "state"\n'))
    assert config.data_dir == tmp_path / "state"
    assert config.database_url == f"sqlite:///{tmp_path / 'state' / 'reelwright.db'}"
    assert config.server.public_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize("text", ["colour = 1\n", "[server]\ncolour = 1\n", "[profiles.cpu]\ncolour = 1\n"])
def test_an_unknown_key_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"(?s)reelwright\.toml.*colour: unknown key"):
        Config.load(write(tmp_path, text))


def test_a_wrong_value_says_what_was_got(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"server\.port: .*got 70000"):
        Config.load(write(tmp_path, "[server]\nport = 70000\n"))


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        Config.load(write(tmp_path, "[server\n"))


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such configuration file"):
        Config.load(tmp_path / "absent.toml")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWRIGHT_SERVER__PORT", "9001")
    assert Config.load(write(tmp_path, '[server]\nbind = "127.0.0.9"\nport = 9000\n')).server.port == 9001


@pytest.mark.parametrize("text", ["part = 0.04", "seconds = 1", 'text = "hello"', 'text = "AI"'])
def test_the_visible_label_is_never_less_than_the_standard_asks_for(tmp_path: Path, text: str) -> None:
    file = tmp_path / "reelwright.toml"
    file.write_text(f"[label]\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"label.{text.split(maxsplit=1)[0]}"):
        Config.load(file)
    file.write_text('[label]\ntext = "人工智能合成"\npart = 0.08\n', encoding="utf-8")
    assert Config.load(file).label.part == pytest.approx(0.08)


def test_two_configs_share_nothing(tmp_path: Path) -> None:
    first = Config.load(write(tmp_path, '[profiles.cpu]\ntitle_zh = "一"\ntitle_en = "one"\n'))
    second = Config.load(write(tmp_path, ""))
    assert first.profiles["cpu"].title_en == "one"
    assert second.profiles["cpu"].title_en == "CPU lab"


DOCKER = 'engine = "docker"\n[profiles.cpu]\ntitle_zh = "一"\ntitle_en = "one"\n'


def test_containers_are_configured_in_their_own_sections(tmp_path: Path) -> None:
    text = DOCKER + (
        'image = "lab:2"\negress = ["files.example:443"]\n[docker]\nimage = "lab:1"\nimages = ["lab:2"]\n'
        '[gpu]\ninventory = "config"\nslices = [{uuid = "GPU-0000", gpu_class = "h100", memory_mb = 80000}]\n'
    )
    config = Config.load(write(tmp_path, text))
    assert config.docker.image_for(config.profiles["cpu"].image) == "lab:2"
    assert [str(outlet) for outlet in config.profiles["cpu"].egress] == ["files.example:443"]
    assert config.has_egress
    assert config.gpu.slices[0].gpu_class == "h100"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (DOCKER + 'image = "evil:1"\n', r"profiles\.cpu\.image: got 'evil:1', expected one of"),
        (DOCKER + 'gpu_class = "h100"\n', r"profiles\.cpu\.gpu_class: got 'h100' while gpu\.inventory is 'none'"),
        (DOCKER + 'egress = ["*.org:443"]\n', r"profiles\.cpu\.egress\.0: .*expected host:port"),
        (DOCKER + "[docker]\ncolour = 1\n", r"docker\.colour: unknown key"),
        (DOCKER + "[gpu]\ncolour = 1\n", r"gpu\.colour: unknown key"),
        ('engine = "slurm"\n', "expected 'local' or 'docker'"),
    ],
)
def test_what_containers_cannot_be_made_from_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Config.load(write(tmp_path, text))
