"""Weighted kappa against a published worked example's arithmetic and against its definition by tables."""

import random

import pytest

from grader.agreement import agreement, overall, weighted_kappa
from grader.reading import Question, Reading, Sheet

HOOK = Question("essay", "hook", 4, 1)
END = Question("essay", "end", 2, 0)


def sheet(number: int, *marks: tuple[str, str, float]) -> Sheet:
    readings = tuple(Reading(criterion, "reading", reader, score, "") for criterion, reader, score in marks)
    return Sheet(f"p{number}", f"l{number}", f"s{number}", "essay", "", 6, readers=2, mark=None, readings=readings)


def by_tables(pairs: list[tuple[float, float]]) -> float:
    """Cohen's formula as it is printed: weights, observed and expected proportions in a table."""
    marks = sorted({mark for pair in pairs for mark in pair})
    count = len(pairs)
    observed = {(a, b): sum(pair == (a, b) for pair in pairs) / count for a in marks for b in marks}
    rows = {a: sum(observed[a, b] for b in marks) for a in marks}
    columns = {b: sum(observed[a, b] for a in marks) for b in marks}
    over = sum((a - b) ** 2 * observed[a, b] for a in marks for b in marks)
    under = sum((a - b) ** 2 * rows[a] * columns[b] for a in marks for b in marks)
    return 1 - over / under


def test_kappa_is_cohens() -> None:
    rng = random.Random(7)  # noqa: S311 -- made-up marks
    for _ in range(50):
        pairs = [(rng.choice((0, 1, 3, 4)), rng.choice((0, 1, 3, 4))) for _ in range(30)]
        assert weighted_kappa(pairs) == pytest.approx(by_tables(pairs))


def test_full_agreement_is_one_chance_is_none_and_contradiction_is_below() -> None:
    assert weighted_kappa([(0, 0), (4, 4), (2, 2)]) == 1
    assert weighted_kappa([(0, 4), (4, 0)]) == -1
    assert weighted_kappa([(0, 0), (0, 4), (4, 0), (4, 4)]) == 0


@pytest.mark.parametrize("pairs", [[], [(3, 3)], [(3, 3), (3, 3)]])
def test_kappa_is_left_open_where_it_is_not_defined(pairs: list[tuple[float, float]]) -> None:
    assert weighted_kappa(pairs) is None


def test_a_near_miss_weighs_less_than_a_far_one() -> None:
    near, far = [(0, 0), (4, 4), (2, 3), (1, 1)], [(0, 4), (4, 4), (2, 2), (1, 1)]
    assert weighted_kappa(near) > weighted_kappa(far)  # type: ignore[operator]


def test_agreement_counts_answers_that_two_have_read_by_the_readers_names() -> None:
    sheets = [
        sheet(1, ("hook", "zhao", 4), ("hook", "wang", 3)),
        sheet(2, ("hook", "wang", 0), ("hook", "zhao", 0)),
        sheet(3, ("hook", "wang", 0), ("hook", "zhao", 4)),
        sheet(4, ("hook", "wang", 1)),
    ]
    found = agreement(HOOK, sheets)
    assert (found.pairs, found.equal, found.near) == (3, 1, 2)
    assert found.kappa == pytest.approx(by_tables([(3, 4), (0, 0), (0, 4)]))


def test_a_lab_weighs_its_questions_alike() -> None:
    marks = [((0, 0), (0, 2)), ((4, 4), (2, 0)), ((0, 4), (0, 0)), ((4, 4), (2, 2))]
    sheets = [
        sheet(n, ("hook", "a", h[0]), ("hook", "b", h[1]), ("end", "a", e[0]), ("end", "b", e[1]))
        for n, (h, e) in enumerate(marks)
    ]
    whole = overall([HOOK, END], sheets)
    assert (whole.pairs, whole.equal, whole.near) == (8, 5, 5)
    assert overall([HOOK], sheets).kappa == pytest.approx(agreement(HOOK, sheets).kappa)
    assert whole.kappa is not None
    each = sorted(agreement(question, sheets).kappa for question in (HOOK, END))  # type: ignore[type-var]
    assert each[0] <= whole.kappa <= each[1]  # type: ignore[operator]
