"""Addresses on other people's sites that a holder may choose to follow; nothing is sent there until they do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from certs.certificate import IssuerProfile
    from certs.credential.facts import Facts

_PROFILE_SITE = "https://www.linkedin.com/profile/add"


def profile_link(facts: Facts, profile: IssuerProfile) -> str:
    """LinkedIn's form for adding a certificate, filled in with what this one says publicly: not the holder's name."""
    issued = datetime.fromtimestamp(facts.valid_from_us // 1_000_000, UTC)
    values = {
        "startTask": "CERTIFICATION_NAME",
        "name": facts.title.en,
        "organizationName": profile.name.en,
        "issueYear": issued.year,
        "issueMonth": issued.month,
        "certUrl": facts.id,
        "certId": facts.id.rpartition("/")[2],
    }
    if facts.valid_until_us is not None:
        ends = datetime.fromtimestamp(facts.valid_until_us // 1_000_000, UTC)
        values |= {"expirationYear": ends.year, "expirationMonth": ends.month}
    return f"{_PROFILE_SITE}?{urlencode(values)}"
