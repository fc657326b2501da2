"""VALUE: a course's labs as its instructors see them, with those that they make, composed for the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.authoring.draft import RUBRIC, STEPS

if TYPE_CHECKING:
    from hub.authoring.draft import Draft, Outcome, Standing
    from hub.course import Course, Lab
    from hub.people.person import Cohort
    from hub.portal.app import Portal


@dataclass(frozen=True)
class LabRow:
    """One lab of a course; ``draft`` is None for a lab that the site ships."""

    lab: Lab
    draft: Draft | None
    standing: Standing
    version: str
    """The version that learners fetch; empty when they get none."""
    released_us: int | None


@dataclass(frozen=True)
class Due:
    """When a class must hand the lab in, with the days that its entry says now."""

    cohort: Cohort
    due_us: int
    is_past: bool


@dataclass(frozen=True)
class DraftPage:
    """Everything the page of one authored lab shows."""

    course: Course
    row: LabRow
    draft: Draft
    outcome: Outcome | None
    is_current: bool
    """Whether the outcome speaks of what the lab holds now."""
    files: tuple[str, ...]
    dues: tuple[Due, ...]
    instructors: tuple[str, ...]

    @property
    def is_working(self) -> bool:
        """Whether a check or release waits or runs."""
        return self.outcome is not None and not self.outcome.is_over

    @property
    def may_release(self) -> bool:
        """Whether the gate let pass what the lab holds now, and learners do not have it yet."""
        passed = self.outcome is not None and self.outcome.state == "passed" and self.is_current
        return passed and self.row.standing != "released"

    @property
    def steps(self) -> int:
        """How many steps a check has."""
        return STEPS

    @property
    def has_rubric(self) -> bool:
        """Whether it brings a rubric."""
        return RUBRIC in self.files


def lab_rows(portal: Portal, course: Course) -> tuple[LabRow, ...]:
    """The course's labs: those shipped, then those made here."""
    drafts = {draft.lab.id: draft for draft in portal.bench.shelf.drafts(course.id)}
    shipped = [lab for lab in course.labs if lab.id not in drafts]
    return (
        *(_row(portal, course, lab, None) for lab in shipped),
        *(_row(portal, course, draft.lab, draft) for draft in drafts.values()),
    )


def draft_page(portal: Portal, course: Course, lab_id: str) -> DraftPage:
    """One authored lab.

    Raises:
        UnknownDraft: there is none of that id.
    """
    shelf, people = portal.bench.shelf, portal.services.people
    draft = shelf.draft(course.id, lab_id)
    outcome = portal.bench.outcome(course.id, lab_id)
    return DraftPage(
        course=course,
        row=_row(portal, course, draft.lab, draft),
        draft=draft,
        outcome=outcome,
        is_current=outcome is not None and outcome.content == shelf.content(course.id, lab_id),
        files=tuple(sorted(shelf.files(course.id, lab_id))),
        dues=tuple(_due(portal, cohort, draft.lab) for cohort in people.cohorts(course.id)),
        instructors=people.instructors(course.id),
    )


def _row(portal: Portal, course: Course, lab: Lab, draft: Draft | None) -> LabRow:
    store = portal.services.submissions
    version = store.current_lab_version(course.id, lab.id) or ""
    note = next((one for one in store.lab_versions(course.id, lab.id) if one.version == version), None)
    if draft is None:
        return LabRow(lab, None, "released" if version else "draft", version, note.released_us if note else None)
    standing = draft.standing(portal.bench.shelf.revision(course.id, lab.id))
    shown = standing != "draft"
    return LabRow(lab, draft, standing, version if shown else "", note.released_us if note and shown else None)


def _due(portal: Portal, cohort: Cohort, lab: Lab) -> Due:
    due_us = portal.services.people.due_us(cohort, lab.due_after_days)
    return Due(cohort, due_us, due_us < portal.clock())
