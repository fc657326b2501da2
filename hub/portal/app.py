"""Wires the portal: what it needs is handed in, nothing is global."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from certs.store import Store as CertificateStore
    from grader.store import Store as SubmissionStore
    from hub.compute.ledger import Ledger
    from hub.config import Config
    from hub.course import Course
    from hub.people.store import PeopleStore
    from hub.portal.session import SignIn

PREFIX = "/services/portal"


@dataclass(frozen=True)
class PortalServices:
    """The stores the pages read and write; each does its own SQL."""

    people: PeopleStore
    ledger: Ledger
    submissions: SubmissionStore
    certificates: CertificateStore


def create_app(
    services: PortalServices,
    *,
    session: SignIn,
    courses: tuple[Course, ...],
    config: Config,
    prefix: str = PREFIX,
) -> Flask:
    """Build the portal's WSGI app, answering under ``prefix``."""
    raise NotImplementedError(services, session, courses, config, prefix)
