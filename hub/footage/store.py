"""SQL of film seconds, and what the labs cost that they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from hub.db import reading
from hub.footage.cost import Film, FilmCosts
from hub.footage.film import film_us
from hub.footage.tables import footage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine

    from grader.store import Store
    from grader.submission import LabResult
    from hub.compute.ledger import Ledger

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

    def costs(self, from_day: str, until_day: str) -> FilmCosts:
        """The films of some days, the last one not included, and what their labs cost in these days."""
        graded = self._films(*self._ledger.moments(from_day, until_day))
        labs = {(course, lab) for course, lab, *_ in graded}
        homes = self._ledger.homes(labs)
        films = tuple(
            Film(self._ledger.day(graded_us)[:7], home, learner, length_us)
            for course, lab, learner, graded_us, length_us in graded
            if (home := homes.get((course, lab, learner)))
        )
        spent = self._ledger.spent(from_day, until_day)
        return FilmCosts(films, {place: uy for place, uy in spent.items() if (place.course, place.lab) in labs})

    def _known(self) -> dict[tuple[str, str, str], tuple[str, int]]:
        with reading(self._engine) as connection:
            rows = connection.execute(select(footage))
            return {(row.course, row.lab, row.learner): (row.submission, row.graded_us) for row in rows}

    def _films(self, begin_us: int, end_us: int) -> list[tuple[str, str, str, int, int]]:
        named = (footage.c.course, footage.c.lab, footage.c.learner, footage.c.graded_us, footage.c.film_us)
        graded = (footage.c.graded_us >= begin_us, footage.c.graded_us < end_us, footage.c.film_us > 0)
        with reading(self._engine) as connection:
            return [tuple(row) for row in connection.execute(select(*named).where(*graded))]

    def _keep(self, result: LabResult, length_us: int) -> None:
        key = {"course": result.course, "lab": result.lab, "learner": result.learner}
        with self._engine.begin() as connection:
            connection.execute(delete(footage).where(*(footage.c[name] == value for name, value in key.items())))
            connection.execute(
                insert(footage).values(
                    **key, submission=result.submission_id, graded_us=result.graded_us, film_us=length_us
                )
            )
