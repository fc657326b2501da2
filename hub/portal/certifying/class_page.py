"""VALUE: the certificates of a class on one page: who holds what, how far the issue has come, names asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.award import learner_of
from hub.portal.certifying.held import held
from hub.portal.teaching import class_book

if TYPE_CHECKING:
    from hub.course import Course
    from hub.people.person import Cohort, Member, NameRequest
    from hub.portal.app import Portal
    from hub.portal.certifying.held import Held


@dataclass(frozen=True)
class Seat:
    """One trainee: whether they completed the course, their newest certificate, why there is none."""

    member: Member
    completed: bool
    held: Held | None
    refused_reason: str
    open_appeals: int

    @property
    def says_another_name(self) -> bool:
        """Whether the certificate in force names them otherwise than the roster does."""
        return self.held is not None and self.held.counts and self.held.holder_name != self.member.full_name


@dataclass(frozen=True)
class ClassCertificates:
    """A class's seats that somebody took, and the open requests for another name."""

    cohort: Cohort
    course: Course
    seats: tuple[Seat, ...]
    requests: tuple[tuple[Member, NameRequest], ...]

    def count(self, *standings: str) -> int:
        """How many stand so."""
        return sum(seat.held is not None and seat.held.standing in standings for seat in self.seats)

    @property
    def completed(self) -> int:
        """How many have completed the course."""
        return sum(seat.completed for seat in self.seats)

    @property
    def asked(self) -> int:
        """How many certificates were asked for."""
        return sum(seat.held is not None for seat in self.seats)

    @property
    def waiting(self) -> int:
        """How many the issuer has still to sign."""
        return self.count("waiting")


def class_certificates(portal: Portal, cohort: Cohort, course: Course) -> ClassCertificates:
    """Everything the page shows of one class."""
    people = portal.services.people
    newest = {learner_of(one): one for one in portal.services.certificates.for_course(course.id)}
    seats, requests = [], []
    for row in class_book(portal, cohort, course).signed_up:
        learner = row.member.learner or ""
        found = newest.get(learner)
        seats.append(
            Seat(
                row.member, row.completed, held(portal, found) if found else None, row.refused_reason, row.open_appeals
            )
        )
        asked = people.name_request(learner)
        if asked is not None and asked.is_open:
            requests.append((row.member, asked))
    return ClassCertificates(cohort, course, tuple(seats), tuple(requests))
