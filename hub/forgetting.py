"""What is kept about a person's name and certificates, handed over or forgotten; the ledger is never touched.

The ledger's lines are chained and stay for the funder under the user name, which from then on belongs to nobody.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hub.award import holder_ref

if TYPE_CHECKING:
    from hub.platform import Platform


def export_person(platform: Platform, learner: str) -> dict[str, Any]:
    """Everything kept under the user name ``learner`` by roster and certificates, as plain data.

    Raises:
        KeyError: nobody is called so.
    """
    person = platform.people.person(learner)
    if person is None:
        raise KeyError(learner)
    request = platform.people.name_request(learner)
    return {
        "person": {**asdict(person), "roles": sorted(person.roles)},
        "seats": [
            asdict(member)
            for cohort in platform.people.cohorts_of(learner)
            for member in platform.people.members(cohort.id)
            if member.learner == learner
        ],
        "name_request": None if request is None else asdict(request),
        "certificates": [
            one
            for reference in _references(platform, learner)
            for one in platform.certificates.export_holder(reference)["certificates"]
        ],
    }


def erase_person(platform: Platform, learner: str) -> int:
    """Forget ``learner``'s name, seats, roles and certificates; how many certificates it was.

    Raises:
        KeyError: nobody is called so.
    """
    # The person first: from then on nothing is awarded to them again.
    if not platform.people.forget(learner):
        raise KeyError(learner)
    return sum(platform.certificates.erase_holder(ref) for ref in _references(platform, learner))


def _references(platform: Platform, learner: str) -> list[str]:
    """What the learner's certificates are kept under; of courses that the site no longer has too."""
    return [holder_ref(learner, course) for course in platform.certificates.courses()]
