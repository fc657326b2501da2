"""Compares the ledger with what happened: the killer's notes, the witness's records, and the labs' own diaries."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from hub.compute.observation import AGREE_US
from hub.spawner.engine import engine_of
from hub.spawner.witness import HEARTBEAT_US
from tests.kills.world import LEARNERS, YUAN_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.platform import Platform

Span = tuple[int, int]
UY_PER_US = YUAN_PER_HOUR * 10**6 // (3600 * 10**6)
SAID = "SELECT subject, kind, count(*) AS n FROM hub_event WHERE kind LIKE 'lease.%' GROUP BY subject, kind"


@dataclass
class Verdict:
    """What was found; the first four must be zero."""

    lost: int = 0
    billed_twice: int = 0
    wrong: int = 0
    chain_broken: int = 0
    sessions: int = 0
    flagged: int = 0
    flagged_worst_us: int = 0
    never_ran: int = 0
    quarantined: int = 0
    unseen_worst_us: int = 0
    entries: int = 0

    @property
    def holds(self) -> bool:
        return not (self.lost or self.billed_twice or self.wrong or self.chain_broken)


def judge(platform: Platform, diaries: Mapping[str, Span], killed: Mapping[str, int]) -> Verdict:
    """Everything that was found.

    ``diaries`` are the first and last moments that labs wrote down, by lease; ``killed`` says when the witness of a
    lease was killed, microseconds UTC.
    """
    ledger, told = platform.ledger, Verdict()
    sessions = {str(one.lease.id): one for who in LEARNERS for one in ledger.sessions(who, "small")}
    reported = {str(each.observation.lease) for each in ledger.differences()}
    with platform.engine.begin() as connection:
        said = {(row.subject, row.kind): row.n for row in connection.execute(text(SAID))}
    told.billed_twice += sum(count > 1 for count in said.values())
    told.lost += len(ledger.open_leases())
    for name in {folder.name for folder in platform.leases.iterdir()} | set(diaries):
        witness, ran = engine_of(platform).witness(UUID(name)), diaries.get(name)
        session = sessions.get(name)
        if session is None or session.lease.state != "ended":
            _unbilled(told, name, ran, reported, has_started=witness.started_us() is not None)
            continue
        told.sessions += 1
        _billed(told, session, ran, killed.get(name), witness)
    charged = sum(session.charge_uy for session in sessions.values())
    told.billed_twice += charged != sum(ledger.account(who, "small").spent_uy for who in LEARNERS)
    found = ledger.verify()
    told.chain_broken, told.entries = int(not found.held), found.entries
    return told


def _unbilled(told: Verdict, name: str, ran: Span | None, reported: set[str], *, has_started: bool) -> None:
    """A session that is not charged: it never ran, is reported, or ended before anybody could see that it began."""
    if name in reported:
        told.quarantined += 1
    elif has_started:
        told.lost += 1
    elif ran is None:
        told.never_ran += 1
    else:
        told.unseen_worst_us = max(told.unseen_worst_us, ran[1] - ran[0])
        told.lost += ran[1] - ran[0] > HEARTBEAT_US


def _billed(told: Verdict, session: Any, ran: Span | None, killed_us: int | None, witness: Any) -> None:
    """One session: as its witness said, to a microsecond; and as its diary says, within what the witness stated."""
    begun, ended = session.lease.started_us, session.lease.ended_us
    told.wrong += session.charge_uy != (ended - begun) * UY_PER_US
    if session.estimated:
        last = killed_us or (ran[1] if ran else ended)
        told.flagged += 1
        told.flagged_worst_us = max(told.flagged_worst_us, abs(ended - last))
        told.wrong += abs(ended - last) > HEARTBEAT_US
        return
    seen = witness.ending()
    if seen is None:
        told.wrong += 1
        return
    told.wrong += (begun, ended) != (witness.started_us(), seen.at_us)
    if ran:
        # A lab that is frozen while the machine is busy writes nothing for a while, but it still runs.
        told.wrong += begun > ran[0] + AGREE_US or ran[1] > ended + seen.uncertainty_us or ended > ran[1] + HEARTBEAT_US


def as_json(told: Verdict, **more: Any) -> str:
    return json.dumps({**more, **asdict(told)})
