"""What an instructor may do for a class: each parses its form, does one thing, and says what was done.

Every action answers the sentence to show and the problems by field; exactly one of the two is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import get_locale
from flask_babel import gettext as _

from hub.compute.class_window import ClassWindow
from hub.compute.lease import DAY_US, LedgerError
from hub.portal import words
from hub.portal.access import course_called, visitor
from hub.portal.forms import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.course import Course
    from hub.people.person import Cohort
    from hub.portal.app import Portal

EVERYBODY = "*"
Done = tuple[str, dict[str, str]]


def create(
    portal: Portal, typed: Mapping[str, str], courses: tuple[Course, ...]
) -> tuple[Cohort | None, dict[str, str]]:
    """Open a class of one of ``courses``; the class, or the problems by field."""
    fields = Fields(typed)
    course = fields.choice("course", frozenset(course.id for course in courses))
    title, starts, ends = fields.text("title"), fields.day("starts"), fields.day("ends")
    if not fields.problems and ends < starts:
        fields.problems["ends"] = _("The last day lies before the first one.")
    if fields.problems:
        return None, fields.problems
    people = portal.services.people
    try:
        return people.create_cohort(course, portal.config.site.id, title, starts, ends, visitor().name), {}
    except ValueError:
        return None, {"title": _("The name holds characters that cannot be shown on one line.")}


def extend(portal: Portal, typed: Mapping[str, str], cohort: Cohort) -> Done:
    """Give one learner, or the class, a later deadline for one lab."""
    fields = Fields(typed)
    chosen = _chosen(portal, fields, cohort)
    lab, until = _lab(portal, fields, cohort), fields.moment_us("until", portal.zone)
    if not fields.problems and until <= portal.clock():
        fields.problems["until"] = _("This moment is past.")
    if fields.problems:
        return "", fields.problems
    excused = sum(_give_time(portal, cohort, lab, learner, until) for learner in chosen)
    done = _("%(lab)s may be handed in until %(until)s by %(who)s.", lab=_title(portal, cohort, lab),
             until=words.moment(until, portal.zone), who=_who(portal, cohort, chosen))  # fmt: skip
    if excused:
        done += " " + _("Points taken off for lateness are given back (attempts: %(count)s).", count=excused)
    return done, {}


def _give_time(portal: Portal, cohort: Cohort, lab: str, learner: str, until: int) -> int:
    """Extend one learner's time; how many attempts of theirs are late no more, or less so."""
    portal.services.people.extension(cohort.id, lab, learner, until)
    chosen = course_called(portal.courses, cohort.course).lab(lab)
    dates = portal.services.people.deadline(cohort.course, lab, learner, chosen.due_after_days)
    if dates is None:
        return 0
    return portal.services.submissions.excuse(cohort.course, lab, learner, dates[1], chosen.late)


def grant(portal: Portal, typed: Mapping[str, str], cohort: Cohort) -> Done:
    """Give one learner, or everybody of the class, more allowance."""
    fields = Fields(typed)
    chosen = _chosen(portal, fields, cohort)
    sum_uy, why = fields.micro_yuan("yuan"), fields.text("why")
    once = fields.text("once", most=64)
    if fields.problems:
        return "", fields.problems
    for learner in chosen:
        # The form's own number makes the reason unique, so that a form sent twice grants once.
        reason = f"{why} ({visitor().name}, {once})"
        portal.services.ledger.grant(learner, cohort.course, sum_uy, reason, portal.clock())
    return _("%(sum)s more for %(who)s.", sum=words.money(sum_uy), who=_who(portal, cohort, chosen)), {}


def release(portal: Portal, typed: Mapping[str, str], cohort: Cohort) -> Done:
    """Let one learner, or the class, see what was graded by hand in one lab."""
    fields = Fields(typed)
    chosen, lab = _chosen(portal, fields, cohort), _lab(portal, fields, cohort)
    if fields.problems:
        return "", fields.problems
    store = portal.services.submissions
    count = sum(store.release_feedback(cohort.course, lab, who, released_by=visitor().name) for who in chosen)
    return _("Feedback on %(lab)s: %(count)s released.", lab=_title(portal, cohort, lab), count=count), {}


def schedule(portal: Portal, typed: Mapping[str, str], cohort: Cohort) -> Done:
    """Schedule hours in which the class's labs do not use up personal allowances."""
    fields = Fields(typed)
    from_us, until_us = fields.moment_us("from", portal.zone), fields.moment_us("until", portal.zone)
    if not fields.problems and not 0 < until_us - from_us <= DAY_US:
        fields.problems["until"] = _("Expected a later time, at most a day after the beginning.")
    if not fields.problems and until_us <= portal.clock():
        fields.problems["until"] = _("This moment is past.")
    if fields.problems:
        return "", fields.problems
    try:
        portal.services.ledger.classes.schedule(_window(cohort, from_us, until_us))
    except LedgerError:
        return "", {"from": _("This class was cancelled before. Choose other hours.")}
    return _("Class on %(when)s is scheduled. Labs that start from now on spare allowances in it.",
             when=words.moment(from_us, portal.zone)), {}  # fmt: skip


def cancel(portal: Portal, typed: Mapping[str, str], cohort: Cohort) -> Done:
    """Cancel a scheduled class of this cohort."""
    chosen = next((each for each in windows(portal, cohort) if each.subject == typed.get("class")), None)
    if chosen is None:
        return "", {"from": _("There is no such class any more.")}
    portal.services.ledger.classes.cancel(chosen, visitor().name)
    return _("The class is cancelled. Labs that were started before keep its hours."), {}


def windows(portal: Portal, cohort: Cohort) -> tuple[ClassWindow, ...]:
    """The scheduled classes of a cohort that are not over, soonest first."""
    known = portal.services.ledger.classes.of(cohort.course)
    return tuple(each for each in known if each.cohort == str(cohort.id) and each.until_us > portal.clock())


def _window(cohort: Cohort, from_us: int, until_us: int) -> ClassWindow:
    return ClassWindow(
        course=cohort.course, cohort=str(cohort.id), from_us=from_us, until_us=until_us, by=visitor().name
    )  # fmt: skip


ACTIONS: dict[str, Callable[[Portal, Mapping[str, str], Cohort], Done]] = {
    "extend": extend,
    "grant": grant,
    "release": release,
    "schedule": schedule,
    "cancel": cancel,
}


def _chosen(portal: Portal, fields: Fields, cohort: Cohort) -> tuple[str, ...]:
    """Whom the form is about: one learner of the class, or all of them."""
    members = portal.services.people.members(cohort.id)
    learners = tuple(member.learner for member in members if member.learner)
    chosen = fields.choice("learner", frozenset(learners) | {EVERYBODY})
    return learners if chosen == EVERYBODY else (chosen,)


def _lab(portal: Portal, fields: Fields, cohort: Cohort) -> str:
    course = course_called(portal.courses, cohort.course)
    return fields.choice("lab", frozenset(lab.id for lab in course.labs))


def _title(portal: Portal, cohort: Cohort, lab: str) -> str:
    return course_called(portal.courses, cohort.course).lab(lab).title.in_locale(str(get_locale()))


def _who(portal: Portal, cohort: Cohort, chosen: tuple[str, ...]) -> str:
    names = {member.learner: member.full_name for member in portal.services.people.members(cohort.id)}
    return names[chosen[0]] if len(chosen) == 1 else _("%(count)s trainees", count=len(chosen))
