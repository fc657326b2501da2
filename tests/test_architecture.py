"""The import rules of docs/architecture.md, as a test."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("hub", "labs", "grader", "certs")
SQL_ROOMS = ("store", "ledger", "tables", "migrations")
SQL_FILES = ("hub/db.py", "hub/migrate.py")
LONGEST_FILE = 400


def sources() -> list[Path]:
    return [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    tree = ast.parse(file.read_text())
    guarded = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    skipped = {id(inner) for node in guarded for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_import_contracts_hold() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(ROOT)))
def test_only_stores_tables_and_migrations_hold_sql(file: Path) -> None:
    relative = file.relative_to(ROOT)
    is_sql_room = any(part.removesuffix(".py") in SQL_ROOMS for part in relative.parts) or str(relative) in SQL_FILES
    assert is_sql_room or "sqlalchemy" not in imported(file)


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_is_longer_than_a_person_reads(file: Path) -> None:
    is_generated = file.parent.name == "versions"  # a migration is a record, written by Alembic
    assert is_generated or len(file.read_text().splitlines()) <= LONGEST_FILE
