"""VALUE: a certificate as its holder, or who runs their class, sees it in the portal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from certs.certificate import State
from hub.award import holder_ref

if TYPE_CHECKING:
    from certs.certificate import Certificate, Share, Text
    from hub.portal.app import Portal

Standing = Literal["waiting", "refused", "valid", "expired", "revoked", "superseded", "paused"]


@dataclass(frozen=True)
class Held:
    """One edition: what it is called and says, how it stands now, when it ends, the addresses given out for it."""

    certificate: Certificate
    title: Text | None
    holder_name: str
    standing: Standing
    ends_us: int | None
    has_identity: bool
    shares: tuple[Share, ...]

    @property
    def is_shown(self) -> bool:
        """Whether there is a page and files of it to lead to."""
        return self.certificate.state is State.ISSUED

    @property
    def counts(self) -> bool:
        """Whether it is in force: what may still be paused, shared, or issued again."""
        return self.standing in {"valid", "paused", "expired"}


def held_by(portal: Portal, learner: str) -> tuple[Held, ...]:
    """Every certificate of a learner, course and programme, the newest first."""
    store = portal.services.certificates
    found = [one for course in store.courses() for one in store.for_holder(holder_ref(learner, course))]
    return tuple(held(portal, one) for one in sorted(found, key=lambda one: -one.requested_us))


def held(portal: Portal, certificate: Certificate) -> Held:
    """One certificate as the portal shows it."""
    store = portal.services.certificates
    claim = store.claim_of(certificate.id) if certificate.state is State.ISSUED else None
    known = next((course.title for course in portal.courses if course.id == certificate.course), None)
    ends_us = claim.valid_until_us if claim else None
    return Held(
        certificate=certificate,
        title=claim.title if claim else known,  # type: ignore[arg-type]  # both have in_locale, and no more is used
        holder_name=claim.holder_name if claim else "",
        standing=_standing(certificate, ends_us, portal.clock()),
        ends_us=ends_us,
        has_identity=claim is not None and claim.identity_sha256 is not None,
        shares=tuple(share for share in store.shares(certificate.id) if share.ended_us is None) if claim else (),
    )


def _standing(certificate: Certificate, ends_us: int | None, now_us: int) -> Standing:
    if certificate.state is not State.ISSUED:
        return "waiting" if certificate.state is State.PENDING else "refused"
    if certificate.revoked_us is not None:
        return "revoked"
    if certificate.superseded_us is not None:
        return "superseded"
    if certificate.paused_us is not None:
        return "paused"
    return "expired" if ends_us is not None and ends_us <= now_us else "valid"
