"""VALUE: when each trainee works on which lab, and what they hand in at the end; a pure function of a seed and today.

Sessions of one trainee never overlap, as one person has one lab at a time. Times are microseconds since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from hub.compute.lease import DAY_US, HOUR_US, MINUTE_US

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from hub.course import Course, Lab
    from hub.demo.cast import Story, Trainee

Quality = Literal["reference", "slip", "poor"]
"""All right; the last answer wrong; the later half of the answers wrong."""
LAB_DAYS = 6
"""How many days before its due date trainees work on a lab."""
PAUSE_US = 10 * MINUTE_US
LATE: frozenset[Story] = frozenset({"struggling"})
FIRST_LAB_ONLY: frozenset[Story] = frozenset({"waiting", "struggling", "early", "begun"})


@dataclass(frozen=True)
class Sitting:
    """One lab session, and what is handed in shortly before it ends."""

    learner: str
    lab: str
    start_us: int
    length_us: int
    hands_in: Quality | None

    @property
    def end_us(self) -> int:
        """When the session ends."""
        return self.start_us + self.length_us

    @property
    def handed_in_us(self) -> int:
        """When the work of this session is handed in."""
        return self.end_us - 3 * MINUTE_US


def sittings(trainee: Trainee, course: Course, first_day_us: int, last_day: int, rng: Random) -> tuple[Sitting, ...]:
    """All sessions of one trainee, in order; ``last_day`` counts from the cohort's first day, which is 0."""
    if trainee.story is None:
        return ()
    planned = [*_work(trainee.story, course.labs, last_day), *_practice(course.labs, last_day, rng)]
    made = sorted(
        (_sitting(trainee.name, day, lab, quality, first_day_us, rng) for day, lab, quality in planned),
        key=lambda one: one.start_us,
    )
    return tuple(_one_at_a_time(made))


def _work(story: Story, labs: Sequence[Lab], last_day: int) -> Iterator[tuple[int, Lab, Quality | None]]:
    """Day, lab and what is handed in, of everything the trainee's marks come from."""
    for lab in labs[:1] if story in FIRST_LAB_ONLY else labs:
        late = int(story in LATE and lab.late.last_day > 0)
        day = min(lab.due_after_days + late, last_day)
        if lab.due_after_days - LAB_DAYS > last_day:
            continue
        first: Quality | None = "slip" if story == "improved" and lab is labs[0] else None
        yield max(day - 2, 0), lab, first
        yield day, lab, _final(story)


def _final(story: Story) -> Quality | None:
    if story == "begun":
        return None
    return "poor" if story == "struggling" else "reference"


def _practice(labs: Sequence[Lab], last_day: int, rng: Random) -> Iterator[tuple[int, Lab, None]]:
    """Days on which the trainee comes back to a lab without handing anything in."""
    for day in sorted(rng.sample(range(last_day + 1), k=min(last_day, rng.randint(2, 5)))):
        # The newest lab that has begun by then.
        begun = [lab for lab in labs if lab.due_after_days - LAB_DAYS <= day]
        yield day, begun[-1] if begun else labs[0], None


def _sitting(name: str, day: int, lab: Lab, quality: Quality | None, first_day_us: int, rng: Random) -> Sitting:
    start_us = first_day_us + day * DAY_US + rng.randint(9 * 60, 17 * 60) * MINUTE_US + rng.randrange(MINUTE_US)
    length_us = rng.randint(25 * 60, 80 * 60) * 1_000_000 + rng.randrange(1_000_000)
    return Sitting(name, lab.id, start_us, min(length_us, HOUR_US * 2), quality)


def _one_at_a_time(planned: Sequence[Sitting]) -> Iterator[Sitting]:
    free_us = 0
    for one in planned:
        moved = replace(one, start_us=max(one.start_us, free_us))
        free_us = moved.end_us + PAUSE_US
        yield moved
