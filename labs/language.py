"""Words for a person, in the person's language: every message of the toolkit exists in Chinese and in English.

::

    LabError
    ├── labs.script.ScriptError        a screenplay cannot be read
    ├── labs.shots.ShotError           a shot list or a timeline is wrong
    ├── labs.model.ModelError          a model folder is missing, incomplete or altered
    ├── labs.model.settings.TrainingError  a training cannot be begun or gone on with
    ├── labs.render.WishError          a prompt says two things of one kind, or a word previs does not draw
    ├── labs.takes.TakeError           a take cannot be made as asked
    ├── labs.measure.MeasureError      a film file cannot be measured
    ├── labs.edit.EditError            a cut, a sound or captions cannot be used
    ├── labs.budget.BudgetError        a plan does not fit its allowance
    ├── labs.exchange.answers.IntakeError  the intake refused or cannot be reached
    ├── labs.skill.SkillError          a skill folder is missing, altered or no skill
    └── labs.provenance.ProvenanceError  a provenance record is missing or does not hold
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from traceback import extract_tb
from typing import Literal

LOCALE_VARIABLE = "REELWRIGHT_LOCALE"

Locale = Literal["zh", "en"]


def locale() -> Locale:
    """The person's language: REELWRIGHT_LOCALE, else LC_ALL, else LANG; English unless one of them says Chinese."""
    for variable in (LOCALE_VARIABLE, "LC_ALL", "LANG"):
        if value := os.environ.get(variable):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


@dataclass(frozen=True, slots=True)
class Words:
    """The same sentence in both languages; ``str()`` gives the person's."""

    zh: str
    en: str

    def __str__(self) -> str:
        return self.zh if locale() == "zh" else self.en


class LabError(Exception):
    """Something a learner can put right; the message says what was got and what was expected."""

    def __init__(self, zh: str, en: str) -> None:
        self.words = Words(zh, en)
        super().__init__(str(self.words))

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence, then the lines of the learner's own cells that led to it.

        IPython asks for it by this name. The toolkit's insides are left out: nothing in them is for a learner to mend.
        """
        own = [step for step in extract_tb(self.__traceback__) if _is_cell(step.filename)]
        told = [f"\x1b[31m{type(self).__name__}\x1b[0m: {self.words}", ""]
        return told + [str(Words(f"第 {step.lineno} 行", f"line {step.lineno}")) + f":  {step.line}" for step in own]


def _is_cell(filename: str) -> bool:
    """Whether code stands in a notebook's cell: ipykernel and IPython name them so."""
    return "ipykernel_" in filename or filename.startswith("<ipython-input")
