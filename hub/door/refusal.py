"""A lab start that must not happen, said so that a page can show why, what is left and what to do, in each language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyterhub.spawner import SpawnException

if TYPE_CHECKING:
    from hub.i18n import Locale

Words = tuple[str, str]
"""The same sentence in Chinese and in English."""


class StartRefused(SpawnException):
    """A start refused for a reason the person can understand; raise it from anywhere inside a spawner's ``start``."""

    def __init__(
        self,
        why: Words,
        *,
        label: str,
        balance: Words | None = None,
        remedy: Words | None = None,
        link: str = "",
        status_code: int = 403,
    ) -> None:
        """``label`` is the short word for metrics; ``link`` is where the remedy is found."""
        super().__init__(f"{why[0]} · {why[1]}", reason=label, status_code=status_code)
        self.why, self.balance, self.remedy, self.link = why, balance, remedy, link


def refusal_of(exception: Any, locale: Locale) -> dict[str, str] | None:
    """Return ``why``, ``balance``, ``remedy`` and ``link`` (empty where there is none) for a page in ``locale``."""
    side = 0 if locale == "zh_CN" else 1
    if isinstance(exception, StartRefused):
        parts = {"why": exception.why, "balance": exception.balance, "remedy": exception.remedy}
        return {name: words[side] if words else "" for name, words in parts.items()} | {"link": exception.link}
    if isinstance(exception, SpawnException):
        return {"why": str(exception.message), "balance": "", "remedy": "", "link": ""}
    return None
