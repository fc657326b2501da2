"""A credential opened: strictly parsed, of the kind it says, with its facts and what is inside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from certs.credential.document import check_spelling, load
from certs.credential.facts import Facts, read_facts, read_programme
from certs.credential.programme import is_programme, open_programme


@dataclass(frozen=True)
class Opened:
    """One credential in the accepted spelling; ``members`` are the course credentials of a programme."""

    document: dict[str, Any]
    members: tuple[dict[str, Any], ...]

    def facts(self) -> Facts:
        """What it says.

        Raises:
            certs.credential.facts.FactsError: a member is of another form, or two of them disagree.
        """
        return read_programme(self.document, self.members) if self.members else read_facts(self.document)


def open_credential(data: bytes) -> Opened:
    """Open the JSON of one credential, a course's or a programme's.

    Raises:
        certs.credential.document.DocumentRefusedError: it is spelled in any way but the accepted one.
    """
    document = load(data)
    if is_programme(document):
        return Opened(document, open_programme(document))
    check_spelling(document)
    return Opened(document, ())
