"""Gives back what nobody uses: when a running lab ends by itself, who is warned, and what the idle culler is told."""

from pathlib import Path

CULLER_CONFIG = Path(__file__).parent / "culler_config.py"
"""What the idle culler is started with."""
