"""VALUE: where a trainee stands in a course, composed from roster, ledger and grades for the pages to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.award import holder_ref
from hub.completion import evaluate
from hub.compute.lease import DAY_US, MAX_TIME_US, MINUTE_US, NoPriceError
from hub.portal import links
from hub.portal.running import reach
from hub.portal.standing import PENDING, TO_DO, Score, Standing, covered, seen_by_learner, standing_of

if TYPE_CHECKING:
    from certs.certificate import Certificate
    from grader.submission import Attempt, LabResult
    from hub.completion import Completion
    from hub.compute.lease import Account, Lease, Quote
    from hub.course import Course, Lab
    from hub.portal.app import Portal
    from hub.portal.running import Reach

ENROLMENT = "enrolment"
"""Why the first grant was made; the spawner gives the same reason, so that it is made once."""


@dataclass(frozen=True)
class LabCard:
    """One lab as its learner sees it: ``counted`` hides marks not released yet, ``quote`` is None without a price.

    ``closes_us`` is when it is taken no more, late or not: a lab that nobody began by then is not handed out either.
    ``short_uy`` is what the allowance lacks for the longest session, which a start holds; 0 when it can be paid.
    """

    course: Course
    lab: Lab
    number: int
    standing: Standing
    counted: LabResult | None
    score: Score | None
    attempts: tuple[Attempt, ...]
    opens_us: int
    due_us: int | None
    closes_us: int | None
    quote: Quote | None
    short_uy: int
    reach: Reach
    start_url: str

    @property
    def attempts_left(self) -> int:
        """How often the lab may still be handed in; what failed through our fault does not count."""
        return max(0, self.lab.attempts - sum(attempt.submission.state != "failed" for attempt in self.attempts))

    def is_over(self, now_us: int) -> bool:
        """Whether it was not begun in time: nothing can be handed in, and a start would not bring it."""
        return self.standing == "not-started" and self.closes_us is not None and self.closes_us < now_us

    @property
    def pending(self) -> bool:
        """Whether the page will change by itself: something is queued or being graded."""
        return any(attempt.submission.state in PENDING for attempt in self.attempts)


@dataclass(frozen=True)
class CourseHome:
    """A course as its learner sees it; ``missed`` counts the labs that closed before they were begun."""

    course: Course
    cards: tuple[LabCard, ...]
    onward: LabCard | None
    account: Account
    completion: Completion
    certificates: tuple[Certificate, ...]
    missed: int

    @property
    def done(self) -> int:
        """How many labs have their final score."""
        return sum(card.standing == "graded" for card in self.cards)


def course_home(portal: Portal, course: Course, learner: str, running: Lease | None) -> CourseHome:
    """Everything the trainee's home page shows of one course; ``running`` is their lease in any course."""
    ledger = portal.services.ledger
    worked_on = [session.lease.lab for session in ledger.sessions(learner, course.id)]
    results = portal.services.submissions.results(course.id, learner)
    account = enrolled_account(portal, course, learner)
    cards = tuple(_card(portal, course, lab, learner, account, running, set(worked_on), results) for lab in course.labs)
    counted = tuple(card.counted for card in cards if card.counted)
    return CourseHome(
        course=course,
        cards=cards,
        onward=_onward(cards, worked_on, portal.clock()),
        account=account,
        completion=evaluate(course, counted, ledger.metered(learner, course.id)),
        certificates=certificates(portal, course, learner),
        missed=sum(card.is_over(portal.clock()) for card in cards),
    )


def lab_card(portal: Portal, course: Course, lab: Lab, learner: str, running: Lease | None = None) -> LabCard:
    """One lab of :func:`course_home`, for its own page."""
    worked_on = {session.lease.lab for session in portal.services.ledger.sessions(learner, course.id)}
    results = portal.services.submissions.results(course.id, learner)
    account = enrolled_account(portal, course, learner)
    return _card(portal, course, lab, learner, account, running, worked_on, results)


def enrolled_account(portal: Portal, course: Course, learner: str) -> Account:
    """The learner's account; the course's allowance is granted at first sight, not only at the first lab start."""
    ledger = portal.services.ledger
    account = ledger.account(learner, course.id)
    if account.granted_uy:
        return account
    ledger.grant(learner, course.id, course.allowance.micro_yuan, ENROLMENT, portal.clock())
    return ledger.account(learner, course.id)


def certificates(portal: Portal, course: Course, learner: str) -> tuple[Certificate, ...]:
    """The certificates the learner earned in ``course``, revoked ones included."""
    return portal.services.certificates.for_holder(holder_ref(learner, course.id))


def quote(portal: Portal, course: Course, lab: Lab, learner: str, minutes: int) -> Quote | None:
    """What that many minutes of ``lab`` would cost ``learner`` now."""
    site = portal.config.site.id
    try:
        return portal.services.ledger.quote(learner, course.id, lab.profile, minutes, portal.clock(), site=site)
    except NoPriceError:
        return None


def _card(
    portal: Portal,
    course: Course,
    lab: Lab,
    learner: str,
    account: Account,
    running: Lease | None,
    worked_on: set[str],
    results: tuple[LabResult, ...],
) -> LabCard:
    attempts = portal.services.submissions.attempts(course.id, lab.id, learner)
    counted = next((_covered(result, attempts) for result in results if result.lab == lab.id), None)
    score = seen_by_learner(counted, hand_released=not counted.awaiting_hand) if counted else None
    window = portal.services.people.deadline(course.id, lab.id, learner, lab.due_after_days)
    opens_us, due_us = window or (0, None)
    closes_us = None if due_us is None else due_us + lab.late.grace_minutes * MINUTE_US + lab.late.last_day * DAY_US
    is_known = bool(attempts) or lab.id in worked_on
    reached = reach(portal, running, course, lab, (opens_us, closes_us or MAX_TIME_US), is_known=is_known)
    return LabCard(
        course=course,
        lab=lab,
        number=course.labs.index(lab) + 1,
        standing=standing_of(attempts, score, begun=lab.id in worked_on or reached == "own"),
        counted=counted,
        score=score,
        attempts=attempts,
        opens_us=opens_us,
        due_us=due_us,
        closes_us=closes_us,
        quote=quote(portal, course, lab, learner, lab.minutes),
        short_uy=_short(portal, course, lab, learner, account),
        reach=reached,
        start_url=_start_url(portal, course, lab, learner, reached),
    )


def _start_url(portal: Portal, course: Course, lab: Lab, learner: str, reached: Reach) -> str:
    if reached in {"own", "shared"}:
        return links.reopen(learner, course.id, lab.id, own_origins=bool(portal.config.server.domain))
    return links.start(learner, course, lab)


def _short(portal: Portal, course: Course, lab: Lab, learner: str, account: Account) -> int:
    longest = portal.config.profiles.get(lab.profile)
    held = quote(portal, course, lab, learner, longest.longest_session_minutes) if longest else None
    return max(0, held.total_uy - account.left_uy) if held else 0


def _covered(result: LabResult, attempts: tuple[Attempt, ...]) -> LabResult:
    released = any(a.hand_released for a in attempts if a.submission.id == result.submission_id)
    return covered(result, hand_released=released)


def _onward(cards: tuple[LabCard, ...], worked_on: list[str], now_us: int) -> LabCard | None:
    """The running lab, else the last one worked on that is not handed in, else the first that is not."""
    running = next((card for card in cards if card.reach == "own"), None)
    to_do = {card.lab.id: card for card in cards if card.standing in TO_DO and not card.is_over(now_us)}
    last = next((to_do[lab] for lab in worked_on if lab in to_do), None)
    return running or last or next(iter(to_do.values()), None)
