"""What a certificate will say, composed from course, grades and metered hours; pure, no I/O."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from certs.certificate import Claim, LabEvidence, Level, ProgrammeClaim, Skill, Text
from hub import completion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grader.submission import LabResult
    from hub.compute.lease import Metered
    from hub.course import Course, Lab
    from hub.course import Text as CourseText
    from hub.people.person import Person
    from hub.programme import Programme

SECOND_US = 1_000_000
MONTHS = 12


def claim(
    course: Course,
    person: Person,
    results: Sequence[LabResult],
    metered: Metered,
    score_percent: float,
    model_sha256: str | None,
    *,
    reference: str,
    completed_us: int,
) -> Claim:
    """Everything the certificate will say, taken from the grading records and the ledger."""
    by_lab = {result.lab: result for result in results}
    return Claim(
        holder_name=person.full_name,
        holder_ref=reference,
        course=course.id,
        course_version=course.version,
        title=_text(course.title),
        summary=_text(course.summary),
        criteria=_criteria(course),
        skills=tuple(Skill(skill.id, _text(skill.title)) for skill in course.skills),
        labs=tuple(_evidence(lab, by_lab[lab.id], model_sha256) for lab in course.labs),
        score_percent=round(score_percent, 1),
        lab_seconds=metered.lab_seconds,
        gpu_seconds=metered.gpu_seconds,
        subsidised_seconds=metered.subsidised_seconds,
        subsidised_gpu_seconds=metered.subsidised_gpu_seconds,
        ai_use=_text(course.ai_use),
        completed_us=completed_us,
        valid_until_us=ages_us(course, completed_us),
        level=None if course.level is None else Level(course.level),
    )


def programme_claim(
    programme: Programme, courses: Sequence[Course], members: Sequence[tuple[str, Claim]], *, reference: str
) -> ProgrammeClaim:
    """Everything the certificate over a programme will say: ``members`` are the course certificates' ids and claims."""
    claims = [found for _, found in members]
    ends = [found.valid_until_us for found in claims if found.valid_until_us is not None]
    identities = {found.identity_sha256 for found in claims}
    return ProgrammeClaim(
        holder_name=claims[0].holder_name,
        holder_ref=reference,
        course=programme.id,
        course_version=programme.version,
        title=_text(programme.title),
        summary=_text(programme.summary),
        criteria=Text(
            zh="取得以下全部课程的结业证书：" + "、".join(course.title.zh for course in courses) + "。",
            en="Holds the certificate of every course: " + "; ".join(course.title.en for course in courses) + ".",
        ),
        members=tuple(certificate_id for certificate_id, _ in members),
        completed_us=max(found.completed_us for found in claims),
        valid_until_us=min(ends, default=None),
        identity_sha256=identities.pop() if len(identities) == 1 else None,
    )


def ages_us(course: Course, completed_us: int) -> int | None:
    """When the first of the course's skills has aged; None when none does."""
    months = min((skill.valid_months for skill in course.skills if skill.valid_months), default=None)
    return None if months is None else months_later(completed_us, months)


def months_later(at_us: int, months: int) -> int:
    """The same day and time of a later month (UTC), or that month's last day where it is shorter."""
    at = datetime.fromtimestamp(at_us // SECOND_US, UTC)
    year, month = divmod(at.year * MONTHS + at.month - 1 + months, MONTHS)
    last = calendar.monthrange(year, month + 1)[1]
    return int(at.replace(year=year, month=month + 1, day=min(at.day, last)).timestamp()) * SECOND_US


def _evidence(lab: Lab, result: LabResult, model_sha256: str | None) -> LabEvidence:
    return LabEvidence(
        lab=lab.id,
        title=_text(lab.title),
        submission_sha256=result.sha256,
        lab_version=result.lab_version,
        rubric_version=result.rubric_version or None,
        attempt=result.attempt,
        score_percent=round(completion.percent(result), 1),
        auto_percent=round(100 * result.auto_score / result.auto_max, 1) if result.auto_max else 0.0,
        hand_percent=round(100 * result.hand_score / result.hand_max, 1) if result.hand_max else None,
        graded_us=result.graded_us,
        model_sha256=model_sha256 if lab.needs_model else None,
    )


def _criteria(course: Course) -> Text:
    rule = course.completion
    return Text(
        zh=(
            f"完成全部 {len(course.labs)} 个实验；加权总分不低于 {rule.min_score:g}%；"
            f"每个实验不低于 {rule.min_lab_score:g}%；"
            f"人工评分不低于 {rule.min_rubric:g}%；计量的实验时长不少于 {rule.min_lab_minutes:g} 分钟。"
        ),
        en=(
            f"All {len(course.labs)} labs done; weighted score at least {rule.min_score:g}%; every lab at least"
            f" {rule.min_lab_score:g}%; hand-graded work at least {rule.min_rubric:g}%; at least"
            f" {rule.min_lab_minutes:g} metered lab minutes."
        ),
    )


def _text(text: CourseText) -> Text:
    return Text(zh=text.zh, en=text.en)
