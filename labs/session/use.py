"""VALUE: when a lab was last used: a cell that runs, output that came, a terminal, a key or the mouse. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class LastUse:
    """The last moment at which somebody, or something they started, was at work here."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def saw(self, at: datetime) -> None:
        """Note a use."""
        self.at = max(self.at, at)

    def saw_kernels(self, kernels: Iterable[dict[str, Any]], now: datetime) -> None:
        """Note what kernels do; one that is at work counts as used now, however silent it is."""
        for kernel in kernels:
            self.saw(now if kernel["execution_state"] in ("busy", "starting") else _moment(kernel["last_activity"]))

    def saw_terminals(self, terminals: Iterable[dict[str, Any]]) -> None:
        """Note when terminals last printed or were typed into."""
        for terminal in terminals:
            self.saw(_moment(terminal["last_activity"]))

    def seconds_ago(self, now: datetime) -> int:
        """Whole seconds since the last use."""
        return max(0, int((now - self.at).total_seconds()))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
