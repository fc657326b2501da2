"""Why a lab ended by itself, in words for the person whose lab it was; a witness's own words go to the ledger."""

from __future__ import annotations

Words = tuple[str, str]
"""The same sentence in Chinese and in English."""

ENDINGS: dict[str, Words] = {
    "out of memory": (
        "实验环境用尽了内存，已被结束。请少加载一些数据、缩短影片或减少同时打开的笔记本，然后重新打开。",
        "The lab used up its memory and was ended. Load less at once, make a shorter film, or open fewer notebooks.",
    ),
    "exited": (
        "实验环境意外结束；这不是您的过错。",
        "The lab ended unexpectedly; this is not your fault.",
    ),
    "lost": (
        "运行实验环境的机器中断了；最后一次可确认运行之后的时间不计费。",
        "The machine that your lab ran on failed; no time after it was last seen running is charged.",
    ),
    "removed outside of Reelwright": (
        "实验环境被管理员移除；最后一次可确认运行之后的时间不计费。",
        "An administrator removed the lab; no time after it was last seen running is charged.",
    ),
}
"""By the reason that a witness gives; a reason that is not here needs no words, as somebody asked for the end."""


def words_for(reason: str) -> Words | None:
    """What to tell the learner; None when the lab was stopped on purpose."""
    return ENDINGS.get(reason)
