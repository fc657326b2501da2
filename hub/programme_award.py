"""Certificates over whole programmes: asked for when every course is certified, and again when one of them is.

A programme certificate holds the course certificates whole, so it counts as revoked as soon as one of them is replaced;
the next round asks for a new edition with those that are in force.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from certs.certificate import Claim, State
from certs.rules import ClaimRefused
from hub.award import holder_ref, learner_of
from hub.claiming import programme_claim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certs.certificate import Certificate, ProgrammeClaim
    from certs.store import Store
    from hub.course import Course
    from hub.platform import Platform
    from hub.programme import Programme

log = logging.getLogger(__name__)


def award_programmes(platform: Platform) -> int:
    """Request a programme certificate for everyone who holds all its courses' and no current one; how many."""
    return sum(
        _award(platform.certificates, programme, courses)
        for programme in platform.programmes
        if (courses := programme.courses(platform.courses))
    )


def _award(store: Store, programme: Programme, courses: tuple[Course, ...]) -> int:
    held = [_in_force(store, course.id) for course in courses]
    there = {learner_of(one): one for one in store.for_course(programme.id)}  # the oldest first: the newest stays
    awarded = 0
    for learner in set.intersection(*(set(one) for one in held)):
        members = [one[learner] for one in held]
        if _is_current(there.get(learner), members):
            continue
        claim = _claim(store, programme, courses, members)
        try:
            awarded += claim is not None and _ask(store, there.get(learner), claim)
        except ClaimRefused as refused:
            log.error("%s of %s: no certificate: %s", learner, programme.id, "; ".join(refused.reasons))  # noqa: TRY400
    return awarded


def _in_force(store: Store, course: str) -> Mapping[str, Certificate]:
    """By learner, the certificate of a course that counts: issued, neither revoked nor replaced."""
    return {
        learner_of(one): one
        for one in store.for_course(course)
        if one.state is State.ISSUED and one.revoked_us is None and one.superseded_us is None
    }


def _is_current(programme: Certificate | None, members: list[Certificate]) -> bool:
    """Whether nothing was issued since the programme certificate was asked for; a revoked one stays revoked."""
    if programme is None:
        return False
    if programme.state is State.PENDING or programme.revoked_us is not None:
        return True
    return programme.requested_us >= max(one.issued_us or 0 for one in members)


def _claim(
    store: Store, programme: Programme, courses: tuple[Course, ...], members: list[Certificate]
) -> ProgrammeClaim | None:
    """The claim over ``members``; None while they name the holder differently or one of them has expired."""
    claims = [(one.id, found) for one in members if isinstance(found := store.claim_of(one.id), Claim)]
    now_us = time.time_ns() // 1000
    names = {found.holder_name for _, found in claims}
    if len(names) != 1 or any(one.valid_until_us is not None and one.valid_until_us <= now_us for _, one in claims):
        return None
    return programme_claim(programme, courses, claims, reference=holder_ref(learner_of(members[0]), programme.id))


def _ask(store: Store, there: Certificate | None, claim: ProgrammeClaim) -> bool:
    if there is None:
        store.request(claim)
    elif there.state is State.REFUSED:
        store.ask_again(there.id, claim)
    else:
        store.reissue(there.id, claim)
    return True
