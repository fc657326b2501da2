"""The lab's own clock: tells the platform how it is used, and shows the learner when it ends and what it costs.

Beside it stands the part that gives a narrow screen to the notebook.
"""

from pathlib import Path

LABEXTENSIONS = Path(__file__).parent / "labextensions"
"""Where JupyterLab finds the part that learners see."""
