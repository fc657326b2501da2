"""Fills a fresh instance with people, work, certificates and a month of ledger, through the public stores only."""

from hub.demo.fill import DemoRefusedError, fill

__all__ = ["DemoRefusedError", "fill"]
