"""Who may see what: every view asks here, on the server, before it reads anything."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from flask import abort, g
from flask_babel import gettext as _

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.course import Course, Lab
    from hub.people.person import Cohort, Person, Role
    from hub.people.store import PeopleStore
    from hub.portal.app import Portal

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Visitor:
    """Who is signed in, and the courses they have a seat in."""

    person: Person
    sits_in: tuple[str, ...]

    @property
    def name(self) -> str:
        """The hub user name."""
        return self.person.name

    def holds(self, *roles: Role) -> bool:
        """Whether one of ``roles`` is theirs."""
        return bool(self.person.roles & set(roles))


def visitor() -> Visitor:
    """Who sent the request being answered."""
    return g.visitor


def only(*roles: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a view answer those who hold one of ``roles``, and nobody else."""

    def guarded(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if not visitor().holds(*roles):
                abort(403, _("This page is for another role than yours."))
            return view(*args, **kwargs)

        return checked

    return guarded


def own_course(courses: tuple[Course, ...], course_id: str) -> Course:
    """The course ``course_id``, if the visitor has a seat in it."""
    if course_id not in visitor().sits_in:
        abort(403, _("You have no seat in a class of this course. Check the class code with your instructor."))
    return course_called(courses, course_id)


def course_called(courses: tuple[Course, ...], course_id: str) -> Course:
    """The course ``course_id`` of this site."""
    for course in courses:
        if course.id == course_id:
            return course
    return abort(404, _("This site has no such course."))


def led_course(portal: Portal, course_id: str) -> Course:
    """The course ``course_id``, if the visitor teaches it: an administrator who does not sees no solutions either."""
    course = course_called(portal.courses, course_id)
    if course.id not in portal.services.people.courses_led_by(visitor().name):
        abort(403, _("The labs of this course are made by its instructors."))
    return course


def led_cohort(people: PeopleStore, cohort_id: str) -> Cohort:
    """The cohort ``cohort_id``, if the visitor may run it."""
    cohort = people.cohort(cohort_id)
    if cohort is None:
        abort(404, _("There is no such class."))
    if not (visitor().holds("admin") or cohort.course in people.courses_led_by(visitor().name)):
        abort(403, _("This class is led by others. Ask an administrator if you should be one of them."))
    return cohort


def led_lab(portal: Portal, cohort_id: str, lab_id: str) -> tuple[Cohort, Course, Lab]:
    """A class that the visitor may run, its course, and a lab of that course."""
    cohort = led_cohort(portal.services.people, cohort_id)
    course = course_called(portal.courses, cohort.course)
    try:
        return cohort, course, course.lab(lab_id)
    except KeyError:
        return abort(404, _("This course has no such lab."))
