"""What the README says of the command is what the command says."""

import re
from pathlib import Path

from click.testing import CliRunner

from hub.cli import cli

ROOT = Path(__file__).parent.parent


def test_help_in_the_readme_is_the_programs() -> None:
    said = CliRunner().invoke(cli, ["--help"], prog_name="reelwright", terminal_width=80).output.strip()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.split("<!-- reelwright --help -->\n```\n", 1)[1].split("```", 1)[0].strip()
    assert shown == said


def test_every_link_in_the_docs_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
