"""VALUE: a class on one page, composed from roster, ledger and grades for its instructors."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.award import holder_ref, newest, obstacles
from hub.completion import evaluate
from hub.portal.standing import standing_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grader.submission import Attempt, LabResult
    from hub.compute.lease import Account, Metered
    from hub.course import Course, Lab
    from hub.people.person import Cohort, Member
    from hub.portal.app import Portal
    from hub.portal.standing import Standing

    Attempts = defaultdict[tuple[str, str], tuple[Attempt, ...]]
    """By learner and lab."""


@dataclass(frozen=True)
class Cell:
    """One learner's lab: the counted result, or how far they are without one."""

    lab: Lab
    standing: Standing
    result: LabResult | None


@dataclass(frozen=True)
class Row:
    """One roster seat; without a sign-up it has neither cells nor compute."""

    member: Member
    cells: tuple[Cell, ...] = ()
    metered: Metered | None = None
    account: Account | None = None
    score_percent: float = 0.0
    completed: bool = False
    refused_reason: str = ""
    """Why the issuer refused the certificate, in its own (English) words; empty when it did not."""
    open_appeals: int = 0
    """How many appeals hold a certificate back."""


@dataclass(frozen=True)
class ClassBook:
    """A cohort with every learner's standing; ``waiting`` maps a lab to how many await hand grading."""

    cohort: Cohort
    course: Course
    rows: tuple[Row, ...]

    @property
    def signed_up(self) -> tuple[Row, ...]:
        """The seats that somebody took."""
        return tuple(row for row in self.rows if row.member.learner)

    @property
    def completed(self) -> int:
        """How many have completed the course."""
        return sum(row.completed for row in self.rows)

    @property
    def refused(self) -> int:
        """How many completed the course and had their certificate refused."""
        return sum(bool(row.refused_reason) for row in self.rows)

    @property
    def waiting(self) -> dict[str, int]:
        """How many results await hand grading, by lab; labs without any are left out."""
        counts: dict[str, int] = defaultdict(int)
        for row in self.rows:
            for cell in row.cells:
                counts[cell.lab.id] += cell.standing == "needs_review"
        return {lab: count for lab, count in counts.items() if count}

    @property
    def lab_seconds(self) -> int:
        """Metered lab time of the class."""
        return sum(row.metered.lab_seconds for row in self.rows if row.metered)

    @property
    def spent_uy(self) -> int:
        """What the class used, at list price."""
        return sum(row.account.spent_uy for row in self.rows if row.account)

    @property
    def subsidised_uy(self) -> int:
        """The part of it that programmes paid."""
        return sum(row.account.subsidised_uy for row in self.rows if row.account)


def class_book(portal: Portal, cohort: Cohort, course: Course) -> ClassBook:
    """Everything an instructor sees of one cohort."""
    graded: dict[str, dict[str, LabResult]] = defaultdict(dict)
    for result in portal.services.submissions.class_results(course.id):
        graded[result.learner][result.lab] = result
    attempts: Attempts = defaultdict(tuple)
    for attempt in portal.services.submissions.class_attempts(course.id):
        attempts[attempt.submission.learner, attempt.submission.lab] += (attempt,)
    members = portal.services.people.members(cohort.id)
    return ClassBook(cohort, course, tuple(_row(portal, course, member, graded, attempts) for member in members))


def _row(
    portal: Portal, course: Course, member: Member, graded: Mapping[str, dict[str, LabResult]], attempts: Attempts
) -> Row:
    learner = member.learner
    if learner is None:
        return Row(member)
    results = graded.get(learner, {})
    metered = portal.services.ledger.metered(learner, course.id)
    reached = evaluate(course, tuple(results.values()), metered)
    return Row(
        member=member,
        cells=tuple(_cell(lab, results.get(lab.id), attempts[learner, lab.id]) for lab in course.labs),
        metered=metered,
        account=portal.services.ledger.account(learner, course.id),
        score_percent=reached.score_percent,
        completed=reached.completed,
        refused_reason=_refusal(portal, course, learner) if reached.completed else "",
        open_appeals=sum(result.open_appeals for result in results.values()),
    )


def _refusal(portal: Portal, course: Course, learner: str) -> str:
    """Why the newest certificate of somebody who completed the course was refused, or cannot be asked for at all."""
    there = newest(portal.services.certificates.for_holder(holder_ref(learner, course.id)))
    if there is None:
        return "; ".join(obstacles(portal.services, course, learner, portal.config.models_dir))
    return there.refused_reason or ""


def _cell(lab: Lab, result: LabResult | None, attempts: tuple[Attempt, ...]) -> Cell:
    if result is not None:
        return Cell(lab, "needs_review" if result.awaiting_hand else "graded", result)
    return Cell(lab, standing_of(attempts, None, begun=False), None)
