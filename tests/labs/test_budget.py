from __future__ import annotations

import pytest

from labs.budget import BudgetError, Rate, TakePlan, measured_rate, require_allowance

SLOW = Rate(work_a_second=1_000_000.0, micro_yuan_an_hour=3_600_000)
"""A thousand micro-yuan a second."""


def test_cost_follows_the_work() -> None:
    plan = TakePlan(takes=1, frames=17, steps=8)
    assert SLOW.seconds(plan) == pytest.approx(1.9584)
    assert SLOW.micro_yuan(plan) == 1959
    assert measured_rate(plan, 1.9584, 3_600_000).work_a_second == pytest.approx(1_000_000)
    assert require_allowance(plan, SLOW, 1959) == 1959


def test_too_many_frames_for_the_allowance_says_how_many_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    with pytest.raises(BudgetError, match="use at most 17 frames a take"):
        require_allowance(TakePlan(1, 121, 8), SLOW, 2000)
    with pytest.raises(BudgetError, match="make fewer takes or steps"):
        require_allowance(TakePlan(100, 17, 8), SLOW, 100)
    with pytest.raises(BudgetError, match="expected 1, 2, 3"):
        TakePlan(0, 17, 8)
    with pytest.raises(BudgetError, match="more than 0"):
        measured_rate(TakePlan(1, 9, 4), 0, 1)
