"""What the holder decides: whether their certificate's address shows anything, and addresses that show less."""

from __future__ import annotations

import secrets

from sqlalchemy import func, insert, select, update

from certs.certificate import Share
from certs.store.rows import Rows, certificate, now_us
from certs.store.rows import share as _share

_SHARE = [_share.c[name] for name in Share.__dataclass_fields__]
MAX_SHARES = 100


class Sharing(Rows):
    """Pauses and shares. Callers make sure that it is the holder who asks."""

    def pause(self, certificate_id: str) -> None:
        """Show nothing at the certificate's own address until :meth:`resume`.

        Raises:
            UnknownCertificateError: there is no such issued certificate.
        """
        self._issued(certificate_id)
        query = update(certificate).where(certificate.c.id == certificate_id)
        with self._engine.begin() as connection:
            connection.execute(query.values(paused_us=func.coalesce(certificate.c.paused_us, now_us())))

    def resume(self, certificate_id: str) -> None:
        """Show the certificate at its own address again.

        Raises:
            UnknownCertificateError: there is no such issued certificate.
        """
        self._issued(certificate_id)
        with self._engine.begin() as connection:
            connection.execute(update(certificate).where(certificate.c.id == certificate_id).values(paused_us=None))

    def share(self, certificate_id: str, *, hide_name: bool, hide_score: bool) -> str:
        """A new address (its last part, 128 random bits) that shows the certificate without what is hidden.

        Raises:
            UnknownCertificateError: there is no such issued certificate.
            ValueError: there are very many already.
        """
        self._issued(certificate_id)
        if len([share for share in self.shares(certificate_id) if share.ended_us is None]) >= MAX_SHARES:
            raise ValueError(f"share: got {MAX_SHARES} addresses already, expected an old one to be ended first")
        token = secrets.token_hex(16)
        row = {"token": token, "certificate_id": certificate_id, "created_us": now_us()}
        with self._engine.begin() as connection:
            connection.execute(insert(_share).values(**row, hide_name=hide_name, hide_score=hide_score))
        return token

    def shares(self, certificate_id: str) -> tuple[Share, ...]:
        """Every address the holder gave out, newest first; ended ones included."""
        query = select(*_SHARE).where(_share.c.certificate_id == certificate_id)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(_share.c.created_us.desc())).all()
        return tuple(Share(**row._mapping) for row in rows)  # noqa: SLF001 - SQLAlchemy's public name for it

    def by_token(self, token: str) -> Share | None:
        """The share at an address, ended or not."""
        with self._reading() as connection:
            row = connection.execute(select(*_SHARE).where(_share.c.token == token)).one_or_none()
        return None if row is None else Share(**row._mapping)  # noqa: SLF001

    def end_share(self, certificate_id: str, token: str) -> None:
        """End one address for good; nothing happens when it is not an address of this certificate."""
        query = update(_share).where(_share.c.token == token, _share.c.certificate_id == certificate_id)
        with self._engine.begin() as connection:
            connection.execute(query.where(_share.c.ended_us.is_(None)).values(ended_us=now_us()))
