"""VALUE: the answer of a verification, step by step: held, failed, or could not be checked; each in both languages."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from certs.certificate import Text

if TYPE_CHECKING:
    from certs.credential.facts import Facts


class Outcome(StrEnum):
    """What came of one step. "Could not check" is not "false"."""

    HELD = "held"
    FAILED = "failed"
    UNCHECKED = "unchecked"


class Verdict(StrEnum):
    """The answer in one word."""

    VALID = "valid"
    INVALID = "invalid"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    PAUSED = "paused"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    UNKNOWN = "unknown"


VERDICT_WORDS = {
    Verdict.VALID: Text(zh="有效", en="Valid"),
    Verdict.INVALID: Text(zh="无效", en="Not valid"),
    Verdict.REVOKED: Text(zh="已撤销", en="Revoked"),
    Verdict.SUPERSEDED: Text(zh="已被新证书取代", en="Superseded"),
    Verdict.PAUSED: Text(zh="持有人已暂停展示", en="Paused by the holder"),
    Verdict.EXPIRED: Text(zh="已过期", en="Expired"),
    Verdict.NOT_YET_VALID: Text(zh="尚未生效", en="Not valid yet"),
    Verdict.UNKNOWN: Text(zh="未能核实", en="Could not be verified"),
}
OUTCOME_WORDS = {
    Outcome.HELD: Text(zh="通过", en="Held"),
    Outcome.FAILED: Text(zh="未通过", en="Failed"),
    Outcome.UNCHECKED: Text(zh="未核查", en="Not checked"),
}
STEP_WORDS = {
    "file": Text(zh="文件", en="File"),
    "form": Text(zh="文档形式", en="Document form"),
    "content": Text(zh="内容", en="Content"),
    "issuer": Text(zh="颁发者", en="Issuer"),
    "signature": Text(zh="签名", en="Signature"),
    "members": Text(zh="所含课程证书", en="Course certificates in it"),
    "member_status": Text(zh="所含课程证书", en="Course certificates in it"),
    "dates": Text(zh="日期", en="Dates"),
    "status": Text(zh="当前状态", en="Status"),
    "record": Text(zh="颁发记录", en="Issue record"),
    "page": Text(zh="版面", en="Printed page"),
}


@dataclass(frozen=True)
class Step:
    """One step of a verification. ``detail`` is the technical reason, in English, where there is one."""

    name: str
    outcome: Outcome
    words: Text
    detail: str = ""

    @property
    def title(self) -> Text:
        """What the step is called."""
        return STEP_WORDS[self.name]


@dataclass(frozen=True)
class Verification:
    """All steps, the facts if they could be read, and the verdict that follows from the steps."""

    steps: tuple[Step, ...]
    facts: Facts | None
    verdict: Verdict

    @classmethod
    def paused(cls) -> Verification:
        """What is said of a certificate whose holder shows nothing of it: no step and no fact."""
        return cls((), None, Verdict.PAUSED)

    @property
    def words(self) -> Text:
        """The verdict in one phrase."""
        return VERDICT_WORDS[self.verdict]

    def step(self, name: str) -> Step | None:
        """The step called ``name``, if it was reached."""
        return next((step for step in self.steps if step.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON output."""
        return {
            "verdict": self.verdict.value,
            "words": asdict(self.words),
            "steps": [
                {"name": step.name, "outcome": step.outcome.value, **asdict(step.words), "detail": step.detail}
                for step in self.steps
            ],
            "facts": None if self.facts is None else asdict(self.facts),
        }
