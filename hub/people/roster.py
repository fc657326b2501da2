"""Parses a roster file as bases send it: CSV from Excel or WPS, Chinese or English headers, UTF-8 or GB18030.

A file that cannot be read at all is one clear error; a row that cannot be read is refused by itself, and the others
stand. No SQL and no files here: bytes in, values out.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.people.person import MAX_FULL_NAME, MAX_NUMBER, RosterError, RowResult, number_key, text_problem, tidy

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1024 * 1024
MAX_ROWS = 5000
MAX_EMAIL = 254
_EMAIL = re.compile(r"^[^@\s<>\"',;]+@[^@\s<>\"',;]+\.[^@\s<>\"',;.]+$")

HEADERS = {
    "number": "number",
    "id": "number",
    "学号": "number",
    "编号": "number",
    "name": "name",
    "姓名": "name",
    "email": "email",
    "e-mail": "email",
    "邮箱": "email",
    "电子邮箱": "email",
}
"""Column titles taken, folded and in lower case, and the column each one is."""


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One readable row; ``line`` counts from 1, the header included."""

    line: int
    number: str
    full_name: str
    email: str | None


@dataclass(frozen=True, slots=True)
class ParsedRoster:
    """The readable rows and the refused ones, each in the file's order."""

    rows: tuple[RosterRow, ...]
    refused: tuple[RowResult, ...]


def parse_roster(data: bytes) -> ParsedRoster:
    """Parse a roster file.

    Raises:
        RosterError: the file is too large, in another encoding, empty, or lacks a column.
    """
    text = _decode(data)
    delimiter = _delimiter(text)
    lines = _records(text, delimiter)
    _, header = next(lines, (1, []))
    columns = _columns(header)
    rows: list[RosterRow] = []
    refused: list[RowResult] = []
    seen: dict[str, int] = {}
    for line, cells in lines:
        row = _row(line, cells, columns)
        if reason := _problem(row, cells, header) or _duplicate(row, seen):
            refused.append(RowResult(line, row.number[:MAX_NUMBER], row.full_name[:MAX_FULL_NAME], "refused", *reason))
        else:
            rows.append(row)
        if len(rows) + len(refused) > MAX_ROWS:
            raise RosterError(
                "too-long",
                f"名册超过 {MAX_ROWS} 行；请分成几个文件。",
                f"The roster has more than {MAX_ROWS} rows; split it.",
            )
    if not rows and not refused:
        raise RosterError("empty", "名册只有表头，没有人。", "The roster has a header and nobody below it.")
    return ParsedRoster(tuple(rows), tuple(refused))


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        size = len(data) // 1024
        raise RosterError(
            "too-large",
            f"文件有 {size} KiB，最多 {MAX_BYTES // 1024} KiB。",
            f"The file has {size} KiB; at most {MAX_BYTES // 1024} KiB are taken.",
        )
    if data.startswith(b"PK\x03\x04"):
        raise RosterError(
            "not-csv",
            "这是 Excel 工作簿，不是 CSV。请在表格软件里“另存为 CSV”。",
            "This is an Excel workbook, not CSV. Use “Save as CSV” in your spreadsheet program.",
        )
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise RosterError(
        "encoding",
        "文件既不是 UTF-8 也不是 GB18030 编码。请另存为 UTF-8 的 CSV。",
        "The file is neither UTF-8 nor GB18030. Save it as CSV in UTF-8.",
    )


def _delimiter(text: str) -> str:
    """Take the separator seen most in the header: spreadsheets write commas, semicolons or tabs by locale."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise RosterError(
            "quotes",
            f"从第 {line} 行起读不懂：引号没有配对（{error}）。",
            f"Cannot be read from line {line} on: quotation marks do not pair up ({error}).",
        ) from error


def _columns(header: list[str]) -> dict[str, int]:
    got = [tidy(cell) for cell in header]
    columns: dict[str, int] = {}
    for index, title in enumerate(got):
        if (column := HEADERS.get(title.lower())) and column not in columns:
            columns[column] = index
    if missing := [column for column in ("number", "name") if column not in columns]:
        seen = ", ".join(title[:40] for title in got[:12] if title) or "-"
        words = {"number": "学号 (number)", "name": "姓名 (name)"}
        raise RosterError(
            "columns",
            f"缺少列：{'、'.join(words[m] for m in missing)}。文件里的列是：{seen}。需要：学号、姓名，邮箱可有可无。",
            f"Missing column: {', '.join(missing)}. Got: {seen}. Expected: number, name, and optionally email.",
        )
    return columns


def _row(line: int, cells: list[str], columns: dict[str, int]) -> RosterRow:
    def cell(column: str) -> str:
        index = columns.get(column)
        return tidy(cells[index]) if index is not None and index < len(cells) else ""

    return RosterRow(line, cell("number"), cell("name"), cell("email") or None)


def _problem(row: RosterRow, cells: list[str], header: list[str]) -> tuple[str, str] | None:
    if any(extra.strip() for extra in cells[len(header) :]):
        zh = f"这一行有 {len(cells)} 列，表头只有 {len(header)} 列；内容里的逗号要加引号"
        return zh, f"has {len(cells)} cells under {len(header)} columns; put quotation marks around text with commas"
    if problem := text_problem(row.number, MAX_NUMBER):
        return f"学号{problem[0]}", f"the number {problem[1]}"
    if problem := text_problem(row.full_name, MAX_FULL_NAME):
        return f"姓名{problem[0]}", f"the name {problem[1]}"
    if row.email is None:
        return None
    if len(row.email) > MAX_EMAIL or text_problem(row.email, MAX_EMAIL) or not _EMAIL.match(row.email):
        return "邮箱写法不对", "the e-mail address is not written like one"
    return None


def _duplicate(row: RosterRow, seen: dict[str, int]) -> tuple[str, str] | None:
    """Refuse a number or an e-mail that an earlier row of this file has; two people may share a name."""
    keys = ["number:" + number_key(row.number), *(["email:" + row.email.casefold()] if row.email else [])]
    for key in keys:
        if key in seen:
            is_number = key.startswith("number:")
            zh = f"与第 {seen[key]} 行的{'学号' if is_number else '邮箱'}相同"
            return zh, f"has the same {'number' if is_number else 'e-mail address'} as line {seen[key]}"
    seen.update(dict.fromkeys(keys, row.line))
    return None
