# ruff: noqa: INP001 -- a step of an image build, run as a file
"""Takes out of an installation what no lab runs, then compiles what is left.

Usage: trim.py PREFIX. Headers, test suites, build tools and launchers go; so does ``rfc3987_syntax``: an optional
format checker that builds 35 parsers at every import of the server's event schemas.
"""

from __future__ import annotations

import compileall
import re
import shutil
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

PACKAGES = ("pip", "rfc3987_syntax", "hf_xet")
FOLDERS = (
    "torch/include", "torch/share", "torch/test", "torch/utils/benchmark", "nbgrader/tests", "nbgrader/docs",
    "matplotlib/tests", "networkx/tests", "jupyterlab/galata", "notebook/static", "notebook/staging",
    "jedi/third_party/django-stubs",
)  # fmt: skip
PROGRAMS = (
    "torchrun",
    "f2py",
    "numpy-config",
    "pip",
    "pip3",
    "pip3.11",
    "Activate.ps1",
    "activate.csh",
    "activate.fish",
)
NOT_RUN = ("*.pyi", "*.a", "*.h", "*.hpp", "*.cpp", "*.cu", "*.js.map", "*.css.map", "*.c", "*.pyx", "*.pxd", "*.rlib")
STUBS_ARE_READ_BY = {"jedi", "lazy_importer"}
LANGUAGES = re.compile(r"(root|en|zh)(_\w+)?\.dat")
MOSTLY_UNUSED = re.compile(
    r"/(transformers/models|diffusers/(pipelines|modular_pipelines|models)|sympy|networkx"
    r"|torch/(_inductor|_dynamo|distributed|testing|onnx|ao))/"
)
"""A quarter of all compiled files for modules that labs never import; the few that they do are compiled by the trial
import that follows (try_lab.py)."""


def main() -> int:
    """Trim and compile; sample files of packages that were never meant to compile are passed over."""
    prefix = Path(sys.argv[1])
    site = prefix / "lib" / "python3.11" / "site-packages"
    before = size(prefix)
    for name in PACKAGES:
        remove_distribution(site, name)
    (site / "distutils-precedence.pth").unlink(missing_ok=True)
    for folder in FOLDERS:
        shutil.rmtree(site / folder, ignore_errors=True)
    for program in PROGRAMS:
        (prefix / "bin" / program).unlink(missing_ok=True)
    remove_tests_and_sources(site)
    keep_only(site / "jupyterlab" / "staging", re.compile("package.json"))  # it reads its own version there
    keep_only(site / "torch" / "bin", re.compile("torch_shm_manager"))
    keep_only(site / "babel" / "locale-data", LANGUAGES)
    sys.stdout.write(f"trimmed {(before - size(prefix)) >> 20} MiB of {before >> 20}\n")
    # Unchecked: a layer's times may change, and the server would then compile everything anew at every start.
    compileall.compile_dir(
        site, quiet=2, workers=0, rx=MOSTLY_UNUSED, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
    )
    return 0


def remove_distribution(site: Path, name: str) -> None:
    """Remove a package's folder and its record, so that the list of packages does not name it."""
    shutil.rmtree(site / name, ignore_errors=True)
    for record in site.glob(f"{name}-*.dist-info"):
        shutil.rmtree(record)


def remove_tests_and_sources(site: Path) -> None:
    """Remove test suites, and sources and stubs that only a compiler or a type checker reads."""
    for tests in list(site.rglob("tests")):
        if tests.is_dir() and "diffusers" not in tests.parts:
            shutil.rmtree(tests, ignore_errors=True)
    for pattern in NOT_RUN:
        for file in site.rglob(pattern):
            if file.suffix != ".pyi" or not STUBS_ARE_READ_BY & set(file.parts):
                file.unlink()


def keep_only(folder: Path, wanted: re.Pattern[str]) -> None:
    """Remove everything in ``folder`` whose name is not ``wanted``."""
    for entry in folder.iterdir():
        if not wanted.fullmatch(entry.name):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def size(folder: Path) -> int:
    """Bytes of all regular files under ``folder``."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


if __name__ == "__main__":
    sys.exit(main())
