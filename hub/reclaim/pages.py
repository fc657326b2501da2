"""The lab's side of reclaiming over HTTP: a lab tells how it is used, and hears its end and its cost so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request

from grader.refusal import Refused
from hub.compute.alerts import alert
from hub.compute.lease import MICRO, MINUTE_US, NoPriceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.compute.lease import Lease
    from hub.compute.ledger import Ledger
    from hub.reclaim.sessions import Sessions

MOST_SECONDS = 31 * 86_400
HOUR_MINUTES = 60


def session_pages(sessions: Sessions, ledger: Ledger, learner: Callable[[str], str]) -> Blueprint:
    """The route on which a lab tells of itself; ``learner`` gives the person of an Authorization header or refuses."""
    pages = Blueprint("session", __name__)

    @pages.post("/api/session")
    def session() -> Response:
        who = learner(request.headers.get("Authorization", ""))
        unused_seconds = _unused_seconds()
        lease = sessions.running(who)
        if lease is None:
            raise Refused(404, "no_session", zh="没有正在运行的实验。", en="No lab of yours is running.")
        expected = sessions.told(lease, unused_seconds * MICRO)
        now = sessions.clock()
        account = ledger.account(who, lease.course)
        return jsonify(
            course=lease.course,
            lab=lease.lab,
            now_us=now,
            started_us=lease.started_us,
            ends_us=expected.ends_us,
            why=expected.why,
            is_noticed=expected.notice is not None,
            cost_uy=_cost_uy(ledger, lease, now),
            left_uy=account.left_uy,
            alert=alert(account, ledger.accrued(who, lease.course, now)),
            hour_uy=_price_uy(ledger, lease, HOUR_MINUTES, now),
            held_uy=_price_uy(ledger, lease, _minutes_left(lease, now), now),
        )

    return pages


def _unused_seconds() -> int:
    told = request.get_json(silent=True)
    seconds = told.get("unused_seconds") if isinstance(told, dict) else None
    if type(seconds) is not int or not 0 <= seconds <= MOST_SECONDS:
        raise Refused(
            400, "bad_session", zh="无法读懂实验环境的状态。", en="What the lab told of itself cannot be read.",
            got=repr(seconds)[:80], expected=f'{{"unused_seconds": 0 to {MOST_SECONDS}}}',
        )  # fmt: skip
    return seconds


def _cost_uy(ledger: Ledger, lease: Lease, now_us: int) -> int | None:
    """The list price of the session so far; None where no tariff prices it any more."""
    started_us = lease.started_us or now_us
    minutes = max(0, min(now_us - started_us, lease.longest_us)) // MINUTE_US
    return _price_uy(ledger, lease, minutes, started_us)


def _minutes_left(lease: Lease, now_us: int) -> int:
    """Whole minutes that the session may still last: their price is held of the allowance."""
    return max(0, (lease.started_us or now_us) + lease.longest_us - now_us) // MINUTE_US


def _price_uy(ledger: Ledger, lease: Lease, minutes: int, from_us: int) -> int | None:
    try:
        return ledger.quote(lease.learner, lease.course, lease.profile, minutes, from_us, site=lease.site).total_uy
    except NoPriceError:
        return None
