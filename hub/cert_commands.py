"""``reelwright certs``: the issuer's keys, a class's certificates, revocation, what a person may ask about theirs."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from certs.certificate import Certificate
    from hub.course import Course
    from hub.people.person import Cohort
    from hub.platform import Platform

PATIENCE_SECONDS = 60.0
"""So long without a new signature, and the command says that the issuer does not seem to run."""
LOOK_SECONDS = 0.5


def cert_commands(platform: Callable[[], Platform]) -> click.Group:
    """The group of certificate commands, on the platform that ``platform`` opens when a command runs."""

    @click.group(name="certs")
    def certs() -> None:
        """Certificates: keys, issue, re-issue, revocation, export and erasure."""

    _keys(certs, platform)
    _class(certs, platform)
    _one(certs, platform)
    _person(certs, platform)
    return certs


def _keys(certs: click.Group, platform: Callable[[], Platform]) -> None:
    @certs.command()
    def keys() -> None:
        """Print every public key this issuer ever signed with, and how it stands."""
        for key in platform().certificates.public_keys():
            bad = f"bad from {_moment(key.bad_from_us)}" if key.bad_from_us is not None else ""
            ended = f"replaced {_moment(key.retired_us)}" if key.retired_us is not None else "signs now"
            click.echo(f"{key.multibase}\t{bad or ended}")

    @certs.command(name="rotate-key")
    def rotate_key() -> None:
        """Put a new key in place of the one that signs now; what the old one signed still verifies."""
        from certs.keys import IssuerKey, KeyFileError  # noqa: PLC0415 -- commands import late

        try:
            key = IssuerKey.rotate(platform().secrets.path("issuer-key.pem"))
        except KeyFileError as error:
            raise click.ClickException(str(error)) from error
        click.echo(key.multibase)
        click.echo("The issuer signs with it from its next round on; a restart is not needed.", err=True)

    @certs.command(name="key-bad")
    @click.argument("multibase")
    @click.option(
        "--from", "from_time", required=True, metavar="ISO-8601", help="From when the key was not ours alone."
    )
    def key_bad(multibase: str, from_time: str) -> None:
        """Give MULTIBASE up: what it signed before stays good, what it signs from then on never counts."""
        from certs.store.published import UnknownKeyError  # noqa: PLC0415
        from certs.wording import microseconds  # noqa: PLC0415

        store = platform().certificates
        try:
            store.mark_key_bad(multibase, microseconds(from_time))
        except (UnknownKeyError, ValueError) as error:
            raise click.UsageError(str(error)) from error
        if any(key.multibase == multibase and key.retired_us is None for key in store.public_keys()):
            click.echo("It is the key that signs now: run `reelwright certs rotate-key`, nothing is signed until then.")


def _class(certs: click.Group, platform: Callable[[], Platform]) -> None:
    @certs.command(name="list")
    @click.argument("course_id")
    def list_course(course_id: str) -> None:
        """Print every certificate of COURSE_ID (or programme): id, holder, edition, how it stands."""
        for one in platform().certificates.for_course(course_id):
            click.echo(f"{one.id}\t{one.holder_ref}\t{one.edition}\t{_standing(one)}")

    @certs.command()
    @click.argument("class_code")
    @click.option("--again", is_flag=True, help="Re-issue those whose records say something else by now, too.")
    def issue(class_code: str, again: bool) -> None:  # noqa: FBT001 -- click passes flags by name
        """Issue for everybody of the class CLASS_CODE who completed the course, showing the progress."""
        from hub import award  # noqa: PLC0415

        opened = platform()
        cohort, course = _cohort(opened, class_code)
        learners = [member.learner for member in opened.people.members(cohort.id) if member.learner]
        ids, refused = award.award_class(opened, course, learners, opened.config.models_dir)
        asked = [*ids, *(_again(opened, course, learners) if again else ())]
        for learner, error in refused.items():
            click.echo(f"{learner}: {error}", err=True)
        sys.exit(_watch(opened, asked) or bool(refused))


def _one(certs: click.Group, platform: Callable[[], Platform]) -> None:
    @certs.command()
    @click.argument("certificate_ids", metavar="ID...", nargs=-1, required=True)
    def reissue(certificate_ids: tuple[str, ...]) -> None:
        """Issue each ID again as roster, grades and ledger say now; the new edition takes the place of the old one."""
        opened = platform()
        sys.exit(_watch(opened, [_reissued(opened, certificate_id) for certificate_id in certificate_ids]))

    @certs.command()
    @click.argument("certificate_id", metavar="ID")
    @click.option("--reason", required=True, help="Why; the holder and everybody who checks it can read this.")
    def revoke(certificate_id: str, reason: str) -> None:
        """Take the certificate ID back; its page says so at once, the signed list within a minute."""
        from certs.store import UnknownCertificateError  # noqa: PLC0415

        try:
            platform().certificates.revoke(certificate_id, reason)
        except (UnknownCertificateError, ValueError) as error:
            raise click.UsageError(str(error)) from error


def _person(certs: click.Group, platform: Callable[[], Platform]) -> None:
    @certs.command()
    @click.argument("learner")
    def export(learner: str) -> None:
        """Print everything kept about LEARNER's name and certificates, as JSON."""
        from hub.forgetting import export_person  # noqa: PLC0415

        try:
            click.echo(json.dumps(export_person(platform(), learner), ensure_ascii=False, indent=2, default=str))
        except KeyError as error:
            raise click.UsageError(f"got {learner!r}, expected the user name of somebody known here") from error

    @certs.command()
    @click.argument("learner")
    @click.confirmation_option(prompt="Their name, seats and certificates are forgotten for ever. Go on?")
    def erase(learner: str) -> None:
        """Forget LEARNER's name, seats, roles and certificates; the ledger's lines stay, under the user name."""
        from hub.forgetting import erase_person  # noqa: PLC0415

        try:
            erased = erase_person(platform(), learner)
        except KeyError as error:
            raise click.UsageError(f"got {learner!r}, expected the user name of somebody known here") from error
        click.echo(f"{erased} certificate(s) forgotten; {learner} can no longer sign in")


def _cohort(platform: Platform, class_code: str) -> tuple[Cohort, Course]:
    cohort = platform.people.cohort_by_code(class_code)
    if cohort is None:
        codes = ", ".join(f"{one.class_code} ({one.title})" for one in platform.people.cohorts())
        raise click.UsageError(f"got {class_code!r}, expected the code of a class: {codes or 'there is none yet'}")
    return cohort, platform.course(cohort.course)


def _again(platform: Platform, course: Course, learners: Sequence[str]) -> list[str]:
    from hub import award  # noqa: PLC0415

    ids, refused = award.reissue_class(platform, course, learners, platform.config.models_dir)
    for learner, reason in refused.items():
        click.echo(f"{learner}: {reason}", err=True)
    return list(ids)


def _reissued(platform: Platform, certificate_id: str) -> str:
    from certs.rules import ClaimRefused  # noqa: PLC0415
    from hub import award  # noqa: PLC0415

    found = platform.certificates.by_id(certificate_id)
    try:
        course = platform.course(found.course if found else "")
        return award.reissue(platform, course, certificate_id, platform.config.models_dir)
    except KeyError as error:
        raise click.UsageError(f"got {certificate_id!r}, expected the id of a certificate of a course") from error
    except (award.NotAwardedError, ClaimRefused) as error:
        raise click.ClickException(str(error)) from error


def _watch(platform: Platform, ids: Sequence[str]) -> int:
    """Say how far ``ids`` have come until none of them waits; 1 when some were refused or the issuer does nothing."""
    store, said, moved = platform.certificates, -1, time.monotonic()
    while True:
        progress = store.progress(ids)
        if progress.issued + progress.refused != said:
            said, moved = progress.issued + progress.refused, time.monotonic()
            click.echo(f"{progress.issued} of {progress.asked} issued, {progress.refused} refused")
        if progress.is_done:
            return int(progress.refused > 0)
        if time.monotonic() - moved > PATIENCE_SECONDS:
            click.echo("The issuer signs nothing. Start the instance; what was asked for stays asked for.", err=True)
            return 1
        time.sleep(LOOK_SECONDS)


def _standing(certificate: Certificate) -> str:
    if certificate.revoked_us is not None:
        return f"revoked: {certificate.revoked_reason}"
    if certificate.superseded_by is not None:
        return f"superseded by {certificate.superseded_by}"
    if certificate.refused_reason:
        return f"refused: {certificate.refused_reason}"
    return "paused" if certificate.paused_us is not None else certificate.state.value


def _moment(at_us: int) -> str:
    from certs.wording import timestamp  # noqa: PLC0415

    return timestamp(at_us)
