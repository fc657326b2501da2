"""An operator keeps GPU seats for a class, sees who has what, and is told what is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from click.testing import CliRunner

from hub.compute.gpu.slice import GpuRequest, GpuSettings, Slice
from hub.compute.gpu.store import Pool
from hub.compute.gpu.tables import metadata
from hub.db import open_engine
from hub.gpu_commands import gpu_commands

if TYPE_CHECKING:
    from pathlib import Path

WINDOW = ["--from", "2030-01-01T09:00+0800", "--until", "2030-01-01T11:00+0800"]
UUIDS = [f"GPU-00000000-0000-0000-0000-00000000000{n}" for n in (1, 2)]


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    engine = open_engine(f"sqlite:///{tmp_path / 'test.db'}")
    metadata.create_all(engine)
    made = Pool(engine, GpuSettings())
    made.sync([Slice(uuid=each, kind="gpu", gpu_class="h100", memory_mb=80_000, parent="") for each in UUIDS], 1)
    return made


@pytest.fixture
def gpu(pool: Pool) -> Any:
    def call(*words: str) -> Any:
        return CliRunner().invoke(gpu_commands(lambda: pool), list(words))

    return call


def test_seats_are_kept_for_a_class_and_given_up(gpu: Any) -> None:
    kept = gpu("reserve", "h100", "c1", "--seats", "2", *WINDOW)
    assert kept.exit_code == 0, kept.output
    told = json.loads(gpu("list", "--json").output)
    assert [(each["cohort"], each["seats"], each["from"]) for each in told["reserved"]] == [
        ("c1", 2, "2030-01-01T01:00:00+00:00")
    ]
    assert gpu("unreserve", kept.output.strip()).exit_code == 0
    assert gpu("unreserve", kept.output.strip()).exit_code == 1


def test_more_than_there_is_cannot_be_reserved(gpu: Any) -> None:
    refused = gpu("reserve", "h100", "c1", "--seats", "3", *WINDOW)
    assert refused.exit_code == 2
    assert "got 3, expected at most 2" in refused.output


def test_a_window_that_ends_before_it_begins_is_refused(gpu: Any) -> None:
    refused = gpu("reserve", "h100", "c1", "--seats", "1", "--from", WINDOW[3], "--until", WINDOW[1])
    assert refused.exit_code == 2
    assert "from_us" in refused.output


def test_who_has_a_gpu_and_who_waits_is_listed(gpu: Any, pool: Pool) -> None:
    for number in (1, 2, 3):
        pool.ask(
            GpuRequest(
                lease=UUID(int=number), learner=f"learner{number}", site="main", cohort="c1", gpu_class="h100",
                longest_us=60_000_000, requested_us=number,
            ),
            10**18,
        )  # fmt: skip
    told = gpu("list").output
    assert "['learner1']" in told
    assert "waiting\th100\tlearner3\t0" in told
