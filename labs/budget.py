"""VALUE: what takes cost before they are made, in amounts of micro-yuan and whole seconds; no I/O.

A plan's time is its takes' pictures times steps times the area, by a rate that was measured on the machine: doubling
any of them doubles the work. (Attention makes large pictures dearer than that; measure again before you scale far.)
"""

from __future__ import annotations

from dataclasses import dataclass

from labs.language import LabError

MICRO = 1_000_000
HOUR = 3600


class BudgetError(LabError):
    """A plan does not fit its allowance, or a number in it cannot be."""


@dataclass(frozen=True, slots=True)
class TakePlan:
    """How many takes of which size: ``frames`` pictures of ``width`` x ``height`` pixels at ``steps`` steps each."""

    takes: int
    frames: int
    steps: int
    width: int = 90
    height: int = 160

    def __post_init__(self) -> None:
        """Refuse a plan of nothing."""
        for name in ("takes", "frames", "steps", "width", "height"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise BudgetError(f"{name}：得到 {value!r}，应为正整数", f"{name}: got {value!r}, expected 1, 2, 3 …")

    @property
    def work(self) -> int:
        """Pixels to be denoised, once a step, over all takes."""
        return self.takes * self.frames * self.steps * self.width * self.height


@dataclass(frozen=True, slots=True)
class Rate:
    """What one machine does: ``work_a_second`` as measured, ``micro_yuan_an_hour`` as the tariff says."""

    work_a_second: float
    micro_yuan_an_hour: int

    def seconds(self, plan: TakePlan) -> float:
        """How long ``plan`` takes to generate."""
        return plan.work / self.work_a_second

    def micro_yuan(self, plan: TakePlan) -> int:
        """What that costs, rounded up."""
        return -int(-self.seconds(plan) * self.micro_yuan_an_hour // HOUR)


def measured_rate(plan: TakePlan, seconds: float, micro_yuan_an_hour: int) -> Rate:
    """The rate of a machine that did ``plan`` in ``seconds``.

    Raises:
        BudgetError: the time is not positive.
    """
    if seconds <= 0:
        raise BudgetError(f"用时：得到 {seconds} 秒，应大于 0", f"seconds: got {seconds}, expected more than 0")
    return Rate(plan.work / seconds, micro_yuan_an_hour)


def require_allowance(plan: TakePlan, rate: Rate, left_micro_yuan: int, *, frame_step: int = 8) -> int:
    """What ``plan`` costs in micro-yuan, once it is sure to fit what is left.

    Raises:
        BudgetError: it does not fit; the message says how many frames a take would.
    """
    cost = rate.micro_yuan(plan)
    if cost <= left_micro_yuan:
        return cost
    fits = int(plan.frames * left_micro_yuan / cost)
    usable = (fits - 1) // frame_step * frame_step + 1 if fits >= 1 else 0
    zh = f"每条最多 {usable} 帧" if usable else "即使每条 1 帧也不够，请减少条数或步数"
    en = (
        f"use at most {usable} frames a take" if usable else "not even one frame a take fits: make fewer takes or steps"
    )
    raise BudgetError(
        f"{plan.takes} 条 × {plan.frames} 帧约需 {cost / MICRO:.4f} 元，余额 {left_micro_yuan / MICRO:.4f} 元；{zh}",
        f"{plan.takes} takes of {plan.frames} frames cost about {cost / MICRO:.4f} yuan, "
        f"{left_micro_yuan / MICRO:.4f} is left; {en}",
    )
