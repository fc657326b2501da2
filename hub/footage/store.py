"""SQL of film seconds, and what one cost: list price of the labs that make film, over the seconds that came out."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from hub.compute.suppress import hidden_cells
from hub.db import reading
from hub.footage.film import film_us
from hub.footage.tables import footage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Engine

    from grader.store import Store
    from grader.submission import LabResult
    from hub.compute.ledger import Ledger
    from hub.compute.suppress import Cell

FILMS = (".mp4", ".m4v", ".mov")


class Footage:
    """The one door to film seconds; ``ledger`` knows what the labs cost."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        self._engine, self._ledger = engine, ledger

    def measure(self, submissions: Store, courses: Iterable[str]) -> int:
        """Measure what was graded since it was last done; returns how many attempts."""
        known, done = self._known(), 0
        for course in courses:
            for result in submissions.class_results(course):
                if known.get((result.course, result.lab, result.learner)) != (result.submission_id, result.graded_us):
                    verdict = submissions.verdict(result.submission_id)
                    files = verdict.files if verdict else ()
                    films = (file for file in files if file.path.lower().endswith(FILMS))
                    self._keep(result, sum(film_us(file.content) for file in films))
                    done += 1
        return done

    def rate(
        self, dimensions: tuple[str, ...], from_day: str, until_day: str, *, besides: Collection[Cell] = ()
    ) -> dict[Cell, float]:
        """Yuan for a second of film by the values of dimensions.

        What is about fewer than five film makers is left out, and so are those ``besides``, with what would tell of
        them beside the whole. A learner's film counts where most of their time in its lab was charged.
        """
        begin_us, end_us = self._ledger.moments(from_day, until_day)
        films = self._films(begin_us, end_us)
        labs = {(course, lab) for course, lab, _ in films}
        cost: dict[tuple[str, ...], int] = defaultdict(int)
        homes: dict[tuple[str, str, str], tuple[int, tuple[str, ...]]] = {}
        for course, lab, learner, value, total_uy in self._ledger.spent_by_lab(dimensions, from_day, until_day):
            if (course, lab) in labs:
                cost[value] += total_uy
                homes[course, lab, learner] = max(homes.get((course, lab, learner), (0, value)), (total_uy, value))
        seconds: dict[tuple[str, ...], int] = defaultdict(int)
        makers: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for (course, lab, learner), length in films.items():
            if (home := homes.get((course, lab, learner))) is not None:
                seconds[home[1]] += length
                makers[home[1]].add(learner)
        hidden = hidden_cells({value: frozenset(who) for value, who in makers.items()}, besides)
        return {value: cost[value] / length for value, length in seconds.items() if value not in hidden}

    def _known(self) -> dict[tuple[str, str, str], tuple[str, int]]:
        with reading(self._engine) as connection:
            rows = connection.execute(select(footage))
            return {(row.course, row.lab, row.learner): (row.submission, row.graded_us) for row in rows}

    def _films(self, begin_us: int, end_us: int) -> dict[tuple[str, str, str], int]:
        with reading(self._engine) as connection:
            asked = select(footage).where(
                footage.c.graded_us >= begin_us, footage.c.graded_us < end_us, footage.c.film_us > 0
            )
            return {(row.course, row.lab, row.learner): row.film_us for row in connection.execute(asked)}

    def _keep(self, result: LabResult, length_us: int) -> None:
        key = {"course": result.course, "lab": result.lab, "learner": result.learner}
        with self._engine.begin() as connection:
            connection.execute(delete(footage).where(*(footage.c[name] == value for name, value in key.items())))
            connection.execute(
                insert(footage).values(
                    **key, submission=result.submission_id, graded_us=result.graded_us, film_us=length_us
                )
            )
