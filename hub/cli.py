"""The ``reelwright`` command: each command builds Config, imports late and calls one function."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cert_commands import cert_commands
from hub.gpu_commands import gpu_commands
from hub.ledger_commands import ledger_commands
from hub.token_commands import token_commands

if TYPE_CHECKING:
    from hub.people.person import Role
    from hub.platform import Platform

FILE = click.Path(path_type=Path, dir_okay=False)


def main() -> None:
    """Run the command; an error that a person can mend is one line, without a traceback."""
    cli(prog_name="reelwright")


def _platform() -> Platform:
    from hub.config import Config, ConfigError
    from hub.platform import Platform

    try:
        return Platform(Config.load())
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


PROCESSES = ("portal", "intake", "certs", "issuer", "worker", "steward", "culler", "gate", "takes", "formgrader")


@click.group()
def cli() -> None:
    """Reelwright: labs, honest grades, metered compute and certificates for people who make films with AI."""


@cli.command()
def run() -> None:
    """Start everything here and watch it until Ctrl-C."""
    from hub import addresses, prepare
    from hub.child import StartFailed
    from hub.course import CourseError
    from hub.models import ModelError
    from hub.run import run as run_platform
    from hub.secrets import SecretError

    def say(line: str) -> None:
        click.echo(f"reelwright | {line}")

    try:
        run_platform(_platform(), say)
    except (addresses.PortTaken, prepare.NotReady, StartFailed, CourseError, SecretError, ModelError) as error:
        raise click.ClickException(str(error)) from error


@cli.command()
@click.argument(
    "process",
    type=click.Choice(
        ["portal", "intake", "certs", "issuer", "worker", "steward", "culler", "gate", "takes", "formgrader"]
    ),
)
@click.argument("name", default="0")
def serve(process: str, name: str) -> None:
    """Run one process of the instance in the foreground (`run` starts them all)."""
    from hub import serve as processes

    platform = _platform()
    if process == "worker":
        processes.worker(platform, name)
    elif process == "formgrader":
        processes.formgrader(platform, name)
    elif process == "steward":
        processes.stewardship(platform)
    else:
        getattr(processes, process)(platform)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:  # noqa: FBT001 -- click passes flags by name
    """Check what this instance needs, and say how to mend what is missing."""
    from hub.doctor import examine, render

    findings = examine(_platform())
    click.echo(render(findings, as_json=as_json))
    sys.exit(0 if all(finding.held for finding in findings) else 1)


@cli.command()
def firewall() -> None:
    """Print the host's rules for engine docker, as a script for root, where `run` is not to set them."""
    from hub.spawner.docker_network import script

    config = _platform().config
    click.echo(script(config.docker, has_egress=config.has_egress))


@cli.group()
def user() -> None:
    """People and their one-time invitations."""


@user.command()
@click.option("--role", type=click.Choice(["admin", "instructor", "funder"]), required=True)
@click.option("--course", help="The course an instructor leads.")
def invite(role: Role, course: str | None) -> None:
    """Print a link that lets one person become ROLE, once, within a week."""
    from hub.prepare import invitation_link

    platform = _platform()
    if role == "instructor" and course not in {known.id for known in platform.courses}:
        raise click.UsageError(f"--course: got {course!r}, expected one of {[c.id for c in platform.courses]}")
    click.echo(invitation_link(platform, role, course, "reelwright"))


@user.command(name="list")
def list_people() -> None:
    """Print who may sign in, and as what."""
    for person in _platform().people.people():
        click.echo(f"{person.name}\t{person.full_name}\t{','.join(sorted(person.roles))}")


@cli.group()
def course() -> None:
    """Courses and their labs."""


@course.command(name="list")
def list_courses() -> None:
    """Print every course and its labs."""
    for known in _platform().courses:
        click.echo(f"{known.id}\t{known.title.en}\t{', '.join(lab.id for lab in known.labs)}")


@course.command()
@click.argument("course_id")
@click.option("--record", is_flag=True, help="Note in the course's folder that its labs passed the gate as they are.")
def release(course_id: str, record: bool) -> None:  # noqa: FBT001 -- click passes flags by name
    """Release the labs of COURSE_ID whose source has changed."""
    from hub import prepare

    platform = _platform()
    try:
        chosen = platform.course(course_id)
    except KeyError as error:
        raise click.UsageError(
            f"course: got {course_id!r}, expected one of {[c.id for c in platform.courses]}"
        ) from error
    prepare.stores(platform, click.echo)
    prepare.release_course(platform, chosen, click.echo, record=record)


cli.add_command(ledger_commands(lambda: _platform().ledger))
cli.add_command(token_commands(lambda: _platform().tokens))
cli.add_command(gpu_commands(lambda: _platform().pool))


cli.add_command(cert_commands(_platform))


@cli.command(name="verify")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--controller", multiple=True, type=FILE, help="An issuer's controller document (ours is known).")
@click.option("--status", multiple=True, metavar="URL=FILE", help="A status list (ours are known).")
@click.option("--trust", multiple=True, metavar="ISSUER", help="Accept this issuer only.")
@click.option("--at", metavar="ISO-8601", help="The moment to verify for (default: now).")
@click.option("--log", multiple=True, type=FILE, help="An issuer's signed log of issue (ours is known).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def verify_files(
    files: tuple[Path, ...],
    controller: tuple[Path, ...],
    status: tuple[str, ...],
    trust: tuple[str, ...],
    at: str | None,
    log: tuple[Path, ...],
    as_json: bool,  # noqa: FBT001
) -> None:
    """Verify certificates (JSON, PDF, PNG, SVG) offline; exit status 0 all valid, 1 some invalid, 2 usage."""
    from certs.command import Known, known_of, run_verify
    from hub.serve import issuer_profile

    platform = _platform()
    has_instance = platform.addresses_file.is_file()
    known = known_of(platform.certificates, issuer_profile(platform)) if has_instance else Known()
    sys.exit(run_verify(files, controller, status, trust, at, as_json, known, log=log))


@cli.group()
def model() -> None:
    """Video models: the house model, and large ones."""


@model.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--size", required=True, metavar="WxH", help="What the pipeline draws, in pixels.")
@click.option("--frames", required=True, type=int, help="Pictures of a usual clip.")
@click.option("--frame-step", required=True, type=int, help="Frame counts are a multiple of it plus one.")
@click.option("--max-frames", required=True, type=int, help="Pictures of the longest clip.")
@click.option("--fps", required=True, type=int, help="Pictures a second.")
@click.option("--steps", required=True, type=int, help="Usual steps.")
@click.option("--guidance", required=True, type=float, help="Usual guidance.")
def adopt(folder: Path, size: str, **numbers: float) -> None:
    """Make a diffusers FOLDER beneath models_dir usable: lists each file's SHA-256 and what the model usually draws."""
    from pydantic import ValidationError

    from hub.models import ModelError
    from hub.models import adopt as adopt_folder
    from labs.model.folder import ClipDefaults

    try:
        width, height = (int(side) for side in size.split("x"))
        sizes = {"canvas_width": width, "canvas_height": height, "width": width, "height": height}
        made = adopt_folder(folder, ClipDefaults.model_validate({**sizes, **numbers}))
    except ValidationError as error:
        problem = error.errors()[0]
        raise click.ClickException(f"{problem['loc'][-1]}: {problem['msg']}, got {problem['input']!r}") from error
    except ValueError as error:
        raise click.ClickException(f"--size: got {size!r}, expected such as 704x1280") from error
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{made.path.name}: {made.manifest.pipeline}, {len(made.manifest.files)} files, sha256 {made.sha256}")


@model.command()
@click.option("--prompts", default=200, show_default=True, help="How many held-out prompts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(prompts: int, as_json: bool) -> None:  # noqa: FBT001
    """Measure what the house model obeys on held-out prompts; exit status 1 when the release gate does not hold."""
    import json

    from labs.language import LabError
    from labs.model.evaluate import evaluate as evaluate_model

    try:
        found = evaluate_model(_platform().config.models_dir / "house", prompts=prompts)
    except LabError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(found.as_dict(), ensure_ascii=False) if as_json else str(found))
    sys.exit(0 if found.passed else 1)


@cli.command()
@click.option("--fast", is_flag=True, help="A small instance, in seconds.")
def demo(fast: bool) -> None:  # noqa: FBT001
    """Fill a fresh instance with a seeded cohort, submissions, certificates and a month of ledger."""
    from hub.demo import DemoRefusedError, fill
    from hub.models import ModelError
    from hub.prepare import NotReady

    try:
        fill(_platform(), click.echo, fast=fast)
    except (DemoRefusedError, NotReady, ModelError) as error:
        raise click.ClickException(str(error)) from error
