"""Grades and metered hours become a claim, and the claim a request for a certificate: the only bridge grader → certs.

Awarding twice is harmless: the certificate store answers a repeated claim with the certificate there is. A certificate
is never changed; what has to say something else is re-issued, and the new edition takes the place of the old one.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from certs.certificate import Claim, State
from certs.rules import ClaimRefused, problems
from hub import completion
from hub.claiming import ages_us, claim
from hub.models import model_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from certs.certificate import Certificate
    from certs.store import Store as CertificateStore
    from grader.store import Store as SubmissionStore
    from grader.submission import LabResult
    from hub.compute.ledger import Ledger
    from hub.course import Course
    from hub.people.store import PeopleStore
    from hub.platform import Platform

log = logging.getLogger(__name__)


class Records(Protocol):
    """What an award is made from, and where it is asked for."""

    @property
    def people(self) -> PeopleStore:
        """Who is who."""

    @property
    def ledger(self) -> Ledger:
        """Metered hours."""

    @property
    def submissions(self) -> SubmissionStore:
        """Grades."""

    @property
    def certificates(self) -> CertificateStore:
        """What was certified."""


class NotAwardedError(Exception):
    """There is nothing to issue; the message says why, in English, and ``code`` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def holder_ref(learner: str, course: str) -> str:
    """The reference that ties a certificate to a learner inside the platform; it never enters the credential."""
    return f"{course}:{learner}"


def learner_of(certificate: Certificate) -> str:
    """The learner that a certificate's reference names."""
    return certificate.holder_ref.partition(":")[2]


def award_completed(platform: Platform) -> int:
    """Request a certificate for everyone who has completed a course and has none; returns how many were requested."""
    return sum(_award_course(platform, course) for course in platform.courses)


def award_class(
    records: Records, course: Course, learners: Collection[str], models_dir: Path
) -> tuple[tuple[str, ...], dict[str, ClaimRefused]]:
    """Request a certificate for each of ``learners`` who completed ``course`` and has none.

    The ids, and by learner why some may not be certified.
    """
    graded = _graded(records, course)
    return _ask(records, course, {who: graded[who] for who in learners if who in graded}, models_dir)


def claim_now(records: Records, course: Course, learner: str, models_dir: Path) -> Claim | None:
    """What a certificate of ``course`` would say of ``learner`` today; None for who has not completed it."""
    results = records.submissions.results(course.id, learner)
    return next(_claims(records, course, {learner: results}, models_dir), None)


def reissue(records: Records, course: Course, certificate_id: str, models_dir: Path, *, force: bool = True) -> str:
    """Ask for a new edition that says what the records say now; a refused certificate is asked for again.

    The day of completion, an identity number's commitment and the model of work that has not changed stay. Without
    ``force``, a certificate that already says all this (metered hours apart) is left alone. Gives the id of the newest.

    Raises:
        NotAwardedError: there is no such certificate, it is not the newest, or the course is not completed.
        certs.rules.ClaimRefused: it may not be certified.
    """
    found = records.certificates.by_id(certificate_id)
    if found is None or found.state is State.ERASED or found.course != course.id:
        raise NotAwardedError("unknown", f"got {certificate_id!r}, expected a certificate of {course.id}")
    if found.state is State.PENDING:
        return certificate_id
    if found.superseded_by is not None:
        raise NotAwardedError("superseded", f"{certificate_id} is superseded by {found.superseded_by}")
    claimed = claim_now(records, course, learner_of(found), models_dir)
    if claimed is None and any(one.open_appeals for one in records.submissions.results(course.id, learner_of(found))):
        raise NotAwardedError("appealed", f"{certificate_id}: its holder has appealed, and nobody has decided yet")
    if claimed is None:
        raise NotAwardedError("incomplete", f"{certificate_id}: its holder has not completed {course.id} as it is now")
    if found.state is State.REFUSED:
        records.certificates.ask_again(certificate_id, claimed)
        return certificate_id
    earlier = records.certificates.claim_of(certificate_id)
    renewed = _renewed(course, claimed, earlier) if isinstance(earlier, Claim) else claimed
    if not force and isinstance(earlier, Claim) and _says_the_same(renewed, earlier):
        return certificate_id
    return records.certificates.reissue(certificate_id, renewed)


def reissue_class(
    records: Records, course: Course, learners: Collection[str], models_dir: Path
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Re-issue what no longer says what the records say, for each of ``learners``; a revoked one stays revoked.

    The ids of the new editions, and by learner why one could not be made.
    """
    there = {learner_of(one): one for one in records.certificates.for_course(course.id)}  # the newest comes last
    asked: list[str] = []
    refused: dict[str, str] = {}
    for learner in learners:
        old = there.get(learner)
        if old is None or old.revoked_us is not None or old.state is State.PENDING:
            continue
        try:
            edition = reissue(records, course, old.id, models_dir, force=False)
        except (NotAwardedError, ClaimRefused) as error:
            refused[learner] = str(error)
            continue
        if edition != old.id or old.state is State.REFUSED:
            asked.append(edition)
    return tuple(asked), refused


def correct_name(certificates: CertificateStore, learner: str, full_name: str) -> tuple[str, ...]:
    """Re-issue the learner's course certificates in force under another name and else unchanged; the new ids.

    The steward follows with those over programmes.

    Raises:
        certs.rules.ClaimRefused: no certificate may carry that name.
    """
    asked = []
    for course in certificates.courses():
        there = newest(certificates.for_holder(holder_ref(learner, course)))
        if there is None or there.state is not State.ISSUED or there.revoked_us is not None:
            continue
        said = certificates.claim_of(there.id)
        if isinstance(said, Claim) and said.holder_name != full_name:
            asked.append(certificates.reissue(there.id, replace(said, holder_name=full_name)))
    return tuple(asked)


def obstacles(records: Records, course: Course, learner: str, models_dir: Path) -> tuple[str, ...]:
    """Why somebody who completed ``course`` cannot be certified as they are; nothing when they can."""
    claimed = claim_now(records, course, learner, models_dir)
    return () if claimed is None else tuple(problems(claimed))


def newest(certificates: Sequence[Certificate]) -> Certificate | None:
    """The edition that counts."""
    return max(certificates, key=lambda one: one.edition, default=None)


def _award_course(platform: Platform, course: Course) -> int:
    graded = {who: found for who, found in _graded(platform, course).items() if len(found) >= len(course.labs)}
    ids, refused = _ask(platform, course, graded, platform.config.models_dir)
    for learner, error in refused.items():
        # One person's unprintable name must not keep everybody else's certificate back.
        _say_refused(learner, course.id, error.reasons)
    return len(ids)


def _ask(
    records: Records, course: Course, graded: Mapping[str, Sequence[LabResult]], models_dir: Path
) -> tuple[tuple[str, ...], dict[str, ClaimRefused]]:
    held = records.certificates.holders(course.id)
    new = {who: found for who, found in graded.items() if holder_ref(who, course.id) not in held}
    ids, refused = records.certificates.request_all(_claims(records, course, new, models_dir))
    return ids, {ref.partition(":")[2]: error for ref, error in refused.items()}


@functools.lru_cache(maxsize=4096)
def _say_refused(learner: str, course: str, reasons: tuple[str, ...]) -> None:
    """Once for each person and reason: the steward asks again every few seconds."""
    log.error("%s of %s: no certificate: %s", learner, course, "; ".join(reasons))


def _graded(records: Records, course: Course) -> dict[str, list[LabResult]]:
    by_learner: dict[str, list[LabResult]] = defaultdict(list)
    for result in records.submissions.class_results(course.id):
        by_learner[result.learner].append(result)
    return by_learner


def _claims(
    records: Records, course: Course, graded: Mapping[str, Sequence[LabResult]], models_dir: Path
) -> Iterator[Claim]:
    """The claims of those who have completed the course; somebody who was forgotten has none."""
    model, now_us = model_digest(models_dir), time.time_ns() // 1000
    for learner, results in graded.items():
        metered = records.ledger.metered(learner, course.id)
        reached = completion.evaluate(course, results, metered)
        person = records.people.person(learner) if reached.completed else None
        if person is not None and person.roles:
            yield claim(
                course, person, results, metered, reached.score_percent, model,
                reference=holder_ref(learner, course.id), completed_us=now_us,
            )  # fmt: skip


def _renewed(course: Course, now: Claim, earlier: Claim) -> Claim:
    models = {lab.submission_sha256: lab.model_sha256 for lab in earlier.labs}
    labs = tuple(replace(lab, model_sha256=models.get(lab.submission_sha256, lab.model_sha256)) for lab in now.labs)
    return replace(
        now,
        labs=labs,
        completed_us=earlier.completed_us,
        valid_until_us=ages_us(course, earlier.completed_us),
        identity_sha256=earlier.identity_sha256,
    )


def _says_the_same(now: Claim, earlier: Claim) -> bool:
    hours = ("lab_seconds", "gpu_seconds", "subsidised_seconds", "subsidised_gpu_seconds")
    return replace(now, **{name: getattr(earlier, name) for name in hours}) == earlier
