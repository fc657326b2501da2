"""The release gate: before learners get a lab, its reference and its blank are graded as theirs will be.

The reference must get every automatic point, the blank none; points, secrets, pictures and the run time are looked at,
and a release that is refused says why in words that an instructor can act on.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader.alt_text import pictures_without_words
from grader.check.notebook import NotebookRefused, parse_notebook
from grader.check.rebuild import LabBroken, rebuild
from grader.leaks import find_leaks
from grader.verdict import GradingJob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from grader.check.notebook import Tag
    from grader.submission import LabRules
    from grader.verdict import LabVersion, Verdict

MOST_OF_THE_LIMIT = 0.5
"""The reference may use this share of the lab's time limit: learners write slower code, on a busier machine."""
_MAX_TOLD = 10
_TINY = 1e-9


@dataclass(frozen=True)
class Finding:
    """One reason not to release; ``code`` is for programs, the sentences are for the instructor."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True)
class GateReport:
    """What the gate saw of one version of a lab. Points are automatic ones, times are seconds of a whole run."""

    version: str
    findings: tuple[Finding, ...]
    points: float = 0.0
    hand_points: float = 0.0
    reference_score: float = 0.0
    blank_score: float = 0.0
    reference_seconds: float = 0.0

    @property
    def passes(self) -> bool:
        """Whether the version may be released."""
        return not self.findings

    @property
    def reasons_zh(self) -> str:
        """All findings in Chinese."""
        return "；".join(finding.zh for finding in self.findings)

    @property
    def reasons_en(self) -> str:
        """All findings in English."""
        return "; ".join(finding.en for finding in self.findings)


def check_release(version: LabVersion, grade: Callable[[GradingJob], Verdict], rules: LabRules) -> GateReport:
    """Hold ``version`` against everything that a release must keep.

    Args:
        version: what is to be released.
        grade: the real grader, boxes and all; it is called twice, from two threads.
        rules: the lab's limits, which learners will have too.
    """
    # 1. What can be read without running anything.
    findings = [*_broken(version)]
    if findings:
        return GateReport(version.version, tuple(findings))
    findings += [*_points(version), *_leaks(version), *_pictures(version)]
    # 2. The reference: every automatic point, and time to spare. 3. The blank: none.
    #    Side by side, because somebody waits.
    with ThreadPoolExecutor(2) as pool:
        names = {"reference": version.source, "blank": version.release}
        jobs = [
            GradingJob(f"{name} {version.version}", version, data, limits=rules.limits, gpu=rules.gpu)
            for name, data in names.items()
        ]
        reference, blank = pool.map(grade, jobs)
    findings += [*_reference(reference), *_overwritten(reference), *_time(reference, rules), *_blank(blank)]
    auto = [cell for cell in reference.cells if cell.kind == "auto"]
    return GateReport(
        version=version.version,
        findings=tuple(findings),
        points=sum(cell.max_score for cell in auto),
        hand_points=reference.max_score - sum(cell.max_score for cell in auto),
        reference_score=sum(cell.score for cell in auto),
        blank_score=sum(cell.score for cell in blank.cells if cell.kind == "auto"),
        reference_seconds=reference.seconds,
    )


def _broken(version: LabVersion) -> Iterator[Finding]:
    try:
        rebuild(version, version.release)
    except (LabBroken, NotebookRefused) as error:
        yield Finding("broken", f"实验本身不能用来评分：{error}", f"the lab itself cannot be graded: {error}")


def _points(version: LabVersion) -> Iterator[Finding]:
    source, release = ({tag.grade_id: tag for tag in _tags(data)} for data in (version.source, version.release))
    graded = [tag for tag in source.values() if tag.grade or tag.task]
    if not any(tag.points for tag in graded):
        yield Finding("no-points", "没有任何计分单元格有分值", "no graded cell has any points")
    for tag in graded:
        if not tag.points:
            yield Finding(
                "zero-points", f"计分单元格 {tag.grade_id} 的分值为 0", f"graded cell {tag.grade_id} is worth 0 points"
            )
        shown = release.get(tag.grade_id)
        if shown is None or shown.points != tag.points:
            got = "no such cell" if shown is None else f"{shown.points:g}"
            yield Finding(
                "points-differ",
                f"{tag.grade_id} 的分值在发布版本中是 {got}，在源文件中是 {tag.points:g}",
                f"{tag.grade_id}: got {got} in the release, expected the source's {tag.points:g} points",
            )


def _tags(notebook: bytes) -> list[Tag]:
    return [cell.tag for cell in parse_notebook(notebook).cells if cell.tag is not None]


def _leaks(version: LabVersion) -> Iterator[Finding]:
    for leak in find_leaks(version.source, version.release, version.files)[:_MAX_TOLD]:
        place = f"{leak.file}, cell {leak.grade_id or '?'}: {leak.words!r}"
        yield Finding(
            "leak", f"发布版本泄露了不该公开的内容：{place}", f"the release gives away what it must not: {place}"
        )


def _pictures(version: LabVersion) -> Iterator[Finding]:
    for url in pictures_without_words(version.release)[:_MAX_TOLD]:
        yield Finding(
            "alt-text",
            f"图片 {url or '（无地址）'} 没有文字说明（alt），看不见图片的学员无法使用",
            f"picture {url or '(no address)'} has no text alternative (alt) for learners who cannot see it",
        )


def _reference(verdict: Verdict) -> Iterator[Finding]:
    if verdict.failure is not None:
        yield Finding(
            "reference-failed",
            f"参考答案没有运行完：{verdict.failure.reason_zh}",
            f"the reference did not run to its end: {verdict.failure.reason_en}",
        )
    for cell in verdict.cells:
        if cell.kind == "auto" and cell.score < cell.max_score - _TINY:
            got = f"{cell.grade_id} {cell.score:g}/{cell.max_score:g}"
            yield Finding(
                "reference-short",
                f"参考答案没有得满分：{got}，{cell.reason_zh}",
                f"the reference does not get full marks: {got}, {cell.reason_en}",
            )


def _overwritten(verdict: Verdict) -> Iterator[Finding]:
    for path in verdict.overwritten[:_MAX_TOLD]:
        yield Finding(
            "output-released",
            f"参考答案会写出 {path}，而这个文件随实验发放：学员写的会被忽略。请从实验文件夹里删掉它",
            f"the reference writes {path}, which goes out with the lab: what learners write there would not be looked "
            "at; delete it from the lab's folder",
        )


def _time(verdict: Verdict, rules: LabRules) -> Iterator[Finding]:
    allowed = rules.limits.wall_seconds * MOST_OF_THE_LIMIT
    if verdict.seconds > allowed:
        yield Finding(
            "too-slow",
            f"参考答案运行了 {verdict.seconds:.0f} 秒；本实验限时 {rules.limits.wall_seconds} 秒，"
            f"参考答案应不超过 {allowed:.0f} 秒",
            f"the reference took {verdict.seconds:.0f} s, expected at most {allowed:.0f} s of the lab's "
            f"{rules.limits.wall_seconds} s",
        )


def _blank(verdict: Verdict) -> Iterator[Finding]:
    if verdict.failure is not None and verdict.failure.kind == "infrastructure":
        yield Finding(
            "blank-failed",
            f"空白作业无法评分：{verdict.failure.reason_zh}",
            f"the blank could not be graded: {verdict.failure.reason_en}",
        )
    for cell in verdict.cells:
        if cell.kind == "auto" and cell.score > 0:
            got = f"{cell.grade_id} {cell.score:g}/{cell.max_score:g}"
            yield Finding(
                "blank-scores",
                f"什么都没写的作业也会得分：{got}",
                f"a submission with nothing done gets points: {got}",
            )
