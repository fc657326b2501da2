"""What a claim's entry in the chain says, and how it is read back. Pure; no I/O."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from hub.compute.claim.files import focus_csv, usage_csv
from hub.compute.claim.value import Claim, ClaimError, ClaimLine, ClaimRequest, ClaimSums, Note, sum_lines
from hub.compute.lease import DAY_US, MINUTE_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hub.compute.chain import Entry

_EPOCH = date(1970, 1, 1)
USAGE = "usage.csv"
FOCUS = "focus.csv"


def period_us(request: ClaimRequest, utc_offset_minutes: int) -> tuple[int, int]:
    """The moments at which the claim's first day begins and its last day ends."""
    begin, end = ((date.fromisoformat(day) - _EPOCH).days for day in (request.from_day, request.until_day))
    offset = utc_offset_minutes * MINUTE_US
    return begin * DAY_US - offset, end * DAY_US - offset


def refuse_open_period(request: ClaimRequest, end_us: int, now_us: int) -> None:
    """Refuse to claim days that are not over.

    Raises:
        ClaimError: see above.
    """
    if now_us < end_us:
        raise ClaimError(f"until_day: got {request.until_day}, which is still to come; expected days that are over")


def frozen_body(
    request: ClaimRequest,
    titles: dict[str, Any],
    corrections: tuple[Note, ...],
    utc_offset_minutes: int,
    lines: Callable[[], Iterable[ClaimLine]],
) -> dict[str, Any]:
    """All that the entry says; ``lines`` gives the claim's lines anew at each call, in their order.

    Raises:
        ClaimError: there is nothing to claim.
    """
    sums = sum_lines(lines(), corrections)
    if not sums.lines and not corrections:
        raise ClaimError(
            f"programme {request.programme!r} owes payer {request.payer!r} nothing from {request.from_day} until "
            f"{request.until_day} that is not claimed yet: expected at least one line"
        )
    period = period_us(request, utc_offset_minutes)
    return {
        "request": request.as_body(),
        "titles": titles,
        "sums": asdict(sums),
        "corrections": [note.as_body() for note in corrections],
        "utc_offset_minutes": utc_offset_minutes,
        "sha256": {
            USAGE: sha256(usage_csv(lines())),
            FOCUS: sha256(focus_csv(request, period, lines(), corrections)),
        },
    }


def read_claim(entry: Entry) -> Claim:
    """A frozen claim from its entry."""
    body = json.loads(entry.body)
    return Claim(
        seq=entry.seq,
        digest=entry.digest,
        frozen_us=entry.recorded_us,
        request=ClaimRequest.from_body(body["request"]),
        sums=ClaimSums(**body["sums"]),
        titles=body["titles"],
        corrections=tuple(Note.from_body(note) for note in body["corrections"]),
        utc_offset_minutes=body["utc_offset_minutes"],
        sha256=body["sha256"],
    )


def sha256(text: Iterable[str]) -> str:
    """SHA-256 of text in parts, as UTF-8, in hexadecimal."""
    running = hashlib.sha256()
    for part in text:
        running.update(part.encode())
    return running.hexdigest()
