"""Strict JSON before any JSON-LD: what a document may look like at all.

JSON-LD lets one signed statement be spelled in many ways, and every extra spelling is a way to hide something: a
holder can rename ``credentialStatus`` to its full IRI, keep the signature valid, and verifiers that look for the
short name never read the status. So names with ``:`` or ``@``, contexts inline or unknown, nested arrays, blank node
ids, duplicate names and unprintable characters are refused here, whatever the signature says.
"""

from __future__ import annotations

import json
from typing import Any

from certs.rules import unprintable

MAX_BYTES = 256 * 1024  # what the canonicalisation guard accepts; ours are about 8 KB
MAX_DEPTH = 24  # 1EdTech's "complete" example nests 10 deep
MAX_NAME = 100
MAX_CONTEXTS = 8

VC_CONTEXT = "https://www.w3.org/ns/credentials/v2"
OB_CONTEXT = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
# Exactly the documents bundled with openbadgeslib; anything else would have to be fetched, and nothing is.
KNOWN_CONTEXTS = frozenset(
    {
        VC_CONTEXT,
        OB_CONTEXT,
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.2.json",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.1.json",
        "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json",
        "https://w3id.org/security/data-integrity/v2",
    }
)


class DocumentRefusedError(Exception):
    """The document may not be looked at further; the message says what was got and what was expected."""


def load(data: bytes, *, limit: int = MAX_BYTES) -> dict[str, Any]:
    """One JSON object: UTF-8, at most ``limit`` bytes, no duplicate names, bounded depth, finite numbers.

    Raises:
        DocumentRefusedError: it is anything else.
    """
    if len(data) > limit:
        raise DocumentRefusedError(f"got {len(data)} bytes, expected at most {limit}")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise DocumentRefusedError(f"got nesting without end, expected at most {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise DocumentRefusedError(f"got no JSON ({str(error)[:120]}), expected a JSON object") from None
    if not isinstance(value, dict):
        raise DocumentRefusedError(f"got a JSON {type(value).__name__}, expected an object")
    _bound_depth(value)
    return value


def parse(data: bytes) -> dict[str, Any]:
    """A secured credential in the one spelling we accept.

    Raises:
        DocumentRefusedError: it is spelled in any other way, names an unknown context, or has no single proof.
    """
    document = load(data)
    check_spelling(document)
    return document


def check_spelling(document: dict[str, Any]) -> None:
    """Require the one spelling of a loaded credential that we accept.

    Raises:
        DocumentRefusedError: as :func:`parse`.
    """
    _contexts(document.get("@context"))
    walk({name: value for name, value in document.items() if name != "@context"})
    for name in ("credentialSubject", "proof"):
        if not isinstance(document.get(name), dict):
            raise DocumentRefusedError(f"{name}: got {_kind(document.get(name))}, expected exactly one object")


def walk(members: dict[str, Any]) -> None:
    """Require plain names and printable text all the way down.

    Raises:
        DocumentRefusedError: a name or a value is of a kind that could hide something.
    """
    for name, value in members.items():
        _walk(name, value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(names) < 1_000 else ["..."]  # noqa: PLR2004
        raise DocumentRefusedError(f"got the member {twice[0][:MAX_NAME]!r} twice in one object, expected it once")
    return result


def _no_constant(name: str) -> None:
    raise DocumentRefusedError(f"got the number {name}, expected a finite one")


def _bound_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
        if not level:
            return
    raise DocumentRefusedError(f"got more than {MAX_DEPTH} levels of nesting, expected fewer")


def _children(node: Any) -> Any:
    return node.values() if isinstance(node, dict) else node


def _contexts(context: Any) -> None:
    if not isinstance(context, list) or not context or len(context) > MAX_CONTEXTS:
        raise DocumentRefusedError(f"@context: got {_kind(context)}, expected a list of 1 to {MAX_CONTEXTS} addresses")
    for entry in context:
        if not isinstance(entry, str):
            raise DocumentRefusedError("@context: got an inline context, expected addresses of published ones only")
        if entry not in KNOWN_CONTEXTS:
            raise DocumentRefusedError(f"@context: got {entry[:200]!r}, which is not bundled; nothing is ever fetched")
    if context[0] != VC_CONTEXT or len(set(context)) != len(context):
        raise DocumentRefusedError(f"@context: got {context}, expected {VC_CONTEXT} first and each address once")


def _walk(where: str, value: Any) -> None:
    _name(where)
    pending = [(where, value)]
    while pending:
        path, node = pending.pop()
        if isinstance(node, dict):
            for name, child in node.items():
                _name(name)
                pending.append((f"{path}.{name}", child))
        elif isinstance(node, list):
            if any(isinstance(child, list) for child in node):
                raise DocumentRefusedError(f"{path}: got an array within an array, expected none")
            pending.extend((f"{path}[{index}]", child) for index, child in enumerate(node))
        elif node is None:
            raise DocumentRefusedError(f"{path}: got null, expected a value or no member at all")
        elif isinstance(node, str):
            _string(path, node)


def _name(name: str) -> None:
    if ":" in name or "@" in name or len(name) > MAX_NAME or not name.isprintable():
        raise DocumentRefusedError(f"got the member name {name[:MAX_NAME]!r}, expected a plain term without ':' or '@'")


def _string(path: str, text: str) -> None:
    if text.startswith("_:"):
        raise DocumentRefusedError(f"{path}: got the blank node id {text[:MAX_NAME]!r}, expected an address")
    if bad := unprintable(text, breaks=True):
        raise DocumentRefusedError(f"{path}: got the characters {', '.join(bad[:5])}, expected printable text")


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return (
        "nothing" if value is None else {"dict": "an object", "str": "a string"}.get(type(value).__name__, "a number")
    )
