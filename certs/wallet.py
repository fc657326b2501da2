"""How a credential gets into its holder's wallet: the W3C VC API's interaction address and exchange.

The QR code holds an interaction address (``?iuv=1``). A wallet asks it which protocols there are, posts to the exchange
it names, and is answered with a presentation that holds the credential. Nothing is asked of the wallet: who has the
certificate's address may read it anyway, so the exchange keeps no state and repeats itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from certs.credential.document import VC_CONTEXT

if TYPE_CHECKING:
    from certs.certificate import IssuerProfile

ANY_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type, Accept",
}
"""A wallet may be a page of another site; it may read what anybody may read, and no more."""


def exchange_address(profile: IssuerProfile, certificate_id: str) -> str:
    """Where a wallet posts to."""
    return f"{profile.address(certificate_id)}/wallet"


def interaction_address(profile: IssuerProfile, certificate_id: str) -> str:
    """What the QR code holds."""
    return f"{exchange_address(profile, certificate_id)}?iuv=1"


def protocols(profile: IssuerProfile, certificate_id: str) -> dict[str, Any]:
    """Which protocols a wallet may choose from."""
    return {"protocols": {"vcapi": exchange_address(profile, certificate_id)}}


def answer(document: bytes) -> bytes:
    """The end of the exchange: a presentation with the credential in it, which is signed; it needs no proof itself."""
    presentation = {
        "@context": [VC_CONTEXT],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [json.loads(document)],
    }
    return json.dumps({"verifiablePresentation": presentation}, ensure_ascii=False).encode()
