"""VALUE: how far two blind readers agree: the share of equal marks, and Cohen's weighted kappa. No I/O.

Weighted kappa (J. Cohen, Psychological Bulletin 70, 1968, pp. 213-220) with quadratic weights on the points themselves
is 1 - observed / expected: ``observed`` is the mean squared difference of the pairs, ``expected`` that of every first
mark with every second one, which is the same marks dealt out by chance. 1 is full agreement, 0 what chance gives, below
0 worse. Where three or more people share the reading, a pair's first mark is that of the reader whose user name sorts
first, so that with two readers these are Cohen's two raters exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from grader.reading import differs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from grader.reading import Question, Sheet

    Pairs = Sequence[tuple[float, float]]

READERS = 2


@dataclass(frozen=True)
class Agreement:
    """Of ``pairs`` answers read twice, ``equal`` got the same mark and ``near`` marks within the gap.

    ``kappa`` is None where it is not defined: without two pairs, or with every mark the same.
    """

    pairs: int
    equal: int
    near: int
    kappa: float | None


def agreement(question: Question, sheets: Iterable[Sheet]) -> Agreement:
    """How far the first two readers agreed on one question."""
    pairs = pairs_of(question, sheets)
    near = sum(not differs(pair, question.gap) for pair in pairs)
    return Agreement(len(pairs), sum(a == b for a, b in pairs), near, weighted_kappa(pairs))


def overall(questions: Iterable[Question], sheets: Sequence[Sheet]) -> Agreement:
    """The agreement of a lab: its questions' observed and expected differences, as shares of their points, summed.

    So a question of ten points weighs no more than one of two, and chance is taken question by question.
    """
    parts = [(question, pairs_of(question, sheets)) for question in questions]
    each = [agreement(question, sheets) for question, _ in parts]
    observed = sum(len(pairs) * _observed(pairs) / question.most**2 for question, pairs in parts if pairs)
    expected = sum(len(pairs) * _expected(pairs) / question.most**2 for question, pairs in parts if pairs)
    count = sum(one.pairs for one in each)
    kappa = 1 - observed / expected if count >= READERS and expected else None
    return Agreement(count, sum(one.equal for one in each), sum(one.near for one in each), kappa)


def pairs_of(question: Question, sheets: Iterable[Sheet]) -> tuple[tuple[float, float], ...]:
    """The two blind marks of each answer that has two, by the readers' names."""
    read = (sorted(sheet.of(question)[:READERS], key=lambda one: one.reader) for sheet in sheets)
    return tuple((pair[0].score, pair[1].score) for pair in read if len(pair) == READERS)


def weighted_kappa(pairs: Pairs) -> float | None:
    """Cohen's weighted kappa of marks by two raters, quadratic weights; None where it is not defined."""
    if len(pairs) < READERS or not (expected := _expected(pairs)):
        return None
    return 1 - _observed(pairs) / expected


def _observed(pairs: Pairs) -> float:
    return sum((a - b) ** 2 for a, b in pairs) / len(pairs)


def _expected(pairs: Pairs) -> float:
    firsts, seconds = [a for a, _ in pairs], [b for _, b in pairs]
    return sum((a - b) ** 2 for a, b in product(firsts, seconds)) / len(pairs) ** 2
