"""Keeps requested and issued certificates, status lists and public keys: all the SQL of certs.

The public web app and the issuer process share it. Nothing here holds or sees a private key.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from certs import tables
from certs.certificate import Certificate, Claim, State, claim_from_json, claim_to_json
from certs.credential.controller import PublicKey
from certs.rules import check
from certs.status import LIST_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence


# A list is closed at half full: a random free index is then found in two tries on average, and an index never tells
# in what order certificates were asked for.
LIST_FILL = LIST_SIZE // 2
_ATTEMPTS = 64

_certificate = tables.certificate
_form = tables.form
_RECORD = [_certificate.c[name] for name in Certificate.__dataclass_fields__]


class UnknownCertificateError(Exception):
    """No issued certificate has the id."""


class Store:
    """Reads and writes certificates through ``engine`` (see the hub's ``open_engine``)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def request(self, claim: Claim) -> str:
        """Ask for a certificate; the id of the one there is when this holder already has it for this course.

        Raises:
            certs.rules.ClaimRefused: the claim may not be certified; nothing is kept.
        """
        check(claim)
        existing = self._id_of(claim)
        for _ in range(_ATTEMPTS):
            if existing is not None:
                return existing
            try:
                return self._insert(claim)
            except IntegrityError:
                # Somebody asked for the same certificate at the same moment, or took the same status index.
                existing = self._id_of(claim)
        raise RuntimeError(f"no free status index found in {_ATTEMPTS} tries")

    def by_id(self, certificate_id: str) -> Certificate | None:
        """The certificate with this id, whatever its state; one indexed read."""
        return self._one(select(*_RECORD).where(_certificate.c.id == certificate_id))

    def for_holder(self, holder_ref: str) -> tuple[Certificate, ...]:
        """All certificates of a holder, oldest first."""
        query = select(*_RECORD).where(_certificate.c.holder_ref == holder_ref)
        return self._many(query.order_by(_certificate.c.requested_us))

    def pending(self, limit: int = 100) -> tuple[tuple[Certificate, Claim], ...]:
        """What waits to be signed, oldest first, with its claim."""
        query = select(*_RECORD, _certificate.c.claim).where(_certificate.c.state == State.PENDING)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(_certificate.c.requested_us).limit(limit)).all()
        return tuple((_record(row), claim_from_json(row.claim)) for row in rows)

    def record_signed(self, certificate_id: str, document: bytes, forms: dict[str, bytes]) -> None:
        """Keep the exact signed bytes and the printed forms (``pdf``, ``png``); a second call changes nothing."""
        values = {
            "state": State.ISSUED,
            "document": document,
            "document_sha256": _sha256(document),
            "issued_us": now_us(),
        }
        query = update(_certificate).where(_certificate.c.id == certificate_id, _certificate.c.state == State.PENDING)
        with self._engine.begin() as connection:
            if connection.execute(query.values(values)).rowcount == 0:
                return
            for kind, content in forms.items():
                row = {"certificate_id": certificate_id, "kind": kind, "content": content, "sha256": _sha256(content)}
                connection.execute(insert(_form).values(row))

    def record_refused(self, certificate_id: str, reason: str) -> None:
        """Keep why the issuer would not sign, so that it is not tried again and a person can see it."""
        query = update(_certificate).where(_certificate.c.id == certificate_id, _certificate.c.state == State.PENDING)
        with self._engine.begin() as connection:
            connection.execute(query.values(state=State.REFUSED, refused_reason=reason))

    def form(self, certificate_id: str, kind: str) -> bytes | None:
        """A printed form (``pdf`` or ``png``) of an issued certificate."""
        query = select(_form.c.content).where(_form.c.certificate_id == certificate_id, _form.c.kind == kind)
        with self._reading() as connection:
            content: bytes | None = connection.execute(query).scalar_one_or_none()
        return content

    def revoke(self, certificate_id: str, reason: str) -> None:
        """Revoke an issued certificate; the first reason stays. The page says so at once, the status list soon after.

        Raises:
            ValueError: no reason is given.
            UnknownCertificateError: there is no such issued certificate.
        """
        if not reason.strip():
            raise ValueError("revoke: got no reason, expected one that the holder can be told")
        found = self.by_id(certificate_id)
        if found is None or found.state != State.ISSUED:
            raise UnknownCertificateError(f"got {certificate_id!r}, expected the id of an issued certificate")
        query = update(_certificate).where(_certificate.c.id == certificate_id, _certificate.c.revoked_us.is_(None))
        with self._engine.begin() as connection:
            connection.execute(query.values(revoked_us=now_us(), revoked_reason=reason.strip()))

    def status_list(self, number: int) -> bytes | None:
        """The signed status list as last published."""
        query = select(tables.status_list.c.document).where(tables.status_list.c.number == number)
        with self._reading() as connection:
            document: bytes | None = connection.execute(query).scalar_one_or_none()
        return document

    def published_lists(self) -> dict[int, bytes]:
        """Every signed status list by number; there is one for some 65,000 certificates."""
        table = tables.status_list
        with self._reading() as connection:
            return {row.number: row.document for row in connection.execute(select(table.c.number, table.c.document))}

    def list_numbers(self) -> tuple[int, ...]:
        """The numbers of all status lists that certificates point to; 0 is always there."""
        with self._reading() as connection:
            numbers = connection.execute(select(_certificate.c.status_list).distinct()).scalars().all()
        return tuple(sorted({0, *numbers}))

    def revoked_indices(self, number: int) -> tuple[int, ...]:
        """The indices of revoked certificates on a status list, in order."""
        query = select(_certificate.c.status_index).where(
            _certificate.c.status_list == number, _certificate.c.revoked_us.is_not(None)
        )
        with self._reading() as connection:
            return tuple(connection.execute(query.order_by(_certificate.c.status_index)).scalars())

    def list_age(self, number: int) -> tuple[int, int] | None:
        """When a status list was last signed, and how many bits it had set; None before the first time."""
        table = tables.status_list
        with self._reading() as connection:
            row = connection.execute(
                select(table.c.signed_us, table.c.set_count).where(table.c.number == number)
            ).one_or_none()
        return None if row is None else (row.signed_us, row.set_count)

    def publish_list(self, number: int, document: bytes, *, signed_us: int, set_count: int) -> None:
        """Replace a status list by a newly signed one."""
        table = tables.status_list
        values = {"document": document, "signed_us": signed_us, "set_count": set_count}
        with self._engine.begin() as connection:
            if connection.execute(update(table).where(table.c.number == number).values(values)).rowcount == 0:
                connection.execute(insert(table).values(number=number, **values))

    def register_key(self, multibase: str) -> None:
        """Make a public key the one that signs now; the one before it is retired from this moment on."""
        table = tables.issuer_key
        with self._engine.begin() as connection:
            known = connection.execute(select(table.c.retired_us).where(table.c.multibase == multibase)).one_or_none()
            if known is not None and known.retired_us is None:
                return
            connection.execute(update(table).where(table.c.retired_us.is_(None)).values(retired_us=now_us()))
            if known is None:
                connection.execute(insert(table).values(multibase=multibase, added_us=now_us()))
            else:
                connection.execute(update(table).where(table.c.multibase == multibase).values(retired_us=None))

    def public_keys(self) -> Sequence[PublicKey]:
        """Every public key this issuer ever signed with, oldest first."""
        table = tables.issuer_key
        with self._reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.added_us)).all()
        return tuple(PublicKey(row.multibase, row.retired_us, row.bad_from_us) for row in rows)

    def _id_of(self, claim: Claim) -> str | None:
        query = select(_certificate.c.id).where(
            _certificate.c.holder_ref == claim.holder_ref, _certificate.c.course == claim.course
        )
        with self._reading() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def _insert(self, claim: Claim) -> str:
        certificate_id = secrets.token_hex(16)
        with self._engine.begin() as connection:
            newest, used = connection.execute(_newest_list()).one_or_none() or (0, 0)
            values = {
                "id": certificate_id,
                "holder_ref": claim.holder_ref,
                "course": claim.course,
                "state": State.PENDING,
                "claim": claim_to_json(claim),
                "status_list": newest + 1 if used >= LIST_FILL else newest,
                "status_index": secrets.randbelow(LIST_SIZE),
                "requested_us": now_us(),
            }
            connection.execute(insert(_certificate).values(values))
        return certificate_id

    def _one(self, query: Select[Any]) -> Certificate | None:
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _record(row)

    def _many(self, query: Select[Any]) -> tuple[Certificate, ...]:
        with self._reading() as connection:
            return tuple(_record(row) for row in connection.execute(query).all())

    def _reading(self) -> Any:
        # The option is what the hub's engine understands as "take no write lock"; other engines ignore it.
        return self._engine.connect().execution_options(read_only=True)


def now_us() -> int:
    """The server's clock in microseconds since the epoch."""
    return time.time_ns() // 1_000


def _newest_list() -> Select[Any]:
    number = _certificate.c.status_list
    return select(number, func.count()).group_by(number).order_by(number.desc()).limit(1)


def _record(row: Row[Any]) -> Certificate:
    values = {name: getattr(row, name) for name in Certificate.__dataclass_fields__}
    return Certificate(**{**values, "state": State(values["state"])})


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
