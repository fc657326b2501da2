"""A skill: a folder with instructions and a program that an agent follows, pinned by version and digest per lab.

``SKILL.md`` opens with ``name``, ``version`` and ``description`` between two lines of ``---``; ``skill.py`` beside it
has a function ``run``. A lab's ``skill.lock`` says which one is meant: whoever changes a letter uses another skill.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs.language import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

INSTRUCTIONS, PROGRAM = "SKILL.md", "skill.py"
MAX_BYTES = 1_000_000
_IGNORED = frozenset({"__pycache__", ".ipynb_checkpoints"})


class SkillError(LabError):
    """A skill's folder or lock is missing, altered, or holds no skill."""


@dataclass(frozen=True, slots=True)
class Skill:
    """A skill whose every byte is what its lock says; ``run`` is its program's function."""

    name: str
    version: str
    description: str
    sha256: str
    instructions: str
    run: Callable[..., Any]


def skill_digest(folder: str | Path) -> str:
    """SHA-256 over ``path``, a space, the file's own SHA-256 and a line break, for every file by path.

    Raises:
        SkillError: there is no such folder, or it is larger than a skill can be.
    """
    place = Path(folder)
    if not place.is_dir():
        raise SkillError(f"没有技能文件夹 {place}", f"no skill folder {place}")
    files = sorted(file for file in place.rglob("*") if file.is_file() and not _IGNORED & set(file.parts))
    if sum(file.stat().st_size for file in files) > MAX_BYTES:
        raise SkillError(f"{place}：超过 {MAX_BYTES} 字节", f"{place}: more than {MAX_BYTES} bytes")
    lines = ((file.relative_to(place).as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files)
    return hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in sorted(lines)).encode()).hexdigest()


def open_skill(folder: str | Path, lock: str | Path = "skill.lock") -> Skill:
    """The skill in ``folder`` once it is sure to be the one that ``lock`` pins. Its program runs as your own code does.

    Raises:
        SkillError: folder or lock is missing or broken, or the digest is another one.
    """
    place, pinned = Path(folder), _pinned(Path(lock))
    digest = skill_digest(place)
    if digest != pinned.get("sha256"):
        raise SkillError(
            f"{place}：摘要是 {digest[:12]}…，{lock} 固定的是 {str(pinned.get('sha256'))[:12]}…；"
            "请还原文件夹，或有意更换固定版本",
            f"{place}: its digest is {digest[:12]}…, {lock} pins {str(pinned.get('sha256'))[:12]}…; "
            "restore the folder, or pin another version on purpose",
        )
    said, instructions = _front_matter(place / INSTRUCTIONS)
    return Skill(said["name"], said["version"], said["description"], digest, instructions, _program(place / PROGRAM))


def _pinned(lock: Path) -> dict[str, Any]:
    try:
        read = json.loads(lock.read_bytes()[:MAX_BYTES])
    except (OSError, ValueError) as error:
        raise SkillError(f"{lock}：读不出（{error}）", f"{lock}: cannot be read ({error})") from error
    if not isinstance(read, dict):
        raise SkillError(f"{lock}：应为 JSON 对象", f"{lock}: expected a JSON object")
    return read


def _front_matter(file: Path) -> tuple[dict[str, str], str]:
    try:
        opening, head, body = file.read_text(encoding="utf-8").split("---\n", 2)
        said = dict(line.split(": ", 1) for line in head.strip().splitlines())
    except (OSError, ValueError) as error:
        raise SkillError(f"{file}：开头应有三行说明（{error}）", f"{file}: expected front matter ({error})") from error
    missing = [name for name in ("name", "version", "description") if name not in said]
    if missing or opening.strip():
        raise SkillError(f"{file}：缺少 {missing}", f"{file}: its front matter lacks {missing}")
    return said, body.strip()


def _program(file: Path) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(f"skill_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise SkillError(f"没有程序 {file}", f"no program {file}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run = getattr(module, "run", None)
    if not callable(run):
        raise SkillError(f"{file}：没有函数 run", f"{file}: has no function run")
    found: Callable[..., Any] = run
    return found
