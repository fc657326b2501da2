"""A learner's own lines of the compute ledger, read with their own token and kept in a file of the lab.

Read-only: the intake answers about nobody else, and nothing here can write a line.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labs.exchange.answers import IntakeError
from labs.exchange.client import TOKEN_VARIABLE, URL_VARIABLE, Intake

MAX_FILE_BYTES = 5_000_000


class _Row(BaseModel):
    # Extra members are let through: a newer platform may say more than an older lab understands.
    model_config = ConfigDict(frozen=True, extra="ignore")


class SessionLine(_Row):
    """One session: times in microseconds since the epoch (UTC), amounts in micro-yuan, zero until it has ended."""

    course: str
    lab: str
    profile: str
    state: str
    started_us: int | None
    ended_us: int | None
    seconds: int = Field(ge=0)
    charge_uy: int
    subsidised_uy: int
    allowance_uy: int
    estimated: bool


class AccountLine(_Row):
    """The allowance in one course, at list price."""

    course: str
    granted_uy: int
    spent_uy: int
    subsidised_uy: int
    left_uy: int


class OwnCompute(_Row):
    """Accounts and sessions, oldest first. ``origin``: the learner's own, or an example that came with the lab."""

    origin: Literal["platform", "example"] = "platform"
    accounts: tuple[AccountLine, ...]
    sessions: tuple[SessionLine, ...]


def own_compute(keep: str | Path = "ledger.json", *, example: str | Path = "example-ledger.json") -> OwnCompute:
    """Ask the platform for the learner's own lines and keep them in ``keep``; away from it, read the ``example``.

    Where there is no platform (a validation run, the grading box), what was kept before is read again, else the
    example; ``origin`` says which it was.

    Raises:
        IntakeError: the platform refused, or neither file can be read.
    """
    if os.environ.get(URL_VARIABLE) and os.environ.get(TOKEN_VARIABLE):
        with Intake.from_environment() as intake:
            found = intake.own_compute()
        Path(keep).write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return found
    if Path(keep).is_file():
        return read_compute(keep)
    return read_compute(example).model_copy(update={"origin": "example"})


def read_compute(path: str | Path) -> OwnCompute:
    """Read lines that were kept.

    Raises:
        IntakeError: the file is missing, too large, or holds something else.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise IntakeError(f"{file}：超过 {MAX_FILE_BYTES} 字节", f"{file}: more than {MAX_FILE_BYTES} bytes")
        return OwnCompute.model_validate_json(file.read_bytes())
    except OSError as error:
        raise IntakeError(f"读不到 {file}：{error.strerror}", f"cannot read {file}: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "JSON"
        raise IntakeError(
            f"{file}：不是算力账目（{where}：{problem['msg']}）；删掉它后重新运行单元格",
            f"{file}: no ledger lines ({where}: {problem['msg']}); delete it and run the cell again",
        ) from error
