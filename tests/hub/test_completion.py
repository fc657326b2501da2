"""The completion rule, condition by condition, as the learner's page and the award read it."""

from dataclasses import replace

import pytest

from grader.submission import LabResult
from hub.completion import Completion, evaluate
from hub.compute.lease import Metered
from hub.course import Course

COURSE = Course.model_validate(
    {
        "id": "c", "programme": "p", "version": "1", "title": {"zh": "课", "en": "Course"},
        "summary": {"zh": "课", "en": "Course"}, "skills": [], "allowance": {"yuan": "10"},
        "completion": {"min_score": 60, "min_lab_score": 50, "min_rubric": 60, "min_lab_minutes": 30},
        "labs": [
            {"id": lab, "title": {"zh": lab, "en": lab}, "summary": {"zh": "s", "en": "s"}, "minutes": 30,
             "weight": weight, "due_after_days": 7}
            for lab, weight in (("script", 1), ("take", 3))
        ],
    }
)  # fmt: skip
ENOUGH = Metered(lab_seconds=1800, gpu_seconds=0, subsidised_seconds=0, subsidised_gpu_seconds=0)


def result(lab: str, auto: float, hand: float | None = None) -> LabResult:
    return LabResult(
        learner="ann", course="c", lab=lab, submission_id="s", attempt=1, sha256="0" * 64, lab_version="1" * 64,
        rubric_version="", auto_score=auto, auto_max=10, hand_score=hand or 0, hand_max=0 if hand is None else 10,
        awaiting_hand=False, late_percent=0, graded_us=1, items=(),
    )  # fmt: skip


def failing(completion: Completion) -> set[str]:
    return {condition.kind for condition in completion.conditions if not condition.held}


def test_a_course_is_completed_when_everything_holds() -> None:
    reached = evaluate(COURSE, [result("script", 10, 10), result("take", 8)], ENOUGH)
    assert reached.completed
    assert reached.score_percent == pytest.approx((1 * 100 + 3 * 80) / 4)


def test_a_missing_lab_counts_as_nothing() -> None:
    reached = evaluate(COURSE, [result("take", 10)], ENOUGH)
    assert failing(reached) == {"labs", "lab_score"}
    assert reached.score_percent == pytest.approx(75)


def test_work_that_waits_for_a_reader_holds_the_certificate_back() -> None:
    waiting = replace(result("script", 10, 10), awaiting_hand=True)
    assert failing(evaluate(COURSE, [waiting, result("take", 10)], ENOUGH)) == {"hand"}


def test_hand_given_points_are_judged_by_themselves() -> None:
    assert failing(evaluate(COURSE, [result("script", 10, 5), result("take", 10)], ENOUGH)) == {"rubric"}


RUBRIC = COURSE.model_copy(
    update={"labs": (COURSE.labs[0].model_copy(update={"rubric": "rubrics/script.toml"}), *COURSE.labs[1:])}
)


def rubric(completion: Completion) -> tuple[bool, float]:
    return next((c.held, c.got) for c in completion.conditions if c.kind == "rubric")


def test_nothing_graded_by_hand_yet_is_not_all_of_it() -> None:
    assert rubric(evaluate(RUBRIC, [], ENOUGH)) == (False, 0.0)
    assert rubric(evaluate(RUBRIC, [result("take", 10)], ENOUGH)) == (False, 0.0)


def test_points_that_another_lab_may_take_away_are_not_reached_yet() -> None:
    both = RUBRIC.model_copy(
        update={"labs": tuple(lab.model_copy(update={"rubric": "rubrics/x.toml"}) for lab in COURSE.labs)}
    )
    assert rubric(evaluate(both, [result("script", 10, 9)], ENOUGH)) == (False, 90.0)
    assert rubric(evaluate(both, [result("script", 10, 9), result("take", 10, 5)], ENOUGH)) == (True, 70.0)


def test_where_no_cell_is_graded_by_hand_there_is_nothing_to_reach() -> None:
    assert rubric(evaluate(COURSE, [], ENOUGH)) == (True, 100.0)
    assert evaluate(RUBRIC, [result("script", 10), result("take", 10)], ENOUGH).completed


def test_a_course_that_asks_for_no_hand_given_points_waits_for_none() -> None:
    free = RUBRIC.model_copy(update={"completion": RUBRIC.completion.model_copy(update={"min_rubric": 0})})
    assert rubric(evaluate(free, [], ENOUGH)) == (True, 0.0)


def test_lateness_comes_off_the_score() -> None:
    late = replace(result("take", 10), late_percent=60)
    assert "lab_score" in failing(evaluate(COURSE, [result("script", 10, 10), late], ENOUGH))


def test_lab_time_is_the_metered_one() -> None:
    short = replace(ENOUGH, lab_seconds=1799)
    assert failing(evaluate(COURSE, [result("script", 10, 10), result("take", 10)], short)) == {"minutes"}


def test_a_lab_that_left_the_course_counts_for_nothing() -> None:
    assert failing(evaluate(COURSE, [result("gone", 10), result("take", 10)], ENOUGH)) == {"labs", "lab_score"}


def test_an_appeal_that_waits_holds_the_certificate_back() -> None:
    appealed = replace(result("script", 10, 10), open_appeals=1)
    assert failing(evaluate(COURSE, [appealed, result("take", 10)], ENOUGH)) == {"appeal"}
