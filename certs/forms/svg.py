"""Baked SVG badges, read as hostile: no document type, no entities, one credential, and the drawing as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import ParseError, fromstring  # type: ignore[import-untyped]

from certs.credential.document import MAX_BYTES

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NAMESPACE = "https://purl.imsglobal.org/ob/v3p0"
_CARRIERS = frozenset({f"{{{NAMESPACE}}}credential", "{http://openbadges.org}assertion"})
_ROOT = "{http://www.w3.org/2000/svg}svg"
_SOFTWARE = "data-software"
MAX_ELEMENTS = 50_000


class SvgError(Exception):
    """The bytes are no SVG with exactly one credential; the message says what was got and what was expected."""


@dataclass(frozen=True)
class BakedSvg:
    """What was found: the credential, the software named, and every element that is drawn, in order."""

    credential: bytes
    software: str
    picture: tuple[tuple[str, tuple[tuple[str, str], ...], str, str, int], ...]


def bake_svg(picture: bytes, credential: bytes, software: str) -> bytes:
    """``picture`` with the credential in it as Open Badges 3.0 says, and the name of what drew it."""
    start, end, rest = picture.decode().partition(">")
    # Readers in use look for this very prefix.
    name = "openbadges:credential"
    carried = f'<{name} xmlns:openbadges="{NAMESPACE}">{escape(credential.decode())}</{name}>'
    return f'{start} {_SOFTWARE}="{escape(software)}"{end}{carried}{rest}'.encode()


def read_svg(data: bytes) -> BakedSvg:
    """The one credential baked into an SVG.

    Raises:
        SvgError: the file is damaged, declares a document type or entities, or carries none or several.
    """
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise SvgError(f"got an SVG that cannot be read ({str(error)[:120]}), expected a plain one") from None
    if root.tag != _ROOT:
        raise SvgError(f"got a document of {root.tag[:80]!r}, expected an SVG picture")
    elements = list(root.iter())
    if len(elements) > MAX_ELEMENTS:
        raise SvgError(f"got {len(elements)} elements, expected at most {MAX_ELEMENTS}")
    carriers = [element for element in elements if element.tag in _CARRIERS]
    if len(carriers) != 1 or len(carriers[0]):
        raise SvgError(f"got {len(carriers)} credentials in the SVG, expected exactly one")
    credential = (carriers[0].text or "").strip().encode()
    if len(credential) > MAX_BYTES:
        raise SvgError(f"got a credential of {len(credential)} bytes, expected at most {MAX_BYTES}")
    drawn = tuple(_drawn(element, carriers[0]) for element in elements if element is not carriers[0])
    return BakedSvg(credential, root.get(_SOFTWARE, ""), drawn)


def _drawn(element: Element, carrier: Element) -> tuple[str, tuple[tuple[str, str], ...], str, str, int]:
    attributes = tuple(sorted((name, value) for name, value in element.attrib.items() if name != _SOFTWARE))
    children = [child for child in element if child is not carrier]
    return str(element.tag), attributes, (element.text or "").strip(), (element.tail or "").strip(), len(children)
