"""What a person does after the grader: marks in nbgrader's gradebook, feedback released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grader.gradebook import open_gradebook
from grader.jobs import sync_hand_marks
from hub.compute.lease import HOUR_US
from hub.demo.cast import GOOD_MARKS, POOR_MARK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from random import Random

    from hub.course import Course
    from hub.demo.cast import HandMarkPlan, Story, Trainee
    from hub.demo.clock import PastClock
    from hub.demo.grading import Room

MARKED: frozenset[Story] = frozenset({"finished", "improved", "struggling", "early"})
"""Stories whose hand-written answers a person has marked; the others still wait."""
RELEASED = MARKED - {"early"}
"""Stories whose marks the trainee has been shown."""
MARKED_AFTER_US = 20 * HOUR_US


def mark(room: Room, course: Course, trainees: Collection[Trainee], clock: PastClock, rng: Random) -> int:
    """Give marks and comments in the gradebook and have the grader take them over; how many were given."""
    marks = {
        trainee.name: POOR_MARK if trainee.story == "struggling" else rng.choice(GOOD_MARKS)
        for trainee in trainees
        if trainee.story in MARKED
    }
    waiting = [one for one in room.store.class_results(course.id) if one.awaiting_hand and one.learner in marks]
    with room.gradebooks.alone(course.id), open_gradebook(room.folder(course.id), course.id) as gradebook:
        given = sum(_mark(gradebook.find_submission(one.lab, one.learner), marks[one.learner]) for one in waiting)
        gradebook.db.commit()
    if waiting:
        with clock.at(min(clock(), max(one.graded_us for one in waiting) + MARKED_AFTER_US)):
            sync_hand_marks(room.store, room.gradebooks, course.id)
    return given


def _mark(submitted: Any, plan: HandMarkPlan) -> int:
    """Mark what waits in nbgrader's row of one submission, as formgrader would; in half points."""
    waiting = [grade for notebook in submitted.notebooks for grade in notebook.grades if grade.needs_manual_grade]
    marked = {grade.cell.name for grade in waiting}
    for grade in waiting:
        grade.manual_score = round(2 * plan.share * grade.max_score) / 2
        grade.needs_manual_grade = False
    for comment in (one for notebook in submitted.notebooks for one in notebook.comments):
        if comment.cell.name in marked:
            comment.manual_comment = plan.comment
    return len(waiting)


def release_feedback(
    room: Room, course: Course, trainees: Iterable[Trainee], released_by: str, clock: PastClock
) -> int:
    """Let those whose story says so see their marks; how many results that are."""
    released = 0
    chosen = {trainee.name for trainee in trainees if trainee.story in RELEASED}
    for result in room.store.class_results(course.id):
        if result.learner in chosen and not result.awaiting_hand:
            with clock.at(min(clock(), result.graded_us + MARKED_AFTER_US)):
                released += room.store.release_feedback(course.id, result.lab, result.learner, released_by=released_by)
    return released
