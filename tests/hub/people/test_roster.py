"""Roster files as bases send them, good and bad."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.people.person import RosterError
from hub.people.roster import MAX_BYTES, MAX_ROWS, parse_roster


def names(data: bytes) -> list[tuple[str, str, str | None]]:
    return [(row.number, row.full_name, row.email) for row in parse_roster(data).rows]


@pytest.mark.parametrize(
    "data",
    [
        b"number,name,email\n1,Li Lei,li@example.org\n",
        "学号,姓名,邮箱\n1,Li Lei,li@example.org\n".encode(),
        "编号,姓名,邮箱\r\n1,Li Lei,li@example.org\r\n".encode("utf-8-sig"),
        "编号,姓名,邮箱\r\n1,Li Lei,li@example.org\r\n".encode("gb18030"),
        "姓名;学号;邮箱;备注\nLi Lei;1;li@example.org;\n".encode(),
        b"Name\tNumber\tE-mail\nLi Lei\t1\tli@example.org\n",
        "学号,姓名,邮箱\n１, Li Lei ,li@example.org\n\n,,\n".encode(),
    ],
)
def test_the_same_person_is_read_from_every_usual_form(data: bytes) -> None:
    assert names(data) == [("1", "Li Lei", "li@example.org")]


def test_chinese_names_survive_gb18030() -> None:
    assert names("学号,姓名\nA1,欧阳娜娜\nA2,㐀䶮\n".encode("gb18030")) == [
        ("A1", "欧阳娜娜", None),
        ("A2", "㐀䶮", None),
    ]


@pytest.mark.parametrize(
    ("row", "english"),
    [
        ("7,", "the name is empty"),
        (",李雷", "the number is empty"),
        ("a01,又一个", "has the same number as line 2"),
        ("Ａ０１,又一个", "has the same number as line 2"),
        (f"7,{'长' * 101}", "the name has 101 characters; at most 100 are allowed"),
        ("7,李\u0007雷", "the name holds the control character U+0007"),
        ("7,li\u202egnitset", "the name holds the control character U+202E"),
        ('7,"李\n雷"', "the name holds the control character U+000A"),
        ("7,李雷,not an address", "the e-mail address is not written like one"),
        ("7,李雷,A@example.org", "has the same e-mail address as line 2"),
        ("7,李雷,b@example.org,extra", "has 4 cells under 3 columns; put quotation marks around text with commas"),
    ],
)
def test_a_bad_row_is_refused_with_its_reason_and_the_others_stand(row: str, english: str) -> None:
    parsed = parse_roster(f"学号,姓名,邮箱\nA01,李雷,a@example.org\n{row}\nA02,韩梅梅,\n".encode())
    assert [good.number for good in parsed.rows] == ["A01", "A02"]
    (refused,) = parsed.refused
    assert (refused.line, refused.reason_en) == (3, english)
    assert refused.reason_zh
    assert refused.reason_zh != english


def test_two_people_may_share_a_name() -> None:
    assert len(names("学号,姓名\n1,张伟\n2,张伟\n".encode())) == 2


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    parsed = parse_roster(b'number,name\n1,"Li\nLei"\n2,\n\n3,\n')
    assert [row.line for row in parsed.refused] == [2, 4, 6]


def test_a_missing_column_is_named_with_what_came_instead() -> None:
    with pytest.raises(RosterError) as refused:
        parse_roster("工号,姓名\n1,李雷\n".encode())
    assert refused.value.code == "columns"
    assert refused.value.en == "Missing column: number. Got: 工号, 姓名. Expected: number, name, and optionally email."
    assert "学号" in refused.value.zh
    assert "工号" in refused.value.zh


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "columns"),
        (b"number,name\n", "empty"),
        (b"PK\x03\x04" + bytes(100), "not-csv"),
        (b"\xff\xfe" + "number,name\n1,a\n".encode("utf-16-le"), "encoding"),
        (b"number,name\n" + b"x" * MAX_BYTES, "too-large"),
        (b"number,name\n" + b"".join(b"%d,a\n" % n for n in range(MAX_ROWS + 1)), "too-long"),
        (b'number,name\n1,"Li Lei\n2,Han\n', "quotes"),
    ],
)
def test_an_unreadable_file_is_one_clear_error(data: bytes, code: str) -> None:
    with pytest.raises(RosterError) as refused:
        parse_roster(data)
    assert refused.value.code == code


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(RosterError):
        parsed = parse_roster(b"number,name\n" + data)
        assert all(row.number and row.full_name for row in parsed.rows)
        assert all(row.reason_zh and row.reason_en for row in parsed.refused)
