"""Has the FOCUS project's own validator read ``focus.csv`` of an evidence pack: ``official_focus.py PACK PROGRAM``.

An optional job (``make focus-check PACK=claim.zip``). The validator as published knows FOCUS 1.0 at most, which wants
columns that 1.2 leaves to the case; what it says of the columns that our file has counts. It exits 0 whatever it finds,
so its totals are read. Prints one JSON object; exits 1 when a rule of a column of ours failed.
"""

import csv
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

FEWEST_RULES = 100
"""A report of fewer is no report."""


def main(pack: Path, program: Path) -> int:
    """Validate, and tell what failed of what we have, and what it wants besides."""
    with zipfile.ZipFile(pack) as files:
        table = files.read("focus.csv")
    columns = next(csv.reader(io.StringIO(table.decode())))
    with tempfile.TemporaryDirectory() as folder:
        file, report = Path(folder) / "focus.csv", Path(folder) / "report.xml"
        file.write_bytes(table)
        said = ["--validate-version", "1.0", "--column-namespace", "x_", "--output-type", "unittest"]
        # It looks for its list of currencies below the folder that it is run in.
        (installed,) = program.resolve().parent.parent.glob("lib/python3*/site-packages")
        command = [program.resolve(), "--data-file", file, *said, "--output-destination", report]
        subprocess.run(command, cwd=installed, check=True)
        cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 -- made by the line above
    failed = [case.get("name", "").split(" ::")[0] for case in cases if case.find("failure") is not None]
    ours = [rule for rule in failed if rule.rsplit("_", 1)[0] in columns]
    told = {"rules": len(cases), "failed": ours, "wants_besides": sorted(set(failed) - set(ours))}
    print(json.dumps(told))  # noqa: T201
    return int(bool(ours) or len(cases) < FEWEST_RULES)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
