"""Bitstring Status Lists (W3C): one bit a certificate, published whole so that nobody learns who was looked up."""

from __future__ import annotations

LIST_SIZE = 131_072
"""Entries on a list: the least the standard allows, so that one bit hides among many."""
