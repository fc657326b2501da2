"""Grades and metered hours become a claim, and the claim a request for a certificate: the only bridge grader → certs.

Awarding twice is harmless: the certificate store answers a repeated claim with the certificate there is.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from certs.certificate import Claim, LabEvidence, Skill, Text
from certs.rules import ClaimRefused
from hub import completion
from hub.models import model_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grader.submission import LabResult
    from hub.compute.lease import Metered
    from hub.course import Course, Lab
    from hub.course import Text as CourseText
    from hub.people.person import Person
    from hub.platform import Platform

log = logging.getLogger(__name__)


def award_completed(platform: Platform) -> int:
    """Request a certificate for everyone who has completed a course and has none; returns how many were requested."""
    return sum(_award_course(platform, course) for course in platform.courses)


def holder_ref(learner: str, course: str) -> str:
    """The reference that ties a certificate to a learner inside the platform; it never enters the credential."""
    return f"{course}:{learner}"


def _award_course(platform: Platform, course: Course) -> int:
    by_learner: dict[str, list[LabResult]] = defaultdict(list)
    for result in platform.submissions.class_results(course.id):
        by_learner[result.learner].append(result)
    awarded = 0
    for learner, results in by_learner.items():
        metered = platform.ledger.metered(learner, course.id)
        reached = completion.evaluate(course, results, metered)
        if not reached.completed or platform.certificates.for_holder(holder_ref(learner, course.id)):
            continue
        person = platform.people.person(learner)
        if person is None:
            continue
        model = model_digest(platform.config.models_dir)
        try:
            platform.certificates.request(claim(course, person, results, metered, reached.score_percent, model))
        except ClaimRefused as refused:
            # One person's unprintable name must not keep everybody else's certificate back.
            log.error("%s of %s: no certificate: %s", learner, course.id, "; ".join(refused.reasons))  # noqa: TRY400
            continue
        awarded += 1
    return awarded


def claim(
    course: Course,
    person: Person,
    results: Sequence[LabResult],
    metered: Metered,
    score_percent: float,
    model_sha256: str | None,
) -> Claim:
    """Everything the certificate will say, taken from the grading records and the ledger."""
    by_lab = {result.lab: result for result in results}
    return Claim(
        holder_name=person.full_name,
        holder_ref=holder_ref(person.name, course.id),
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
        completed_us=time.time_ns() // 1000,
    )


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
