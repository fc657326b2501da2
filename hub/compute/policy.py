"""The money rules as one value: tariffs and programmes, with a digest under which the ledger's chain keeps them.

The chain holds the whole text of every policy a lease was opened under, so that each charge can be computed again from
the chain alone, whatever became of the files.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hub.compute.chain import canonical
from hub.compute.dated import Rule
from hub.compute.subsidy import SubsidyBook, read_subsidies
from hub.compute.tariff import PriceList, read_tariffs

if TYPE_CHECKING:
    from pathlib import Path


class Policy(Rule):
    """What sessions cost and who pays, at every time the files speak of."""

    prices: PriceList
    subsidies: SubsidyBook

    @cached_property
    def text(self) -> dict[str, Any]:
        """All of it as plain data; :meth:`model_validate` reads it back."""
        return self.model_dump(mode="json")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of :attr:`text`, in hexadecimal."""
        return hashlib.sha256(canonical(self.text).encode()).hexdigest()


def load_policy(tariffs: Path, subsidies: Path) -> Policy:
    """Read both rule files.

    Raises:
        PolicyError: one of them is missing, no TOML, or breaks a rule; the message says which and why.
    """
    return Policy(prices=read_tariffs(tariffs), subsidies=read_subsidies(subsidies))
