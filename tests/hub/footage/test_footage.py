"""Film seconds come from files that the grader made, and what a second cost counts every lab second that was paid."""

import io
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import av
import numpy as np
import pytest

import hub.compute.tables
import hub.footage.tables
from hub.compute.lease import HOUR_US, LeaseRequest
from hub.compute.ledger import Ledger
from hub.compute.policy import load_policy
from hub.compute.rollup import Place
from hub.config import POLICY
from hub.db import open_engine
from hub.footage.cost import Film, FilmCosts
from hub.footage.film import film_us
from hub.footage.store import Footage


def mp4(frames: int, fps: int = 24) -> bytes:
    """A real film, as the labs' toolkit writes it."""
    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(frames):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return made.getvalue()


def test_a_film_is_as_long_as_its_frames() -> None:
    assert film_us(mp4(48)) == pytest.approx(2_000_000, abs=50_000)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a film at all",
        struct.pack(">I4s", 0xFFFFFFFF, b"moov"),
        struct.pack(">I4s", 4, b"moov") * 9,
        struct.pack(">I4sI4s", 16, b"moov", 8, b"mvhd"),
        struct.pack(">I4sQ", 1, b"moov", 2**63),
        struct.pack(">I4s", 116, b"moov")
        + struct.pack(">I4s", 108, b"mvhd")
        + struct.pack(">12xII", 0, 99)
        + b"\0" * 80,
        struct.pack(">I4s", 116, b"moov")
        + struct.pack(">I4s", 108, b"mvhd")
        + struct.pack(">12xII", 1, 9999)
        + b"\0" * 80,
    ],
)
def test_what_is_no_film_or_says_more_than_an_hour_counts_nothing(content: bytes) -> None:
    assert film_us(content) == 0


def graded(world: Any, seconds: dict[str, float]) -> Any:
    """A grader's store in which these learners handed in films of so many seconds."""
    results = {
        name: SimpleNamespace(
            course="micro-drama", lab="first-take", learner=name, submission_id=name, graded_us=world.NOON_US
        )
        for name in seconds
    }
    films = {name: mp4(round(length * 24)) for name, length in seconds.items()}
    return SimpleNamespace(
        class_results=lambda course: tuple(results.values()) if course == "micro-drama" else (),
        verdict=lambda name: SimpleNamespace(
            files=(
                SimpleNamespace(path="take.mp4", content=films[name]),
                SimpleNamespace(path="notes.txt", content=b"x" * 99),
            )
        ),
    )


@pytest.fixture
def cost(tmp_path: Any) -> Iterator[Any]:
    """Six learners at one site and two at another, an hour each at half a yuan."""

    engine = open_engine(f"sqlite:///{tmp_path / 'film.db'}")
    for module in (hub.compute.tables, hub.footage.tables):
        module.metadata.create_all(engine)
    noon = 1_795_320_000_000_000
    ledger = Ledger(engine, load_policy(POLICY / "tariffs.toml", POLICY / "subsidies.toml"))
    for number in range(8):
        name = f"learner{number}"
        ledger.grant(name, "micro-drama", 10**8, "enrolled", 1)
        asked = LeaseRequest(
            id=uuid4(), learner=name, course="micro-drama", lab="first-take", cohort="",
            site="main" if number < 6 else "far",
            profile="cpu", longest_us=HOUR_US, requested_us=noon,
        )  # fmt: skip
        ledger.open(asked)
        ledger.record_started(asked.id, noon, "engine")
        ledger.record_ended(asked.id, noon + HOUR_US, "engine", "stopped")
    yield SimpleNamespace(footage=Footage(engine, ledger), NOON_US=noon)
    engine.dispose()


def test_a_second_costs_all_that_its_labs_cost_and_few_film_makers_are_not_told(cost: Any) -> None:
    handed_in = graded(cost, {f"learner{number}": 2.0 for number in range(7)})
    assert cost.footage.measure(handed_in, ["micro-drama", "other"]) == 7
    assert cost.footage.measure(handed_in, ["micro-drama", "other"]) == 0
    rates = cost.footage.costs("2026-11-01", "2026-12-01").rate(())
    assert rates[()] == pytest.approx(8 * 0.5 / 14, rel=0.03)
    by_site = cost.footage.costs("2026-11-01", "2026-12-01").rate(("site",))
    assert by_site == {}  # the main site's figure and the whole would tell of the one film maker at the other
    assert cost.footage.costs("2026-12-01", "2027-01-01").rate(()) == {}


def test_films_of_a_year_give_no_small_month_away() -> None:
    def film(month: str, site: str, number: int) -> Film:
        return Film(month, Place("micro-drama", "first-take", "", site, "cpu"), f"{site}{number}", 1_000_000)

    november = [film("2026-11", site, number) for site in ("main", "far") for number in range(5)]
    spent = {one.place: 5_000_000 for one in november}
    assert FilmCosts(tuple(november), spent).rate(("site",)) == {("main",): 1.0, ("far",): 1.0}
    alone = (*november, film("2026-12", "main", 0))
    assert FilmCosts(alone, spent).rate(("site",)) == {("far",): 1.0}
    assert FilmCosts(alone, spent).rate(()) == {}
