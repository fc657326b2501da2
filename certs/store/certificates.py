"""Certificates from request to signature, re-issue and revocation."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, insert, null, select, update
from sqlalchemy.exc import IntegrityError

from certs.certificate import Certificate, Claim, ProgrammeClaim, State, claim_from_json, claim_to_json
from certs.credential.witness import proof_digest
from certs.rules import ClaimRefused, check
from certs.status import LIST_SIZE
from certs.store.rows import RECORD, Rows, UnknownCertificateError, certificate, form, now_us, record, sha256, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

__all__ = ["LIST_FILL", "Certificates", "Progress", "UnknownCertificateError"]

# A list is closed at half full: a random free index is then found in two tries on average, and an index never tells
# in what order certificates were asked for.
LIST_FILL = LIST_SIZE // 2
_ATTEMPTS = 64
_CHUNK = 200


@dataclass(frozen=True)
class Progress:
    """How far a set of requested certificates has come."""

    asked: int
    issued: int
    refused: int

    @property
    def is_done(self) -> bool:
        """Whether nothing of it waits any more."""
        return self.issued + self.refused >= self.asked


class Certificates(Rows):
    """Requests, the issuer's results, re-issue and revocation."""

    def request(self, claim: Claim | ProgrammeClaim) -> str:
        """Ask for a certificate; the id of the newest there is when this holder already has it for this course.

        Raises:
            certs.rules.ClaimRefused: the claim may not be certified; nothing is kept.
        """
        check(claim)
        existing = self._newest(claim)
        for _ in range(_ATTEMPTS):
            if existing is not None:
                return existing
            try:
                with self._engine.begin() as connection:
                    return _insert(connection, claim)
            except IntegrityError:
                # Somebody asked for the same certificate at the same moment, or took the same status index.
                existing = self._newest(claim)
        raise RuntimeError(f"no free status index found in {_ATTEMPTS} tries")

    def request_all(self, claims: Iterable[Claim]) -> tuple[tuple[str, ...], dict[str, ClaimRefused]]:
        """Ask for the certificates of a cohort: the ids, and by ``holder_ref`` why some may not be certified."""
        good: list[Claim] = []
        refused: dict[str, ClaimRefused] = {}
        for claim in claims:
            try:
                check(claim)
                good.append(claim)
            except ClaimRefused as error:
                refused[claim.holder_ref] = error
        asked: list[str] = []
        for start in range(0, len(good), _CHUNK):
            asked += self._request_chunk(good[start : start + _CHUNK])
        return tuple(asked), refused

    def progress(self, certificate_ids: Sequence[str]) -> Progress:
        """How many of these have been issued or refused so far."""
        counts: dict[str, int] = {}
        with self._reading() as connection:
            for start in range(0, len(certificate_ids), _CHUNK):
                some = certificate_ids[start : start + _CHUNK]
                query = select(certificate.c.state, func.count()).where(certificate.c.id.in_(some))
                for state, count in connection.execute(query.group_by(certificate.c.state)):
                    counts[state] = counts.get(state, 0) + count
        return Progress(len(certificate_ids), counts.get(State.ISSUED, 0), counts.get(State.REFUSED, 0))

    def reissue(self, certificate_id: str, claim: Claim | ProgrammeClaim) -> str:
        """Ask for a new edition that takes the place of an issued certificate once it is signed; asked twice, one.

        Raises:
            certs.rules.ClaimRefused: the claim may not be certified.
            UnknownCertificateError: there is no such issued certificate.
            ValueError: the claim is another holder's or another course's, or the certificate is superseded already.
        """
        check(claim)
        old = self._issued(certificate_id)
        if (claim.holder_ref, claim.course) != (old.holder_ref, old.course):
            raise ValueError(f"reissue: got {claim.holder_ref} and {claim.course}, expected the same holder and course")
        if old.superseded_by is not None:
            raise ValueError(f"reissue: {certificate_id} is superseded by {old.superseded_by}; re-issue that one")
        for _ in range(_ATTEMPTS):
            try:
                with self._engine.begin() as connection:
                    return _waiting(connection, old, claim) or _insert(connection, claim, supersedes=old)
            except IntegrityError:
                continue
        raise RuntimeError(f"no free status index found in {_ATTEMPTS} tries")

    def for_holder(self, holder_ref: str) -> tuple[Certificate, ...]:
        """All certificates of a holder, oldest first."""
        query = select(*RECORD).where(certificate.c.holder_ref == holder_ref)
        return self._many(query.order_by(certificate.c.requested_us))

    def holders(self, course: str) -> frozenset[str]:
        """The ``holder_ref`` of everyone who has or had a certificate of a course or programme."""
        query = select(certificate.c.holder_ref).where(certificate.c.course == course)
        with self._reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def courses(self) -> tuple[str, ...]:
        """Every course and programme that certificates were asked for."""
        query = select(certificate.c.course).distinct().order_by(certificate.c.course)
        with self._reading() as connection:
            return tuple(connection.execute(query).scalars())

    def for_course(self, course: str) -> tuple[Certificate, ...]:
        """All certificates of a course or programme, oldest first, each without its signed document."""
        columns = [column for column in RECORD if column.name != "document"]
        query = select(*columns, null().label("document")).where(certificate.c.course == course)
        return self._many(query.order_by(certificate.c.requested_us, certificate.c.id))

    def ask_again(self, certificate_id: str, claim: Claim | ProgrammeClaim) -> None:
        """Put a refused certificate back to be signed, with a claim that mends what it was refused for.

        Raises:
            certs.rules.ClaimRefused: the claim may not be certified.
            ValueError: it is not refused, or the claim is another holder's or another course's.
        """
        check(claim)
        with self._engine.begin() as connection:
            if not _ask_again(connection, certificate_id, claim):
                raise ValueError(f"ask_again: got {certificate_id!r}, expected a refused certificate of this holder")

    def claim_of(self, certificate_id: str) -> Claim | ProgrammeClaim:
        """What a certificate was asked with: where a correction starts from.

        Raises:
            UnknownCertificateError: there is no such issued certificate.
        """
        self._issued(certificate_id)
        query = select(certificate.c.claim).where(certificate.c.id == certificate_id)
        with self._reading() as connection:
            return claim_from_json(connection.execute(query).scalar_one())

    def pending(self, limit: int = 100) -> tuple[tuple[Certificate, Claim | ProgrammeClaim], ...]:
        """What waits to be signed, oldest first, with its claim."""
        query = select(*RECORD, certificate.c.claim).where(certificate.c.state == State.PENDING)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(certificate.c.requested_us).limit(limit)).all()
        return tuple((record(row), claim_from_json(row.claim)) for row in rows)

    def record_signed(self, certificate_id: str, document: bytes, forms: dict[str, bytes]) -> None:
        """Keep the exact signed bytes and the printed forms (``pdf``, ``png``, ``svg``); a second call changes nothing.

        What it takes the place of is superseded in the same moment.
        """
        values = {
            "state": State.ISSUED,
            "document": document,
            "document_sha256": sha256(document),
            "issued_us": now_us(),
            **_signature(document),
        }
        query = update(certificate).where(certificate.c.id == certificate_id, certificate.c.state == State.PENDING)
        with self._engine.begin() as connection:
            if connection.execute(query.values(values)).rowcount == 0:
                return
            for kind, content in forms.items():
                row = {"certificate_id": certificate_id, "kind": kind, "content": content, "sha256": sha256(content)}
                connection.execute(insert(form).values(row))
            _supersede(connection, certificate_id)

    def record_refused(self, certificate_id: str, reason: str) -> None:
        """Keep why the issuer would not sign, so that it is not tried again and a person can see it."""
        query = update(certificate).where(certificate.c.id == certificate_id, certificate.c.state == State.PENDING)
        with self._engine.begin() as connection:
            connection.execute(query.values(state=State.REFUSED, refused_reason=reason))

    def form(self, certificate_id: str, kind: str) -> bytes | None:
        """A printed form (``pdf``, ``png`` or ``svg``) of an issued certificate."""
        query = select(form.c.content).where(form.c.certificate_id == certificate_id, form.c.kind == kind)
        with self._reading() as connection:
            content: bytes | None = connection.execute(query).scalar_one_or_none()
        return content

    def printed_from(self, content: bytes) -> bytes | None:
        """The signed document from which these very bytes were printed at its issue, or None when they never were."""
        joined = form.join(certificate, form.c.certificate_id == certificate.c.id)
        query = select(certificate.c.document).select_from(joined).where(form.c.sha256 == sha256(content)).limit(1)
        with self._reading() as connection:
            document: bytes | None = connection.execute(query).scalar_one_or_none()
        return document

    def revoke(self, certificate_id: str, reason: str) -> None:
        """Revoke an issued certificate; the first reason stays. The page says so at once, the status list soon after.

        Raises:
            ValueError: no reason is given.
            UnknownCertificateError: there is no such issued certificate.
        """
        if not reason.strip():
            raise ValueError("revoke: got no reason, expected one that the holder can be told")
        self._issued(certificate_id)
        at_us = now_us()
        query = update(certificate).where(certificate.c.id == certificate_id, certificate.c.revoked_us.is_(None))
        with self._engine.begin() as connection:
            connection.execute(
                query.values(
                    revoked_us=at_us,
                    revoked_reason=reason.strip(),
                    withdrawn_us=func.coalesce(certificate.c.withdrawn_us, at_us),
                )
            )

    def _newest(self, claim: Claim | ProgrammeClaim) -> str | None:
        query = select(certificate.c.id).where(_same(claim)).order_by(certificate.c.edition.desc()).limit(1)
        with self._reading() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def _request_chunk(self, claims: Sequence[Claim]) -> list[str]:
        """Insert in one transaction; where that collides with anything, one by one."""
        try:
            with self._engine.begin() as connection:
                return [_found(connection, claim) or _insert(connection, claim) for claim in claims]
        except IntegrityError:
            return [self.request(claim) for claim in claims]


def _same(claim: Claim | ProgrammeClaim) -> Any:
    return (certificate.c.holder_ref == claim.holder_ref) & (certificate.c.course == claim.course)


def _found(connection: Connection, claim: Claim) -> str | None:
    query = select(certificate.c.id).where(_same(claim)).order_by(certificate.c.edition.desc()).limit(1)
    found: str | None = connection.execute(query).scalar_one_or_none()
    return found


def _insert(connection: Connection, claim: Claim | ProgrammeClaim, supersedes: Certificate | None = None) -> str:
    certificate_id = secrets.token_hex(16)
    newest, used = connection.execute(_newest_list()).one_or_none() or (0, 0)
    values = {
        "id": certificate_id,
        "holder_ref": claim.holder_ref,
        "course": claim.course,
        "kind": "programme" if isinstance(claim, ProgrammeClaim) else "course",
        "edition": 1 if supersedes is None else supersedes.edition + 1,
        "supersedes": None if supersedes is None else supersedes.id,
        "state": State.PENDING,
        "claim": claim_to_json(claim),
        "status_list": newest + 1 if used >= LIST_FILL else newest,
        "status_index": secrets.randbelow(LIST_SIZE),
        "requested_us": now_us(),
    }
    connection.execute(insert(certificate).values(values))
    return certificate_id


def _waiting(connection: Connection, old: Certificate, claim: Claim | ProgrammeClaim) -> str | None:
    """The edition after ``old`` that was asked for already; one that was refused is put back with the new claim."""
    query = select(certificate.c.id, certificate.c.state).where(certificate.c.supersedes == old.id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.state == State.REFUSED:
        _ask_again(connection, row.id, claim)
    return str(row.id)


def _ask_again(connection: Connection, certificate_id: str, claim: Claim | ProgrammeClaim) -> bool:
    query = update(certificate).where(
        _same(claim), certificate.c.id == certificate_id, certificate.c.state == State.REFUSED
    )
    values = {
        "state": State.PENDING,
        "claim": claim_to_json(claim),
        "refused_reason": None,
        "requested_us": now_us(),
    }
    return connection.execute(query.values(values)).rowcount > 0


def _supersede(connection: Connection, certificate_id: str) -> None:
    """End what the new edition takes the place of; what its holder had decided holds for the new one."""
    this = certificate.c.id == certificate_id
    old = connection.execute(select(certificate.c.supersedes).where(this)).scalar_one()
    if old is None:
        return
    at_us, before = now_us(), certificate.c.id == old
    paused = select(certificate.c.paused_us).where(before)
    connection.execute(update(certificate).where(this).values(paused_us=connection.execute(paused).scalar_one()))
    connection.execute(update(share).where(share.c.certificate_id == old).values(certificate_id=certificate_id))
    connection.execute(
        update(certificate)
        .where(before, certificate.c.superseded_by.is_(None))
        .values(
            superseded_us=at_us,
            superseded_by=certificate_id,
            withdrawn_us=func.coalesce(certificate.c.withdrawn_us, at_us),
        )
    )


def _signature(document: bytes) -> dict[str, str]:
    try:
        proof = json.loads(document)["proof"]
        method, value = str(proof["verificationMethod"]), str(proof["proofValue"])
    except (ValueError, KeyError, TypeError):
        return {}
    return {"signed_with": method.rpartition("#")[2][:64], "proof_sha256": proof_digest(value)}


def _newest_list() -> Select[Any]:
    number = certificate.c.status_list
    newest = select(func.max(number)).scalar_subquery()
    return select(number, func.count()).where(number == newest).group_by(number)
