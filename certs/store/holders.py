"""What a person may ask of us: everything kept about them, and that it be forgotten."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from certs import tables
from certs.certificate import State
from certs.store.rows import Rows, certificate, form

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PLAIN = [column for column in certificate.c if column.name not in {"claim", "document"}]


class Holders(Rows):
    """Export and erasure by ``holder_ref``."""

    def export_holder(self, holder_ref: str) -> dict[str, Any]:
        """Everything kept under a reference, as plain data: claims, credentials, standing, printed forms, shares."""
        query = select(*_PLAIN, certificate.c.claim, certificate.c.document)
        with self._reading() as connection:
            rows = connection.execute(
                query.where(certificate.c.holder_ref == holder_ref).order_by(certificate.c.requested_us)
            ).all()
            kept = [_exported(connection, row) for row in rows]
        return {"holder_ref": holder_ref, "certificates": kept}

    def erase_holder(self, holder_ref: str) -> int:
        """Forget everything about a holder; how many certificates it was.

        What stays is a row without a person: the random id and the place on the status list, so that neither is ever
        given to somebody else and a revocation stays in force, and the digest of the signature, so that a log of issue
        can still vouch for the copy that the holder keeps.
        """
        mine = select(certificate.c.id).where(certificate.c.holder_ref == holder_ref)
        with self._engine.begin() as connection:
            ids = list(connection.execute(mine).scalars())
            for table in (form, tables.share):
                connection.execute(delete(table).where(table.c.certificate_id.in_(mine)))
            for certificate_id in ids:
                connection.execute(
                    update(certificate).where(certificate.c.id == certificate_id).values(_emptied(certificate_id))
                )
        return len(ids)


def _exported(connection: Connection, row: Any) -> dict[str, Any]:
    forms = connection.execute(select(form.c.kind, form.c.content).where(form.c.certificate_id == row.id)).all()
    shares = connection.execute(select(tables.share).where(tables.share.c.certificate_id == row.id)).all()
    return {
        **{column.name: getattr(row, column.name) for column in _PLAIN},
        "claim": json.loads(row.claim),
        "credential": None if row.document is None else json.loads(row.document),
        "forms": {kind: base64.b64encode(content).decode() for kind, content in forms},
        "shares": [dict(share._mapping) for share in shares],  # noqa: SLF001 - SQLAlchemy's public name for it
    }


def _emptied(certificate_id: str) -> dict[str, Any]:
    empty = dict.fromkeys(("document", "document_sha256", "refused_reason", "revoked_reason", "paused_us"))
    return {**empty, "holder_ref": f"erased:{certificate_id}", "claim": "{}", "state": State.ERASED}
