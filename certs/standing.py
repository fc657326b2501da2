"""Where a stored certificate stands now: what its page says at once, from one record and without JSON-LD.

The signature was verified strictly before the certificate was stored, and the digest of those bytes was kept. The page
holds the stored bytes to that digest, reads them strictly, and looks at the dates and the revocation record; that
costs less than a millisecond. Anybody may have the signature itself checked again, from the page or on their own.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from certs.certificate import Text
from certs.credential.document import DocumentRefusedError
from certs.credential.facts import Facts, FactsError
from certs.credential.opened import open_credential
from certs.display import moment, short_digest
from certs.verification import Outcome, Step, Verdict, Verification
from certs.verify import dates_step, verdict_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certs.certificate import Certificate, IssuerProfile

_NO_KEY: Mapping[str, int] = MappingProxyType({})


def standing(
    certificate: Certificate, profile: IssuerProfile, *, at_us: int, given_up: Mapping[str, int] = _NO_KEY
) -> Verification:
    """The steps and verdict of an issued certificate at a moment.

    ``given_up``: the keys (as multibase) that were compromised, and from when.
    """
    document = certificate.document or b""
    try:
        opened = open_credential(document)
        facts = opened.facts()
    except (DocumentRefusedError, FactsError) as error:
        words = Text(zh="存储的证书无法读取。", en="The stored certificate cannot be read.")
        return Verification((Step("record", Outcome.FAILED, words, str(error)),), None, Verdict.INVALID)
    steps = (
        _record(certificate, document, given_up.get(_key_of(opened.document))),
        _issuer(facts, certificate, profile),
        dates_step(facts, at_us),
        _status(certificate, at_us),
    )
    return Verification(steps, facts, _verdict(steps, facts, certificate, at_us))


def with_record(answer: Verification, certificate: Certificate, *, at_us: int) -> Verification:
    """``answer`` with the issuer's own revocation record in place of the published list, which follows."""
    status = _status(certificate, at_us)
    steps = tuple(status if step.name == "status" else step for step in answer.steps)
    return replace(answer, steps=steps, verdict=_verdict(steps, answer.facts, certificate, at_us))


def with_members(
    answer: Verification, certificate: Certificate, members: Sequence[Certificate], *, at_us: int
) -> Verification:
    """``answer`` on a programme with the issuer's own record of the course certificates in it."""
    titles = {facts.id.rpartition("/")[2]: facts.title for facts in answer.facts.members} if answer.facts else {}
    withdrawn = [one for one in members if one.revoked_us is not None or one.superseded_us is not None]
    if not withdrawn:
        return answer
    title = titles[withdrawn[0].id]
    words = Text(
        zh=f"其中的课程证书《{title.zh}》已撤销或被取代。",
        en=f"The course certificate “{title.en}” in it was revoked or replaced.",
    )
    steps = (*answer.steps, Step("member_status", Outcome.FAILED, words))
    return replace(answer, steps=steps, verdict=_verdict(steps, answer.facts, certificate, at_us))


def _key_of(document: dict[str, Any]) -> str:
    return str(document["proof"].get("verificationMethod")).rpartition("#")[2]


def _verdict(steps: tuple[Step, ...], facts: Facts | None, certificate: Certificate, at_us: int) -> Verdict:
    verdict = verdict_of(steps, facts, at_us)
    if verdict is Verdict.REVOKED and certificate.revoked_us is None and certificate.superseded_by is not None:
        return Verdict.SUPERSEDED
    return verdict


def _record(certificate: Certificate, document: bytes, bad_from_us: int | None) -> Step:
    if bad_from_us is not None and (certificate.issued_us or bad_from_us) >= bad_from_us:
        words = Text(
            zh="签名所用的密钥此前已失密，颁发者不认可此证书。",
            en="It was signed with a key that had been compromised by then; the issuer does not stand behind it.",
        )
        return Step("record", Outcome.FAILED, words)
    digest = hashlib.sha256(document).hexdigest()
    if digest != certificate.document_sha256:
        words = Text(zh="与颁发时的记录不符。", en="It is not what was recorded at issue.")
        return Step("record", Outcome.FAILED, words, f"got SHA-256 {digest}, expected {certificate.document_sha256}")
    short = short_digest(digest)
    words = Text(
        zh=f"与颁发时验签通过的文件逐字节一致（SHA-256 {short} …）。",
        en=f"Byte for byte the document whose signature was verified at issue (SHA-256 {short} …).",
    )
    return Step("record", Outcome.HELD, words)


def _issuer(facts: Facts, certificate: Certificate, profile: IssuerProfile) -> Step:
    if facts.issuer != profile.id or facts.id != profile.address(certificate.id):
        words = Text(zh="此证书并非由本站颁发。", en="This certificate was not issued here.")
        return Step("issuer", Outcome.FAILED, words, f"got {facts.issuer!r} and {facts.id!r}, expected {profile.id!r}")
    words = Text(zh=f"由 {facts.issuer_name.zh} 颁发。", en=f"Issued by {facts.issuer_name.en}.")
    return Step("issuer", Outcome.HELD, words)


def _status(certificate: Certificate, at_us: int) -> Step:
    if certificate.revoked_us is None and certificate.superseded_us is not None:
        when = moment(certificate.superseded_us)
        words = Text(
            zh=f"颁发者已于 {when} 用新证书取代此证书。", en=f"The issuer replaced it by a newer certificate on {when}."
        )
        return Step("status", Outcome.FAILED, words)
    if certificate.revoked_us is None:
        now = moment(at_us)
        return Step("status", Outcome.HELD, Text(zh=f"未被撤销（{now} 查询）。", en=f"Not revoked (looked up {now})."))
    when = moment(certificate.revoked_us)
    words = Text(
        zh=f"颁发者已于 {when} 撤销此证书：{certificate.revoked_reason}",
        en=f"The issuer revoked it on {when}: {certificate.revoked_reason}",
    )
    return Step("status", Outcome.FAILED, words)
