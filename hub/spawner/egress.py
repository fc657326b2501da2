"""VALUE: the places outside that labs of a profile may reach, as the operator lists them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self

from pydantic_core import core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)*")
_OUTLET = re.compile(r"(\[[0-9A-Fa-f:]+\]|[^:\[\]\s]+):([0-9]{1,5})")
LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Outlet:
    """One host and port. ``host`` is a name in lower case, or an address."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host:port``, where host is a name, an IPv4 address, or an IPv6 address in brackets.

        Raises:
            ValueError: it is no such thing; a pattern is none, so that nothing is opened by a slip.
        """
        found = _OUTLET.fullmatch(text)
        host, port = (found[1].strip("[]").lower(), int(found[2])) if found else ("", 0)
        if not (1 <= port <= LARGEST_PORT) or not (_is_address(host) or _NAME.fullmatch(host)):
            raise ValueError(f"got {text!r}, expected host:port such as files.example:443")
        return cls(host, port)

    @property
    def is_address(self) -> bool:
        """Whether the operator wrote an address, so that no name is looked up."""
        return _is_address(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """In a configuration it is written as one string."""
        return core_schema.no_info_after_validator_function(cls.parse, core_schema.str_schema())


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
