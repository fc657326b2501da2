"""Slurm as the second witness: what a real sacct printed, with the jobs that people send who mean no good."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result

from hub.compute.lease import SECOND_US
from hub.compute.sacct import ASK, HEADER, read_jobs
from hub.ledger_commands import ledger_commands

AGREES, LATE, BY_COMMENT = (UUID(int=number + (4 << 76)) for number in (1, 2, 3))
STRANGER, TWICE, RUNS, LOST = (UUID(int=number + (4 << 76)) for number in (4, 5, 6, 7))
START = 1795390052
SLURM_22_05 = f"""{HEADER}
1|{START}|1795390056|COMPLETED|reelwright-{AGREES}|
1.batch|{START}|1795390056|COMPLETED|batch|
2|{START}|1795390061|COMPLETED|reelwright-{LATE}|
3|{START}|1795390066|CANCELLED by 1000|lab|reelwright-{BY_COMMENT}
4|{START}|1795390071|COMPLETED|reelwright-{STRANGER}|
5|{START}|1795390076|COMPLETED|reelwright-{TWICE}|
6|1795390076|1795390080|COMPLETED|x|reelwright-{TWICE}|
7|1795390081|1795390085|COMPLETED|somebody|else's
work|1|2|
8|{START}|Unknown|RUNNING|reelwright-{RUNS}|
9|None|1795390085|CANCELLED|reelwright-{LOST}|
10|1795390081|1795390085|COMPLETED|not-reelwright-{AGREES}|
"""
"""As sacct printed them, with other ids: job 6 is called "x|reelwright-...", job 7 has a new line in its name."""


def compared(bench: Any, folder: Path, text: str) -> Result:
    file = folder / "sacct.txt"
    file.write_text(text, encoding="utf-8")
    return CliRunner().invoke(ledger_commands(lambda: bench.ledger), ["witness", str(file)])


def ran(bench: Any, lease: UUID, seconds: int) -> None:
    """A session of the ledger's that began a third of a second after Slurm's second."""
    begun = START * SECOND_US + 300_000
    bench.ledger.open(bench.request(id=lease, requested_us=begun))
    bench.ledger.record_started(lease, begun, "engine")
    bench.ledger.record_ended(lease, begun + seconds * SECOND_US, "engine", "stopped")


def test_what_slurm_saw_is_compared_and_every_difference_is_a_line(bench: Any, tmp_path: Path) -> None:
    bench.grant(100)
    for lease, seconds in ((AGREES, 4), (LATE, 99), (BY_COMMENT, 14), (TWICE, 24), (LOST, 9)):
        ran(bench, lease, seconds)
    bench.ledger.open(bench.request(id=RUNS))
    spent = bench.ledger.account("li", "micro-drama").spent_uy
    done = compared(bench, tmp_path, SLURM_22_05)
    assert (done.exit_code, done.output.splitlines()) == (
        1,
        [
            f"line 10: got 'work|1|2|', expected '{HEADER}'",
            f"lease {TWICE}: several jobs name it, expected one",
            f"lease {LATE} (job 2): it ran at other times than the ledger says (start -0.3 s, end -90.3 s)",
            f"lease {STRANGER} (job 4): the ledger never opened this lease",
            f"lease {LOST} (job 9): Slurm says CANCELLED, the ledger says ended",
            "6 sessions compared, 3 agree to the second; 3 other rows",
        ],
    )
    assert {each.observation.lease for each in bench.ledger.differences()} == {LATE, STRANGER}
    assert bench.ledger.account("li", "micro-drama").spent_uy == spent
    assert compared(bench, tmp_path, SLURM_22_05).output == done.output, "the same file again says the same"
    assert bench.ledger.verify().held


def test_a_file_in_which_all_agree_exits_0(bench: Any, tmp_path: Path) -> None:
    bench.grant(100)
    ran(bench, AGREES, 4)
    done = compared(bench, tmp_path, "\n".join(SLURM_22_05.split("\n")[:3]))
    assert (done.exit_code, done.output) == (0, "1 sessions compared, 1 agree to the second; 1 other rows\n")


@pytest.mark.parametrize(
    "text", ["", "JobID|JobName\n1|x", "\x00" * 100, "<html>"], ids=["empty", "other columns", "bytes", "a page"]
)
def test_what_sacct_did_not_print_is_refused_with_the_command_to_use(bench: Any, tmp_path: Path, text: str) -> None:
    done = compared(bench, tmp_path, text)
    assert (done.exit_code, ASK in done.output) == (1, True)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1|2026-11-22T23:27:32|2|X|{name}|", "expected seconds since the epoch"),
        ("1|-5|2|X|{name}|", "got '-5'"),
        ("1|nan|2|X|{name}|", "got 'nan'"),
        ("1|９|2|X|{name}|", "got '９'"),
        ("1|99999999999|2|X|{name}|", "expected a whole number"),
        ("1|9|2|X|{name}|", "got an end (2) before the start (9)"),
        ("1|1|2|X|{name}|{other}", "names 2 leases, expected one"),
        ("1|2", "expected 'JobIDRaw"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused_and_the_next_is_read(row: str, said: str) -> None:
    name, other, good = (f"reelwright-{uuid4()}" for _ in range(3))
    found = read_jobs(f"{HEADER}\n{row.format(name=name, other=other)}\n2|1|2|COMPLETED|{good}|")
    (refused,) = found.refused
    assert said in refused
    assert refused.startswith("line 2: ")
    assert [job.job for job in found.told] == ["2"]
