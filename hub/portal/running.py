"""VALUE: the session that runs now or was just stopped, and whether another lab can be opened in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from hub.compute.lease import MINUTE_US, NoPriceError, UnknownLeaseError
from hub.portal import links

if TYPE_CHECKING:
    from hub.compute.lease import Lease, Quote, Session
    from hub.course import Course, Lab
    from hub.portal.app import Portal
    from hub.reclaim.rule import Outlook

Reach = Literal["start", "own", "shared", "course", "machine", "later"]
"""How a lab is reached: by a start; in its own session or in another lab's that runs; or not before that one stops,
because it belongs to another course, runs on another machine, or does not have this lab, which came out later."""


@dataclass(frozen=True)
class Running:
    """A session that runs: minutes and list price so far, what it holds, where its notebook is, when it should end.

    ``course`` is None when the site no longer has it, ``so_far`` is None without a price.
    """

    lease: Lease
    course: Course | None
    minutes: int
    so_far: Quote | None
    notebook_url: str
    expected: Outlook

    @property
    def can_stop(self) -> bool:
        """Whether the lab has begun: what is still on its way there cannot be stopped yet."""
        return self.lease.state == "running"


@dataclass(frozen=True)
class Panel:
    """What a page says of the visitor's session: it runs, it is being stopped, or it has ended as ``ended`` says."""

    running: Running | None = None
    is_stopping: bool = False
    ended: Session | None = None
    ended_course: Course | None = None


def running_lease(portal: Portal, learner: str) -> Lease | None:
    """The learner's lab that runs now, if one does: nobody has more than one server."""
    return next((lease for lease in portal.services.sessions.labs() if lease.learner == learner), None)


def panel(portal: Portal, learner: str, lease: Lease | None, stopped: str) -> Panel:
    """The session ``lease`` that runs; else the one of the id ``stopped`` (hostile text), if it was the learner's."""
    if lease is not None:
        return Panel(_running(portal, lease), is_stopping=stopped == str(lease.id))
    ended = _ended(portal, learner, stopped)
    return Panel(ended=ended, ended_course=_course(portal, ended.lease.course) if ended else None)


def reach(
    portal: Portal, lease: Lease | None, course: Course, lab: Lab, window: tuple[int, int], *, is_known: bool
) -> Reach:
    """How ``lab``, open from and until ``window``, is reached while ``lease`` runs (None: nothing does).

    ``is_known`` says that the learner has worked on it before, and so has it in their home.
    """
    if lease is None:
        return "start"
    if lease.course != course.id:
        # Lab time and money are counted by course: work on this one would be put down to the other.
        return "course"
    if lease.lab == lab.id:
        return "own"
    if lease.profile != lab.profile:
        return "machine"
    # A start fetches every lab that is open then; what came out later is not in the learner's home.
    begun_us = lease.started_us or lease.requested_us
    if is_known or (
        window[0] <= begun_us <= window[1] and lab.id in portal.services.submissions.released_by(course.id, begun_us)
    ):
        return "shared"
    return "later"


def _running(portal: Portal, lease: Lease) -> Running:
    course = _course(portal, lease.course)
    elapsed_us = max(0, portal.clock() - (lease.started_us or portal.clock()))
    minutes = min(elapsed_us, lease.longest_us) // MINUTE_US
    own_origins = bool(portal.config.server.domain)
    return Running(
        lease=lease,
        course=course,
        minutes=minutes,
        so_far=_so_far(portal, lease, minutes),
        notebook_url=links.reopen(lease.learner, lease.course, lease.lab, own_origins=own_origins),
        expected=portal.services.sessions.expected(lease),
    )


def _so_far(portal: Portal, lease: Lease, minutes: int) -> Quote | None:
    since_us = lease.started_us or lease.requested_us
    ledger = portal.services.ledger
    try:
        return ledger.quote(lease.learner, lease.course, lease.profile, minutes, since_us, site=lease.site)
    except NoPriceError:
        return None


def _ended(portal: Portal, learner: str, stopped: str) -> Session | None:
    try:
        lease = portal.services.ledger.lease(UUID(stopped))
    except (ValueError, UnknownLeaseError):
        return None
    if lease.learner != learner or lease.state != "ended":
        return None
    sessions = portal.services.ledger.sessions(learner, lease.course)
    return next((session for session in sessions if session.lease.id == lease.id), None)


def _course(portal: Portal, course_id: str) -> Course | None:
    return next((course for course in portal.courses if course.id == course_id), None)
