"""VALUE: a class-wide regrade as its page shows it, with the certificates that it leaves behind the scores.

A regrade never touches a certificate. What one says of a lab is held against the score that counts now; where they
differ the certificate is flagged, and a person decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certs.certificate import Claim, State
from hub.award import holder_ref
from hub.completion import evaluate, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from certs.certificate import Certificate
    from grader.store.versions import VersionNote
    from grader.submission import LabResult, RegradeChange, RegradeEffect, RegradeProgress
    from hub.course import Course, Lab
    from hub.portal.app import Portal

SCORE_PLACES = 1
"""A certificate says its scores in percent with this many decimals."""


@dataclass(frozen=True)
class Flagged:
    """A certificate that says another score for a lab than the one that counts now, both in percent.

    ``still_completed`` says whether the holder would be awarded one by today's scores.
    """

    certificate: Certificate
    learner: str
    said_percent: float
    now_percent: float
    still_completed: bool


@dataclass(frozen=True)
class RegradePage:
    """A lab's latest class-wide regrade; ``flagged`` and ``effects`` are None until every attempt is done."""

    course: Course
    lab: Lab
    versions: tuple[VersionNote, ...]
    current: str | None
    progress: RegradeProgress | None
    effects: tuple[RegradeEffect, ...] | None
    flagged: tuple[Flagged, ...] | None
    names: Mapping[str, str]

    @property
    def is_running(self) -> bool:
        """Whether attempts still wait for their new grade."""
        return self.progress is not None and self.progress.done < self.progress.total

    @property
    def changed(self) -> tuple[RegradeChange, ...]:
        """The attempts whose automatic points differ from before."""
        changes = self.progress.changes if self.progress else ()
        return tuple(change for change in changes if change.is_done and change.before != change.after)


def regrade_page(portal: Portal, course: Course, lab: Lab) -> RegradePage:
    """Everything the page of one lab's regrade shows."""
    store = portal.services.submissions
    progress = store.regrade_progress(course.id, lab.id)
    is_done = progress is not None and progress.done == progress.total
    effects = store.regrade_effects(course.id, lab.id) if is_done else None
    return RegradePage(
        course=course,
        lab=lab,
        versions=store.lab_versions(course.id, lab.id),
        current=store.current_lab_version(course.id, lab.id),
        progress=progress,
        effects=effects,
        flagged=None if effects is None else flagged(portal, course, lab, [one.learner for one in effects]),
        names=names_of(portal, course),
    )


def flagged(portal: Portal, course: Course, lab: Lab, learners: Sequence[str]) -> tuple[Flagged, ...]:
    """The valid certificates of ``learners`` that say another score for ``lab`` than the one that counts now."""
    return tuple(one for learner in learners for one in _flagged(portal, course, lab, learner))


def _flagged(portal: Portal, course: Course, lab: Lab, learner: str) -> Iterator[Flagged]:
    results = portal.services.submissions.results(course.id, learner)
    now = next((round(percent(result), SCORE_PLACES) for result in results if result.lab == lab.id), 0.0)
    for certificate in portal.services.certificates.for_holder(holder_ref(learner, course.id)):
        if certificate.state is not State.ISSUED or certificate.revoked_us or certificate.superseded_by:
            continue
        said = _said(portal, certificate.id, lab.id)
        if said is not None and said != now:
            yield Flagged(certificate, learner, said, now, _completed(portal, course, learner, results))


def _said(portal: Portal, certificate_id: str, lab_id: str) -> float | None:
    claim = portal.services.certificates.claim_of(certificate_id)
    labs = claim.labs if isinstance(claim, Claim) else ()
    return next((evidence.score_percent for evidence in labs if evidence.lab == lab_id), None)


def _completed(portal: Portal, course: Course, learner: str, results: Sequence[LabResult]) -> bool:
    return evaluate(course, results, portal.services.ledger.metered(learner, course.id)).completed


def names_of(portal: Portal, course: Course) -> dict[str, str]:
    """Full names by user name, of everyone with a seat in any class of the course."""
    people = portal.services.people
    members = [member for cohort in people.cohorts(course.id) for member in people.members(cohort.id)]
    return {member.learner: member.full_name for member in members if member.learner}
