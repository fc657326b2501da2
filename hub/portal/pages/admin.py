"""The administrator's page: who is who, invitations, and whether the platform keeps up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, render_template, request
from flask_babel import gettext as _

from hub.people.person import ROLES
from hub.portal import links
from hub.portal.access import only, visitor
from hub.portal.forms import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.people.person import Person, Role
    from hub.portal.app import Portal

INVITABLE: frozenset[Role] = frozenset({"instructor", "funder", "admin"})
DAY_US = 24 * 3600 * 1_000_000
LONGEST_DAYS = 30


@dataclass(frozen=True)
class Health:
    """What an administrator looks at first: submissions that wait or are graded now, and labs that run."""

    queue_depth: int
    running_labs: int


@dataclass(frozen=True)
class Invitation:
    """A link that signs one person up; shown once, because only its digest is kept."""

    role: str
    url: str
    expires_us: int


def pages(portal: Portal) -> Blueprint:
    """People, roles, invitations and health."""
    blueprint = Blueprint("admin", __name__)

    @blueprint.get("/admin")
    @only("admin")
    def overview() -> str:
        return _show(portal)

    @blueprint.post("/admin/invite")
    @only("admin")
    def invite() -> str | tuple[str, int]:
        invitation, problems = _invite(portal, request.form)
        shown = _show(portal, invitation=invitation, problems=problems)
        return (shown, 422) if problems else shown

    return blueprint


def _show(portal: Portal, invitation: Invitation | None = None, problems: dict[str, str] | None = None) -> str:
    role = next((role for role in ROLES if role == request.args.get("role")), None)
    health = Health(portal.services.submissions.queue_depth(), len(portal.services.ledger.open_leases()))
    return render_template(
        "admin.html",
        people=_people(portal, role),
        role=role,
        courses=portal.courses,
        health=health,
        invitation=invitation,
        problems=problems or {},
        roles=role_words(),
    )


def _people(portal: Portal, role: Role | None) -> tuple[Person, ...]:
    """Those who hold ``role``; without one, everybody who is more than a trainee."""
    store = portal.services.people
    if role is not None:
        return store.people(role)
    staff = {person.name: person for role in sorted(INVITABLE) for person in store.people(role)}
    return tuple(staff[name] for name in sorted(staff))


def _invite(portal: Portal, typed: Mapping[str, str]) -> tuple[Invitation | None, dict[str, str]]:
    fields = Fields(typed)
    role: Role = next((role for role in INVITABLE if role == typed.get("role")), "instructor")
    fields.choice("role", frozenset(INVITABLE))
    course = fields.choice("course", frozenset(c.id for c in portal.courses)) if role == "instructor" else None
    days = fields.whole("days", 1, LONGEST_DAYS)
    if fields.problems:
        return None, fields.problems
    expires_us = portal.clock() + days * DAY_US
    code = portal.services.people.invite(role, course, visitor().name, expires_us)
    return Invitation(role, links.invitation(portal.config.server.public_url, code), expires_us), {}


def role_words() -> dict[str, str]:
    """Each role as people call it."""
    return {
        "admin": _("Administrator"),
        "instructor": _("Instructor"),
        "trainee": _("Trainee"),
        "funder": _("Funder"),
    }
