"""What a credential of our own shape signs, written straight down: RDFC-1.0 N-Quads without a JSON-LD processor.

The general way (openbadgeslib over pyld) expands, compacts, compares and canonicalises: some 25 ms a credential. For
the few kinds of node that our credentials are made of, the published contexts leave one reading of every member, and
that reading is the tables below. A document is taken here only when every member is in them, in the form given there;
it is then the compacted form of what it expands to by construction. Everything else, whatever it is, answers None and
goes the general way: this module can make a check fast and can refuse nothing and accept nothing by itself.

tests/certs/test_quads.py holds it to the general way: for whatever is taken here, both give the same bytes and the
general check of the form holds. The issuer signs by the general way and verifies by this one, so that a
difference between them would stop a certificate before it leaves.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certs.credential.document import OB_CONTEXT, VC_CONTEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

_RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_OB = "https://purl.imsglobal.org/spec/vc/ob/vocab.html#"
_VC = "https://www.w3.org/2018/credentials#"
_STATUS = "https://www.w3.org/ns/credentials/status#"
_SECURITY = "https://w3id.org/security#"
_SCHEMA = "https://schema.org/"
# The Open Badges contexts spell XML Schema with https, W3C's with http; both are signed as they are spelled.
_XSD_OB = "https://www.w3.org/2001/XMLSchema#"
_XSD = "http://www.w3.org/2001/XMLSchema#"

# Addresses that JSON-LD keeps as they are: absolute, ASCII, no dot segments, nothing an N-Quad would have to escape.
_IRI = re.compile(r"(?:https?://|urn:uuid:|did:[a-z]+:)(?!.*/\.)[A-Za-z0-9:/#%~_.?=&-]+")
MAX_NODES = 2_000


class _NotOursError(Exception):
    """The document has a member, a type or a value that is not in the tables."""


@dataclass(frozen=True)
class _Text:
    """A string; ``datatype`` is the IRI its context types it with, empty for plain text."""

    datatype: str = ""


class _Link:
    """The address of something that is not described here."""


class _Flag:
    """A boolean."""


@dataclass(frozen=True)
class _Node:
    """A node: its types (term → IRI, in their order), whether it has an id, and what its members mean."""

    types: tuple[tuple[str, str], ...]
    has_id: bool
    members: Mapping[str, tuple[str, _Form]]


_Form = _Text | _Link | _Flag | _Node
_PLAIN, _URI, _TIME = _Text(), _Text(f"{_XSD_OB}anyURI"), _Text(f"{_XSD}dateTime")
_NAME = {"name": (f"{_SCHEMA}name", _PLAIN)}


def _ob(*names: str) -> dict[str, tuple[str, _Form]]:
    return {name: (_OB + name, _PLAIN) for name in names}


_PROFILE = _Node((("Profile", f"{_OB}Profile"),), True, {**_NAME, "url": (f"{_SCHEMA}url", _URI)})
_STATUS_ENTRY = _Node(
    (("BitstringStatusListEntry", f"{_STATUS}BitstringStatusListEntry"),),
    True,
    {
        "statusPurpose": (f"{_STATUS}statusPurpose", _PLAIN),
        "statusListIndex": (f"{_STATUS}statusListIndex", _PLAIN),
        "statusListCredential": (f"{_STATUS}statusListCredential", _Link()),
    },
)
_EVIDENCE = _Node(
    (("Evidence", f"{_OB}Evidence"),),
    True,
    {
        **_NAME,
        **_ob("narrative"),
        "genre": (f"{_SCHEMA}genre", _PLAIN),
        "digestSRI": (f"{_VC}digestSRI", _Text(f"{_VC}sriString")),
    },
)
_IDENTITY = _Node(
    (("IdentityObject", f"{_OB}IdentityObject"),),
    False,
    {**_ob("identityHash", "identityType", "salt"), "hashed": (f"{_OB}hashed", _Flag())},
)
_RESULT = _Node(
    (("Result", f"{_OB}Result"),),
    False,
    {"resultDescription": (f"{_OB}resultDescription", _URI), "value": (f"{_SCHEMA}value", _PLAIN)},
)
_RESULT_DESCRIPTION = _Node(
    (("ResultDescription", f"{_OB}ResultDescription"),),
    True,
    {**_NAME, **_ob("resultType", "valueMin", "valueMax")},
)
_ALIGNMENT = _Node(
    (("Alignment", f"{_SCHEMA}AlignmentObject"),),
    False,
    {
        **_ob("targetCode"),
        "targetName": (f"{_SCHEMA}targetName", _PLAIN),
        "targetUrl": (f"{_SCHEMA}targetUrl", _URI),
    },
)
_ACHIEVEMENT = _Node(
    (("Achievement", f"{_OB}Achievement"),),
    True,
    {
        **_NAME,
        **_ob("achievementType", "humanCode", "version"),
        "description": (f"{_SCHEMA}description", _PLAIN),
        "criteria": (f"{_OB}Criteria", _Node((), False, _ob("narrative"))),
        "resultDescription": (f"{_OB}resultDescription", _RESULT_DESCRIPTION),
        "alignment": (f"{_OB}alignment", _ALIGNMENT),
    },
)
_SUBJECT = _Node(
    (("AchievementSubject", f"{_OB}AchievementSubject"),),
    True,
    {
        "identifier": (f"{_OB}identifier", _IDENTITY),
        "achievement": (f"{_OB}achievement", _ACHIEVEMENT),
        "result": (f"{_OB}result", _RESULT),
    },
)
_CREDENTIAL = _Node(
    (
        ("VerifiableCredential", f"{_VC}VerifiableCredential"),
        ("OpenBadgeCredential", f"{_OB}OpenBadgeCredential"),
    ),
    True,
    {
        **_NAME,
        "issuer": (f"{_VC}issuer", _PROFILE),
        "validFrom": (f"{_VC}validFrom", _TIME),
        "validUntil": (f"{_VC}validUntil", _TIME),
        "credentialSubject": (f"{_VC}credentialSubject", _SUBJECT),
        "credentialStatus": (f"{_VC}credentialStatus", _STATUS_ENTRY),
        "evidence": (f"{_VC}evidence", _EVIDENCE),
    },
)
_PROOF = _Node(
    (("DataIntegrityProof", f"{_SECURITY}DataIntegrityProof"),),
    False,
    {
        "created": ("http://purl.org/dc/terms/created", _TIME),
        "cryptosuite": (f"{_SECURITY}cryptosuite", _Text(f"{_SECURITY}cryptosuiteString")),
        "proofPurpose": (f"{_SECURITY}proofPurpose", _Link()),
        "verificationMethod": (f"{_SECURITY}verificationMethod", _Link()),
    },
)


_CLR = "https://purl.imsglobal.org/spec/vc/clr/vocab.html#"
_PROGRAMME = _Node(
    (("VerifiableCredential", f"{_VC}VerifiableCredential"), ("ClrCredential", f"{_CLR}ClrCredential")),
    True,
    {
        **{name: meant for name, meant in _CREDENTIAL.members.items() if name not in {"credentialSubject", "evidence"}},
        "credentialSubject": (
            f"{_VC}credentialSubject",
            _Node(
                (("ClrSubject", f"{_CLR}ClrSubject"),),
                True,
                {
                    "identifier": (f"{_CLR}identifier-1", _IDENTITY),
                    "achievement": (f"{_CLR}achievement", _ACHIEVEMENT),
                },
            ),
        ),
    },
)


def described_programme(outer: dict[str, Any]) -> frozenset[str] | None:
    """The ids that a programme credential without its members describes, or None when it is of another shape."""
    graph = _Graph()
    try:
        graph.describe(_PROGRAMME, {name: value for name, value in outer.items() if name != "proof"})
    except _NotOursError:
        return None
    return graph.ids()


def signed_hash(document: dict[str, Any]) -> bytes | None:
    """What an ``eddsa-rdfc-2022`` proof over ``document`` signs (64 bytes), or None when it is not of our shape.

    ``document`` has been read strictly (:func:`certs.credential.document.parse`).
    """
    if document.get("@context") != [VC_CONTEXT, OB_CONTEXT]:
        return None
    options = {name: value for name, value in document["proof"].items() if name != "proofValue"}
    if options.get("proofPurpose") != "assertionMethod":
        return None
    options["proofPurpose"] = f"{_SECURITY}assertionMethod"
    body = {name: value for name, value in document.items() if name not in {"@context", "proof"}}
    try:
        parts = [_canonical(node, value) for node, value in ((_PROOF, options), (_CREDENTIAL, body))]
    except _NotOursError:
        return None
    return b"".join(hashlib.sha256(part.encode()).digest() for part in parts)


def canonical(document: dict[str, Any]) -> str | None:
    """The canonical N-Quads of a credential without its proof, or None when it is not of our shape."""
    body = {name: value for name, value in document.items() if name not in {"@context", "proof"}}
    try:
        return _canonical(_CREDENTIAL, body)
    except _NotOursError:
        return None


def _canonical(node: _Node, value: dict[str, Any]) -> str:
    graph = _Graph()
    graph.describe(node, value)
    return graph.canonical()


class _Graph:
    """The statements of one document, with blank nodes as ``_:bN`` until they are named by what is said of them."""

    def __init__(self) -> None:
        self._statements: list[tuple[str, str, str]] = []
        self._ids: set[str] = set()
        self._blanks: dict[str, list[int]] = {}

    def describe(self, node: _Node, value: Any) -> str:
        """Add what ``value`` says as a ``node``; how statements name it."""
        if not isinstance(value, dict) or not value or len(self._ids) + len(self._blanks) > MAX_NODES:
            raise _NotOursError
        subject = self._subject(node, value)
        self._types(node, value, subject)
        for name, member in value.items():
            if name in {"id", "type"}:
                continue
            known = node.members.get(name)
            if known is None:
                raise _NotOursError
            for entry in _entries(member):
                self._say(subject, known[0], self._object(known[1], entry))
        return subject

    def ids(self) -> frozenset[str]:
        """What is described, by id."""
        return frozenset(name[1:-1] for name in self._ids)

    def canonical(self) -> str:
        """RDFC-1.0 where the first hash already tells all blank nodes apart; otherwise the document is not taken."""
        hashes = {self._first_degree_hash(blank): blank for blank in self._blanks}
        if len(hashes) != len(self._blanks):
            raise _NotOursError
        named = {hashes[digest]: f"_:c14n{number}" for number, digest in enumerate(sorted(hashes))}
        lines = {f"{named.get(s, s)} {p} {named.get(o, o)} .\n" for s, p, o in self._statements}
        return "".join(sorted(lines))

    def _subject(self, node: _Node, value: dict[str, Any]) -> str:
        if not node.has_id:
            if "id" in value:
                raise _NotOursError
            blank = f"_:b{len(self._blanks)}"
            self._blanks[blank] = []
            return blank
        subject = _iri(value.get("id"))
        # Two nodes of one id are one node in what is signed.
        if subject in self._ids:
            raise _NotOursError
        self._ids.add(subject)
        return subject

    def _types(self, node: _Node, value: dict[str, Any], subject: str) -> None:
        given = value.get("type", [])
        if (given if isinstance(given, list) else [given]) != [term for term, _ in node.types]:
            raise _NotOursError
        if "type" in value and not node.types:
            raise _NotOursError
        for _, iri in node.types:
            self._say(subject, _RDF_TYPE, f"<{iri}>")

    def _object(self, form: _Form, value: Any) -> str:
        if isinstance(form, _Node):
            return self.describe(form, value)
        if isinstance(form, _Flag):
            if not isinstance(value, bool):
                raise _NotOursError
            return f'"{str(value).lower()}"^^<{_XSD_OB}boolean>'
        if isinstance(form, _Link):
            return _iri(value)
        if not isinstance(value, str):
            raise _NotOursError
        return f'"{_escaped(value)}"' + (f"^^<{form.datatype}>" if form.datatype else "")

    def _say(self, subject: str, predicate: str, value: str) -> None:
        for name in {subject, value}:
            if name in self._blanks:
                self._blanks[name].append(len(self._statements))
        self._statements.append((subject, f"<{predicate}>", value))

    def _first_degree_hash(self, blank: str) -> str:
        def seen(name: str) -> str:
            return ("_:a" if name == blank else "_:z") if name in self._blanks else name

        lines = {
            f"{seen(s)} {p} {seen(o)} .\n" for s, p, o in (self._statements[index] for index in self._blanks[blank])
        }
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _entries(member: Any) -> list[Any]:
    if not isinstance(member, list):
        return [member]
    if not member:
        # JSON-LD drops an empty array, which leaves it unsigned.
        raise _NotOursError
    return member


def _iri(value: Any) -> str:
    if not isinstance(value, str) or not _IRI.fullmatch(value):
        raise _NotOursError
    return f"<{value}>"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").replace('"', '\\"')
