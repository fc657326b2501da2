"""Keeps requested and issued certificates, status lists, public keys and shares: all the SQL of certs.

The public web app and the issuer process share it. Nothing here holds or sees a private key.
"""

from __future__ import annotations

from certs.store.certificates import LIST_FILL, Certificates, Progress, UnknownCertificateError
from certs.store.holders import Holders
from certs.store.published import Published
from certs.store.rows import now_us
from certs.store.sharing import Sharing

__all__ = ["LIST_FILL", "Progress", "Store", "UnknownCertificateError", "now_us"]


class Store(Certificates, Published, Sharing, Holders):
    """Reads and writes everything of certs through one engine (see the hub's ``open_engine``)."""
