"""Releases a lab: installs the instructor's source, has nbgrader make the learners' version, refuses what leaks.

nbgrader's converter runs in this process, once a release. It runs twice: first in a folder of its own, without the
gradebook, so that a refused release changes nothing; then in the course's folder.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import InstantiateTests, SaveCells
from traitlets.config import Config

from grader.gate import GateReport
from grader.gradebook import open_gradebook
from grader.leaks import find_leaks
from grader.refusal import Refused
from grader.unpack import Caps, pack, unpack
from grader.verdict import LabVersion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grader.store import Store

IGNORED = (".ipynb_checkpoints", "__pycache__", ".git", ".DS_Store")
# AUTOTEST cells would run the source notebook's code here, outside any box; tests are written out instead.
CONVERTERS = [step for step in GenerateAssignment.preprocessors.default() if step is not InstantiateTests]


Gate = Callable[[LabVersion], GateReport]
"""Looks at a version before it is published."""


class ReleaseRefusedError(Exception):
    """A lab cannot be released; the message says why, in English, and :attr:`zh` in Chinese."""

    def __init__(self, *, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh


def release_lab(
    course_folder: Path,
    work_dir: Path,
    lab: str,
    *,
    store: Store | None = None,
    rubric: str = "",
    read_only: Sequence[tuple[str, str]] = (),
    environment: Mapping[str, str] | None = None,
    gate: Gate | None = None,
) -> LabVersion:
    """Release ``lab`` of the course whose content lies in ``course_folder``.

    Args:
        course_folder: the repository's content of the course; its name is the course's id.
        work_dir: nbgrader's course folder, with ``gradebook.db``; made when missing.
        lab: the assignment's name: ``source/<lab>/<lab>.ipynb``.
        store: where the version is published; it is only made when there is none.
        rubric: the rubric's path in the course folder, for its version.
        read_only: host path and path in the grading box, e.g. of the models.
        environment: variables for the grading run.
        gate: grades the reference and the blank (:func:`grader.gate.check_release`); not asked about a version that
            the store has already.

    Raises:
        ReleaseRefusedError: the source is incomplete, its release would give away what it keeps back, or the gate
            refuses; nothing has changed then.
    """
    made = rehearse(course_folder, lab, read_only=read_only, environment=environment)
    _pass(made, store, gate)
    _install(course_folder / "source" / lab, work_dir / "source" / lab, lab)
    _generate(work_dir, course_folder.name, lab, is_rehearsal=False)
    if store is not None:
        store.release(made, rubric_version=_digest_of(course_folder / rubric) if rubric else "")
    return made


def rehearse(
    course_folder: Path,
    lab: str,
    *,
    read_only: Sequence[tuple[str, str]] = (),
    environment: Mapping[str, str] | None = None,
) -> LabVersion:
    """What a release of ``lab`` would publish, arguments as of :func:`release_lab`; nothing is changed.

    Raises:
        ReleaseRefusedError: it cannot be generated, or it would give away what it keeps back.
    """
    with tempfile.TemporaryDirectory(prefix="reelwright-release-") as scratch:
        _install(course_folder / "source" / lab, Path(scratch) / "source" / lab, lab)
        _generate(Path(scratch), course_folder.name, lab, is_rehearsal=True)
        return read_version(Path(scratch), course_folder.name, lab, read_only=read_only, environment=environment)


def release_again(root: Path, course: str, lab: str, store: Store, *, gate: Gate | None = None) -> LabVersion:
    """Release what an instructor edited in nbgrader's own folder, deployed as the lab's current version is.

    Raises:
        ReleaseRefusedError: it cannot be generated, or does not pass the gate.
    """
    _generate(root, course, lab, is_rehearsal=False)
    current = store.current_lab_version(course, lab)
    known = store.lab_version(course, lab, current) if current else None
    made = read_version(
        root,
        course,
        lab,
        read_only=known.read_only if known else (),
        environment=known.environment if known else None,
    )
    _pass(made, store, gate)
    store.release(made, rubric_version=store.rubric_version(course, lab))
    return made


def _pass(made: LabVersion, store: Store | None, gate: Gate | None) -> None:
    is_known = store is not None and store.lab_version(made.course, made.lab, made.version) is not None
    if gate is None or is_known:
        return
    report = gate(made)
    if not report.passes:
        raise ReleaseRefusedError(zh=report.reasons_zh, en=report.reasons_en)


def read_version(
    root: Path,
    course: str,
    lab: str,
    *,
    read_only: Sequence[tuple[str, str]] = (),
    environment: Mapping[str, str] | None = None,
) -> LabVersion:
    """The version that ``root/source`` and ``root/release`` of nbgrader's folder hold, once it passed the gate.

    Raises:
        ReleaseRefusedError: it does not pass.
    """
    source_files = _read_folder(root / "source" / lab)
    files = _read_folder(root / "release" / lab)
    name = f"{lab}.ipynb"
    if name not in source_files or name not in files:
        raise ReleaseRefusedError(zh=f"缺少 {name}。", en=f"{name} is missing from the source or the release folder.")
    source, release = source_files[name], files.pop(name)
    check_gate(source, release, files)
    version = hashlib.sha256(pack({**files, name: source})).hexdigest()
    return LabVersion(
        course=course,
        lab=lab,
        version=version,
        source=source,
        release=_stamped(release, course, lab, version),
        files=files,
        read_only=tuple(read_only),
        environment=dict(environment or {}),
    )


def check_gate(source: bytes, release: bytes, files: Mapping[str, bytes]) -> None:
    """Refuse a release that leaks, holds a second notebook, or that our own intake could not unpack.

    Raises:
        ReleaseRefusedError: with every leak by file and cell.
    """
    if others := [name for name in files if name.endswith(".ipynb")]:
        raise ReleaseRefusedError(
            zh=f"一个实验只能有一个笔记本，多出：{'、'.join(others)}。",
            en=f"A lab has one notebook; got also {others}.",
        )
    if leaks := find_leaks(source, release, files):
        told = "; ".join(f"{leak.file}, cell {leak.grade_id or '?'}: {leak.words!r}" for leak in leaks[:10])
        raise ReleaseRefusedError(
            zh=f"发布版本会泄露答案、隐藏测试或评分标准：{told}",
            en=f"The release would give away a solution, a hidden test or a mark scheme: {told}",
        )
    try:
        unpack(pack(files), Caps())
    except Refused as refused:
        raise ReleaseRefusedError(zh=f"{refused.zh}（{refused.got}）", en=str(refused)) from refused


def converter_config(root: Path, course: str) -> Config:
    """The settings of nbgrader's converter: this course's folder, and no cell that runs code."""
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = course
    config.GenerateAssignment.preprocessors = CONVERTERS
    return config


def _generate(root: Path, course: str, lab: str, *, is_rehearsal: bool) -> None:
    config = converter_config(root, course)
    config.CourseDirectory.assignment_id = lab
    if is_rehearsal:
        config.GenerateAssignment.preprocessors = [step for step in CONVERTERS if step is not SaveCells]
    converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
    converter.force = True
    converter.no_database = is_rehearsal
    try:
        if not is_rehearsal:
            with open_gradebook(root, course):
                pass  # made here, where no program has to be started for it
        converter.start()
    except NbGraderException as error:
        raise ReleaseRefusedError(
            zh=f"nbgrader 无法生成实验 {lab} 的发布版本，原因见服务器日志。已有提交时不能增删评分单元格。",
            en=f"nbgrader could not make the release of {lab}, the log says why. "
            "Once there are submissions, cells cannot be added or removed.",
        ) from error


def _install(source: Path, target: Path, lab: str) -> None:
    if not (source / f"{lab}.ipynb").is_file():
        raise ReleaseRefusedError(zh=f"找不到 {source / lab}.ipynb。", en=f"{source / lab}.ipynb is not there.")
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*IGNORED))


def _read_folder(folder: Path) -> dict[str, bytes]:
    files = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_symlink():
            raise ReleaseRefusedError(
                zh=f"{relative} 是符号链接，不能发布。", en=f"{relative} is a link; links are not released."
            )
        if path.is_file() and not set(relative.parts) & set(IGNORED):
            files[relative.as_posix()] = path.read_bytes()
    return files


def _stamped(release: bytes, course: str, lab: str, version: str) -> bytes:
    """The released notebook with its own version in it, so that what is handed in says what it was made from."""
    notebook = json.loads(release)
    notebook["metadata"]["reelwright"] = {"course": course, "lab": lab, "version": version}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
