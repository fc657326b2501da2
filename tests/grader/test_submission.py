from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from grader.receipt import is_ours, sign
from grader.submission import (
    DAY_US,
    MINUTE_US,
    LabResult,
    LabRules,
    Receipt,
    Window,
    counted,
    late_penalty,
    lateness,
    to_hand_grade,
)


def result(attempt: int, auto: float, hand: float = 0.0, late: float = 0.0) -> LabResult:
    return LabResult(
        "ada", "film", "l", f"id{attempt}", attempt, "", "v", "r", auto, 10.0, hand, 5.0, awaiting_hand=False,
        late_percent=late, graded_us=0, items=(),
    )  # fmt: skip


def test_window_out_of_order_is_refused() -> None:
    with pytest.raises(ValueError, match="not in that order"):
        Window(5, 4, 6)


@pytest.mark.parametrize(
    ("late_us", "percent"),
    [(0, 0), (10 * MINUTE_US, 0), (10 * MINUTE_US + 1, 10), (DAY_US, 10), (DAY_US + 1, 20), (20 * DAY_US, 100)],
)
def test_every_started_day_costs_once_the_grace_is_used_up(rules: LabRules, late_us: int, percent: float) -> None:
    assert late_penalty(rules, late_us) == percent


def test_lateness_is_what_passed_since_the_due_date() -> None:
    assert (lateness(Window(0, 10, 20), 9), lateness(Window(0, 10, 20), 15)) == (0, 5)


def test_best_attempt_counts_after_the_late_deduction(rules: LabRules) -> None:
    attempts = [result(1, 8), result(2, 10, late=30), result(3, 8)]
    best = counted(attempts, rules)
    assert best is not None
    assert best.attempt == 3
    last = counted([*attempts, result(4, 1)], replace(rules, counts="last"))
    assert last is not None
    assert last.attempt == 4
    assert counted([], rules) is None


def test_person_looks_at_what_would_count_by_its_tests_alone(rules: LabRules) -> None:
    chosen = to_hand_grade([result(1, 8, hand=5), result(2, 9)], "best")
    assert chosen is not None
    assert chosen.attempt == 2


def test_receipt_stands_only_for_its_own_words() -> None:
    key = Ed25519PrivateKey.generate()
    receipt = Receipt("i", "小明", "film", "l", 1, "ab", 3, 4, 5, 0, "v")
    signature = sign(receipt, key)
    assert is_ours(receipt, signature, key.public_key())
    assert not is_ours(replace(receipt, attempt=2), signature, key.public_key())
    assert not is_ours(receipt, "no base64!", key.public_key())
    assert not is_ours(receipt, signature, Ed25519PrivateKey.generate().public_key())
