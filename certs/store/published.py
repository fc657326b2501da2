"""What the issuer publishes: status lists, public keys, and the logs of keys that had to be given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from certs import tables
from certs.certificate import State
from certs.credential.controller import PublicKey
from certs.store.rows import Rows, certificate, now_us

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnknownKeyError(Exception):
    """This issuer never signed with the key."""


class Published(Rows):
    """Status lists, keys, logs."""

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
            newest: int | None = connection.execute(select(func.max(certificate.c.status_list))).scalar_one()
        return tuple(range((newest or 0) + 1))

    def revoked_indices(self, number: int) -> tuple[int, ...]:
        """The indices of revoked and superseded certificates on a status list, in order."""
        query = select(certificate.c.status_index).where(
            certificate.c.withdrawn_us > 0, certificate.c.status_list == number
        )
        with self._reading() as connection:
            return tuple(connection.execute(query.order_by(certificate.c.status_index)).scalars())

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
        """Make a public key the one that signs now; the one before it is retired from this moment on.

        Raises:
            ValueError: the key was given up as compromised; it never signs again.
        """
        table = tables.issuer_key
        with self._engine.begin() as connection:
            known = connection.execute(select(table).where(table.c.multibase == multibase)).one_or_none()
            if known is not None and known.bad_from_us is not None:
                raise ValueError(f"register_key: {multibase} was given up as compromised; make a new key")
            if known is not None and known.retired_us is None:
                return
            connection.execute(update(table).where(table.c.retired_us.is_(None)).values(retired_us=now_us()))
            if known is None:
                connection.execute(insert(table).values(multibase=multibase, added_us=now_us()))
            else:
                connection.execute(update(table).where(table.c.multibase == multibase).values(retired_us=None))

    def mark_key_bad(self, multibase: str, from_us: int) -> None:
        """Give a key up: what it signs from this moment on never counts; an earlier moment may follow, no later one.

        What it signed before stays good once the next key has signed the log of it (:func:`certs.issue.refresh_logs`).

        Raises:
            UnknownKeyError: this issuer never signed with it.
        """
        table = tables.issuer_key
        this = table.c.multibase == multibase
        with self._engine.begin() as connection:
            known = connection.execute(select(table.c.bad_from_us).where(this)).one_or_none()
            if known is None:
                raise UnknownKeyError(f"got {multibase!r}, expected a public key this issuer signed with")
            earliest = min(from_us, from_us if known.bad_from_us is None else known.bad_from_us)
            connection.execute(update(table).where(this).values(bad_from_us=earliest))

    def public_keys(self) -> Sequence[PublicKey]:
        """Every public key this issuer ever signed with, oldest first."""
        table = tables.issuer_key
        with self._reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.added_us)).all()
        return tuple(PublicKey(row.multibase, row.retired_us, row.bad_from_us) for row in rows)

    def signed_before(self, multibase: str, before_us: int) -> tuple[str, ...]:
        """Digests of the proofs made with a key and recorded before a moment, in order."""
        query = select(certificate.c.proof_sha256).where(
            certificate.c.state.in_((State.ISSUED, State.ERASED)),
            certificate.c.signed_with == multibase,
            certificate.c.issued_us < before_us,
        )
        with self._reading() as connection:
            return tuple(sorted(connection.execute(query).scalars()))

    def log_state(self, multibase: str) -> tuple[int, str] | None:
        """For which moment the log of a key was last signed, and with which key; None before the first time."""
        table = tables.issue_log
        query = select(table.c.bad_from_us, table.c.signed_with).where(table.c.multibase == multibase)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.bad_from_us, row.signed_with)

    def publish_log(self, multibase: str, document: bytes, *, bad_from_us: int, signed_with: str) -> None:
        """Replace the log of a key by a newly signed one."""
        table = tables.issue_log
        values = {
            "document": document,
            "bad_from_us": bad_from_us,
            "signed_us": now_us(),
            "signed_with": signed_with,
        }
        with self._engine.begin() as connection:
            if connection.execute(update(table).where(table.c.multibase == multibase).values(values)).rowcount == 0:
                connection.execute(insert(table).values(multibase=multibase, **values))

    def issue_log(self, multibase: str) -> bytes | None:
        """The signed log of a given-up key."""
        query = select(tables.issue_log.c.document).where(tables.issue_log.c.multibase == multibase)
        with self._reading() as connection:
            document: bytes | None = connection.execute(query).scalar_one_or_none()
        return document

    def issue_logs(self) -> tuple[bytes, ...]:
        """Every signed log; there is one for each key that had to be given up."""
        with self._reading() as connection:
            return tuple(connection.execute(select(tables.issue_log.c.document)).scalars())
