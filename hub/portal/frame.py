"""What stands around every page: the menu, the language links, the site's name, and the words templates share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import g, request, url_for
from flask_babel import gettext as _

from hub.compute.alerts import used_percent
from hub.portal import forms, language, links
from hub.portal.standing import seen_by_learner

if TYPE_CHECKING:
    from hub.compute.lease import Account
    from hub.config import Config
    from hub.course import Course
    from hub.portal.access import Visitor
    from hub.portal.app import Portal


PART_OF = {
    "authoring": "cohorts",
    "labs": "home",
    "join": "home",
    "regrade": "cohorts",
    "hand": "cohorts",
    "similarity": "cohorts",
    "class_certificates": "cohorts",
    "dashboard": "funding",
    "claims": "funding",
    "operations": "admin",
}
"""Pages without a menu item of their own, and whose they are part of."""


@dataclass(frozen=True)
class MenuItem:
    """One link of the main menu."""

    url: str
    label: str
    current: bool


def around(portal: Portal) -> dict[str, object]:
    """The names every template may use."""
    config = portal.config
    locale = language.current(config.site.locale)
    return {
        "visitor": g.get("visitor"),
        "menu": _menu(g.visitor) if g.get("visitor") else (),
        "locale": locale,
        "lang_tag": language.tag(locale),
        "in_language": language.link,
        "form_token": forms.token,
        "profile_title": lambda profile: _profile_title(config, profile, locale),
        "lab_title": lambda course, lab: _lab_title(course, lab, locale),
        "certificate_url": lambda ref, form="": links.certificate(config.server.public_url, ref, form),
        "share_url": lambda token: links.share(config.server.public_url, token),
        "formgrader_url": links.formgrader,
        "formgrader_lab_url": links.formgrader_lab,
        "once": forms.once,
        "seen": seen_by_learner,
        "used_percent": lambda account, course: _used_percent(portal, account, course),
        "home_url": url_for("home.home"),
        "site_name": config.site.name_zh if locale == "zh_CN" else config.site.name_en,
        "zone_name": language.zone_name(portal.zone, locale),
        "now": portal.clock(),
    }


def _used_percent(portal: Portal, account: Account, course_id: str) -> int:
    """How much of the visitor's allowance is used, by running labs too, as far as they have come."""
    running = account.held_uy and portal.services.ledger.accrued(g.visitor.name, course_id, portal.clock())
    return used_percent(account, running)


def _profile_title(config: Config, profile: str, locale: str) -> str:
    known = config.profiles.get(profile)
    if known is None:
        return profile
    return known.title_zh if locale == "zh_CN" else known.title_en


def _lab_title(course: Course | None, lab_id: str, locale: str) -> str:
    """The title of a lab; a lab that its course, or a course that the site no longer has keeps its id."""
    labs = course.labs if course else ()
    return next((lab.title.in_locale(locale) for lab in labs if lab.id == lab_id), lab_id)


def _menu(visitor: Visitor) -> tuple[MenuItem, ...]:
    offered = (
        (bool(visitor.sits_in), "home.home", _("My course")),
        (bool(visitor.sits_in), "compute.mine", _("My compute")),
        (bool(visitor.sits_in), "certificates.mine", _("My certificates")),
        (visitor.holds("instructor", "admin"), "cohorts.overview", _("Classes")),
        (visitor.holds("funder", "admin"), "funding.report", _("Funding")),
        (visitor.holds("admin"), "admin.overview", _("Administration")),
    )
    here = PART_OF.get(request.blueprint or "", request.blueprint)
    return tuple(
        MenuItem(url_for(endpoint), label, current=endpoint.split(".")[0] == here)
        for shown, endpoint, label in offered
        if shown
    )
