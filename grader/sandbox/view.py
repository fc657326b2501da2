"""What of the host a box can see: the Python that runs our own programs, system libraries, and what the lab names.

Everything is read-only. The package itself is shown only as far as the program in the box needs it, so no course
source, database or key is in reach.
"""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import grader

HOST_NAME = "lab"
HOME = "/home/learner"
WORK = f"{HOME}/lab"
CODE = "/opt/reelwright"
OWN_FOLDERS = ("/tmp", "/dev/shm", HOME)  # noqa: S108  in the box
"""Fresh, empty and writable in every box."""

_ETC = (
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
)
_SHIPPED_WITH_SOURCES = ("courses", "hub", "certs", "grader")


@dataclass(frozen=True)
class View:
    """``binds`` are (host path, path in the box), ``links`` (target, path in the box), ``hidden`` emptied folders."""

    binds: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]

    def parents(self) -> list[str]:
        """Folders that must be made for the binds, outermost first."""
        tops = [box for _, box in self.binds]
        made = {str(folder) for top in tops for folder in PurePosixPath(top).parents}
        return sorted(folder for folder in made if not any(f"{folder}/".startswith(f"{top}/") for top in (*tops, "//")))

    def in_own_folders(self) -> list[str]:
        """Paths of binds that lie in a folder which every box has to itself, without those inside another one."""
        found = [box for _, box in self.binds if box.startswith(tuple(f"{folder}/" for folder in OWN_FOLDERS))]
        return [box for box in found if not any(box.startswith(f"{other}/") for other in found)]


def host_view(role: str, read_only: tuple[tuple[str, str], ...]) -> View:
    """The view of a box in ``role`` with the lab's ``read_only`` folders added."""
    binds: dict[str, str] = {"/usr": "/usr"}
    links: list[tuple[str, str]] = []
    for top in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        path = Path(top)
        if path.is_symlink():
            links.append((str(path.readlink()), top))
        elif path.is_dir():
            binds[top] = top
    binds |= {path: path for path in (*_ETC, *_python_folders()) if Path(path).exists()}
    parts = ("sandbox", "check") if role == "checker" else ("sandbox",)
    package = Path(grader.__path__[0])
    for part in ("__init__.py", *parts):
        binds[f"{CODE}/grader/{part}"] = str(package / part)
    binds |= {box_path: _readable(host) for host, box_path in read_only}
    by_depth = sorted(binds.items(), key=lambda pair: pair[0].count("/"))
    return View(tuple((host, box) for box, host in by_depth), tuple(links), _hidden_folders())


def _readable(host: str) -> str:
    """``host`` resolved, when a box's own user id may read it.

    Raises:
        OSError: it is missing, or readable only to its owner.
    """
    path = Path(host).resolve(strict=True)
    needed = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    if os.getuid() == 0 and path.stat().st_mode & needed != needed:
        raise PermissionError(f"{path}: got mode {stat.filemode(path.stat().st_mode)}, expected readable by others")
    return str(path)


def _python_folders() -> list[str]:
    folders = [
        folder for folder in (sys.base_prefix, sys.prefix) if not folder.startswith("/usr/") and folder != "/usr"
    ]
    folders.append(str(Path(sys.executable).parent))
    # An editable install keeps the labs toolkit outside site-packages; notebooks import it.
    toolkit = importlib.util.find_spec("labs")
    if toolkit is not None:
        folders += list(toolkit.submodule_search_locations or ())
    return list(dict.fromkeys(folders))


def _hidden_folders() -> tuple[str, ...]:
    # A plain install puts course sources (with solutions and hidden tests) beside the libraries.
    site = Path(sysconfig.get_path("purelib"))
    return tuple(str(site / name) for name in _SHIPPED_WITH_SOURCES if (site / name).is_dir())


def box_environment() -> dict[str, str]:
    """The whole environment of a box before the lab adds its own; nothing is inherited."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME,
        "USER": "learner",
        "LOGNAME": "learner",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",  # noqa: S108  the box's own tmpfs
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108  the box's own tmpfs
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
