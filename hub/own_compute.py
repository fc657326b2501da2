"""What the intake tells a learner's notebook about the learner's own compute: plain rows, nobody else's."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.compute.lease import Session
    from hub.platform import Platform


def compute_of(platform: Platform, learner: str) -> dict[str, Any]:
    """The learner's accounts by course and sessions, oldest first; times in microseconds, amounts in micro-yuan."""
    courses = sorted(platform.people.courses_of(learner))
    sessions = [_row(one) for course in courses for one in platform.ledger.sessions(learner, course)]
    return {
        "accounts": [_account(platform, learner, course) for course in courses],
        "sessions": sorted(sessions, key=lambda row: row["started_us"] or row["requested_us"]),
    }


def _account(platform: Platform, learner: str, course: str) -> dict[str, Any]:
    account = platform.ledger.account(learner, course)
    return {"course": course, **asdict(account), "left_uy": account.left_uy}


def _row(session: Session) -> dict[str, Any]:
    lease = session.lease
    return {
        "course": lease.course,
        "lab": lease.lab,
        "profile": lease.profile,
        "state": str(lease.state),
        "requested_us": lease.requested_us,
        "started_us": lease.started_us,
        "ended_us": lease.ended_us,
        "seconds": session.seconds,
        "charge_uy": session.charge_uy,
        "subsidised_uy": session.subsidised_uy,
        "allowance_uy": session.allowance_uy,
        "estimated": session.estimated,
    }
