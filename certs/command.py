"""``reelwright verify``: checks certificate files offline and says, step by step, what held and what did not."""

from __future__ import annotations

import json as json_format
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certs.credential.controller import Controller, controller_document, parse_controller
from certs.credential.document import DocumentRefusedError
from certs.credential.witness import MAX_LOG_BYTES
from certs.display import LEVEL_WORDS, duration, percent
from certs.files import MAX_FILE_BYTES, verify_file
from certs.verification import OUTCOME_WORDS, Outcome, Verdict, Verification
from certs.wording import microseconds, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from certs.certificate import IssuerProfile
    from certs.store import Store

ALL_VALID, SOME_INVALID, USAGE = 0, 1, 2
_MARKS = {Outcome.HELD: "+", Outcome.FAILED: "x", Outcome.UNCHECKED: "?"}


class _UsageError(Exception):
    """What the caller gave besides the files cannot be used."""


@dataclass(frozen=True)
class Known:
    """Public documents of our own issuer that the command line brings along; lists go by their address."""

    controllers: tuple[bytes, ...] = ()
    status_lists: tuple[tuple[str, bytes], ...] = ()
    logs: tuple[bytes, ...] = ()


def known_of(store: Store, profile: IssuerProfile) -> Known:
    """What the store of our own issuer publishes, so that our certificates verify with no option given."""
    lists = store.published_lists().items()
    return Known(
        controllers=(controller_document(profile.id, store.public_keys()),),
        status_lists=tuple((profile.status_address(number), document) for number, document in lists),
        logs=store.issue_logs(),
    )


def run_verify(
    files: Sequence[Path],
    controller: Sequence[Path],
    status: Sequence[str],
    trust: Sequence[str],
    at: str | None,
    json: bool,  # noqa: FBT001 - named as the option is
    known: Known = Known(),
    log: Sequence[Path] = (),
) -> int:
    """Verify ``files`` and print the answers; nothing is fetched.

    Args:
        files: JSON, PDF, PNG or SVG.
        controller: controller or DID documents to add to those known.
        status: ``ADDRESS=FILE`` for each signed status list.
        trust: issuer ids to accept; none accepts every issuer whose controller document is at hand.
        at: the moment to verify for, ISO 8601 with its zone; None for now.
        json: print one JSON object a line instead of words.
        known: what is at hand without being named.
        log: signed logs of what a given-up key had signed before.

    Returns:
        0 when all are valid, 1 when some are not, 2 when the call itself is wrong.
    """
    try:
        contents = _contents(files)
        controllers = [*map(parse_controller, known.controllers), *map(_controller, controller)]
        lists = {**dict(known.status_lists), **dict(map(_status, status))}
        logs = [*known.logs, *(_read(file, MAX_LOG_BYTES) for file in log)]
        at_us = time.time_ns() // 1_000 if at is None else _moment(at)
    except _UsageError as error:
        sys.stderr.write(f"reelwright verify: {error}\n")
        return USAGE
    worst = ALL_VALID
    for file, data in contents:
        answer = verify_file(
            data, controllers=controllers, status_lists=lists, trusted=frozenset(trust), at_us=at_us, logs=logs
        )
        sys.stdout.write(_as_json(file, answer) if json else _as_words(file, answer, _locale()))
        worst = max(worst, ALL_VALID if answer.verdict is Verdict.VALID else SOME_INVALID)
    return worst


def _contents(files: Sequence[Path]) -> list[tuple[Path, bytes]]:
    if not files:
        raise _UsageError("got no file, expected at least one")
    return [(file, _read(file)) for file in files]


def _read(file: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    try:
        with file.open("rb") as stream:
            # One byte more than is allowed: what reads it then says that it is too big.
            return stream.read(limit + 1)
    except OSError as error:
        raise _UsageError(f"{file}: {error.strerror}") from None


def _controller(file: Path) -> Controller:
    try:
        return parse_controller(_read(file))
    except DocumentRefusedError as error:
        raise _UsageError(f"--controller {file}: {error}") from None


def _status(option: str) -> tuple[str, bytes]:
    from pathlib import Path  # noqa: PLC0415 - elsewhere only a type

    address, equals, file = option.rpartition("=")
    if not equals or not address:
        raise _UsageError(f"--status: got {option!r}, expected ADDRESS=FILE")
    return address, _read(Path(file))


def _moment(at: str) -> int:
    try:
        return microseconds(at)
    except ValueError as error:
        raise _UsageError(f"--at: {error}") from None


def _as_json(file: Path, answer: Verification) -> str:
    return json_format.dumps({"file": str(file), **answer.as_dict()}, ensure_ascii=False) + "\n"


def _as_words(file: Path, answer: Verification, locale: str) -> str:
    lines = [f"{file}: {answer.words.in_locale(locale)}"]
    for step in answer.steps:
        outcome = OUTCOME_WORDS[step.outcome].in_locale(locale)
        lines.append(
            f"  {_MARKS[step.outcome]} {step.title.in_locale(locale)} [{outcome}] {step.words.in_locale(locale)}"
        )
        if step.detail:
            lines.append(f"      {step.detail}")
    return "\n".join([*lines, *_fact_lines(answer, locale), ""])


def _fact_lines(answer: Verification, locale: str) -> list[str]:
    """What the certificate says; only when its signature holds, for until then it is nobody's word."""
    facts, signature = answer.facts, answer.step("signature")
    if facts is None or signature is None or signature.outcome is not Outcome.HELD:
        return []
    zh = locale.startswith("zh")
    lines = [
        f"  {'持有人' if zh else 'Holder'}: {facts.holder_name or '-'}",
        f"  {'证书' if zh else 'Certificate'}: {facts.title.in_locale(locale)}",
        f"  {'颁发者' if zh else 'Issuer'}: {facts.issuer_name.in_locale(locale)}",
        f"  {'颁发时间' if zh else 'Issued'}: {timestamp(facts.valid_from_us)}",
        f"  {'编号' if zh else 'Id'}: {facts.id}",
    ]
    if facts.record is not None:
        record = facts.record
        lines += [
            f"  {'总成绩' if zh else 'Score'}: {percent(record.score_percent)}",
            *(
                [f"  {'级别' if zh else 'Level'}: {LEVEL_WORDS[record.level].in_locale(locale)}"]
                if record.level
                else []
            ),
            f"  {'实验时长' if zh else 'Lab time'}: {duration(record.lab_seconds).in_locale(locale)}",
            f"  {'GPU 时长' if zh else 'GPU time'}: {duration(record.gpu_seconds).in_locale(locale)}",
        ]
    lines += [
        f"  - {lab.title.in_locale(locale)}: {percent(lab.score_percent)} ({lab.submission_sha256})"
        for lab in facts.labs
    ]
    return lines


def _locale() -> str:
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "en")
    return "zh_CN" if named.startswith("zh") else "en"
