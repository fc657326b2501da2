"""VALUE: what Slurm's accounting says of jobs that are sessions, read from the text of ``sacct``. Pure; no I/O.

A job says whose it is by its name or comment: ``reelwright-`` and the lease's id. What stands there was written by
whoever sent the job, so the free texts come last in a row, and a lease that several jobs name is nobody's.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from hub.compute.lease import MAX_TIME_US, SECOND_US, refuse_bad_int

SOURCE = "slurm"
HEADER = "JobIDRaw|Start|End|State|JobName|Comment"
ASK = f"SLURM_TIME_FORMAT=%s sacct --allusers --parsable2 --format={HEADER.replace('|', ',')}"
"""How a file is made: seconds since the epoch, because sacct's own times say no zone."""
MOST_ROWS = 1_000_000

_NAMED = re.compile(r"(?:^|\|)reelwright-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=\||$)")
_NEVER = ("Unknown", "None", "")


@dataclass(frozen=True, slots=True)
class Job:
    """A job that names a lease; a time is None where Slurm knows none: it has not begun, or has not ended."""

    job: str
    lease: UUID
    state: str
    started_us: int | None
    ended_us: int | None


@dataclass(frozen=True, slots=True)
class Jobs:
    """A file: jobs by lease, leases that several jobs name, rows that make no sense, and how many rows are others'."""

    told: tuple[Job, ...]
    disputed: tuple[UUID, ...]
    refused: tuple[str, ...]
    others: int


def read_jobs(text: str) -> Jobs:
    """Read what ``sacct`` printed; a row that makes no sense is refused with its reason, and the others are read.

    Raises:
        ValueError: it is not what :data:`ASK` prints; the message says what was got and what was expected.
    """
    header, *rows = text.split("\n")
    if header != HEADER:
        raise ValueError(f"line 1: got {header[:80]!r}, expected {HEADER!r}; make the file with: {ASK}")
    if len(rows) > MOST_ROWS:
        raise ValueError(f"got {len(rows)} rows, expected at most {MOST_ROWS}; ask for fewer days (--starttime)")
    mine, refused, others = list[Job](), list[str](), 0
    for line, row in enumerate(rows, start=2):
        try:
            job = _job(row) if row else None
        except ValueError as error:
            refused.append(f"line {line}: {error}")
            continue
        others += bool(row) and job is None
        mine += [job] if job else []
    named = Counter(job.lease for job in mine)
    disputed = tuple(sorted(lease for lease, count in named.items() if count > 1))
    return Jobs(tuple(job for job in mine if named[job.lease] == 1), disputed, tuple(refused), others)


def _job(row: str) -> Job | None:
    """A row as a job that is a session; None of a step, or of a job that names no lease."""
    fields = row.split("|", 4)
    if len(fields) != 5:  # noqa: PLR2004 -- name and comment stay together: either may have the delimiter in it
        raise ValueError(f"got {row[:80]!r}, expected {HEADER!r}")
    job, start, end, state, free = fields
    named = set(_NAMED.findall(free))
    if "." in job or not named:
        return None
    if len(named) > 1:
        raise ValueError(f"job {job[:20]!r} names {len(named)} leases, expected one")
    started_us, ended_us = _microseconds("Start", start), _microseconds("End", end)
    if started_us is not None and ended_us is not None and ended_us < started_us:
        raise ValueError(f"got an end ({end}) before the start ({start})")
    return Job(job[:40], UUID(named.pop()), state[:40], started_us, ended_us)


def _microseconds(what: str, text: str) -> int | None:
    if text in _NEVER:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12):  # noqa: PLR2004 -- the year 2200 has ten digits
        raise ValueError(f"{what}: got {text[:40]!r}, expected seconds since the epoch; make the file with: {ASK}")
    seconds = int(text)
    refuse_bad_int(what, seconds, most=MAX_TIME_US // SECOND_US)
    return seconds * SECOND_US
