from __future__ import annotations

from pathlib import Path

import pytest

from labs.script import ScriptError, episode_seconds, parse, read, spoken_seconds

EPISODE = Path(__file__).parents[2] / "courses/micro-drama/source/script-to-shots/episode.fountain"


def test_a_chinese_episode_becomes_scenes() -> None:
    play = read(EPISODE)
    assert (play.title, play.author) == ("第七层", "Reelwright 课程组")
    assert [(scene.setting, scene.place, scene.time) for scene in play.scenes] == [
        ("interior", "医院走廊", "夜"),
        ("interior", "电梯", "夜"),
        ("interior", "病房", "夜"),
        ("exterior", "医院门口", "雨夜"),
    ]
    assert play.characters == ("林晚", "男人", "护士", "另一个林晚")
    answer = play.scenes[1].lines[3]
    assert (answer.character, answer.manner, answer.text) == ("男人", "没有回头", "你要去的那一层。")
    assert episode_seconds(play) == pytest.approx(34.0)


def test_english_headings_cues_and_extensions() -> None:
    play = parse("INT./EXT. CAR - MOVING - NIGHT\n\nRain.\n\nANNA (V.O.)\n(whispering)\nDrive.\n\n> CUT TO:\n")
    scene = play.scenes[0]
    assert (scene.setting, scene.place, scene.time) == ("both", "CAR - MOVING", "NIGHT")
    assert [(line.kind, line.character, line.text) for line in scene.lines] == [
        ("action", "", "Rain."),
        ("dialogue", "ANNA", "Drive."),
        ("transition", "", "CUT TO:"),
    ]


def test_full_width_brackets_are_a_manner() -> None:
    line = parse(".内景 屋 - 日\n\n@阿青（画外）\n（低声）\n走。\n").scenes[0].lines[0]
    assert (line.character, line.manner, line.text) == ("阿青", "低声", "走。")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("内景 咖啡馆 - 夜\n\n她坐下。\n", "line 1, '内景 咖啡馆 - 夜', reads as a scene heading without its dot"),
        ("She sits.\n", "no scene heading"),
        ("", "no scene heading"),
    ],
)
def test_a_script_without_usable_headings_says_what_to_write(
    text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    with pytest.raises(ScriptError, match=words):
        parse(text)


def test_messages_are_in_the_persons_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "zh_CN")
    with pytest.raises(ScriptError, match="剧本里没有场景标题"):
        parse("x")


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "old.fountain"
    file.write_bytes(".内景 屋 - 日".encode("gb18030"))
    with pytest.raises(ScriptError, match="UTF-8"):
        read(file)
    with pytest.raises(ScriptError, match=r"missing\.fountain"):
        read(tmp_path / "missing.fountain")


def test_marks_take_no_time() -> None:
    assert spoken_seconds("……？！") == 0
    assert spoken_seconds("Don't you dare") == pytest.approx(3 / 2.5)
