"""An instructor's lab: brings labs in the making into the home and sends them back to the course."""

from pathlib import Path

LABEXTENSIONS = Path(__file__).parent / "labextensions"
"""Where JupyterLab finds the part that instructors see."""
CONFIG_FOLDER = Path(__file__).parent / "author_config"
"""Jupyter's settings that differ from a learner's."""
AUTHOR_VARIABLE = "REELWRIGHT_AUTHOR"
"""Set in the lab of somebody who teaches a course."""
