"""``reelwright gpu``: which GPUs there are, who has them, who waits, and seats that are kept for a class."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import click

from hub.compute.gpu.slice import GpuError, Reservation
from hub.compute.lease import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hub.compute.gpu.store import Pool

MOMENT = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"])


def gpu_commands(opened: Callable[[], Pool]) -> click.Group:
    """The group of GPU commands, on the pool that ``opened`` gives when a command runs."""

    @click.group(name="gpu")
    def gpu() -> None:
        """GPUs of the labs: who has them, who waits, and reserved seats."""

    @gpu.command(name="list")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    def list_gpus(as_json: bool) -> None:  # noqa: FBT001 -- click passes flags by name
        """Print every slice with who holds it, who waits, and what is reserved."""
        seen = _seen(opened(), time.time_ns() // 1000)
        if as_json:
            click.echo(json.dumps(seen))
            return
        for name, rows in seen.items():
            for row in rows:
                click.echo(f"{name}\t" + "\t".join(str(value) for value in row.values()))

    @gpu.command()
    @click.argument("gpu_class")
    @click.argument("cohort")
    @click.option("--seats", type=click.IntRange(1, 10_000), required=True, help="How many labs may hold one.")
    @click.option("--from", "begins", type=MOMENT, required=True, help="2026-12-01T09:00+0800")
    @click.option("--until", "ends", type=MOMENT, required=True, help="2026-12-01T11:00+0800")
    def reserve(gpu_class: str, cohort: str, seats: int, begins: datetime, ends: datetime) -> None:
        """Keep SEATS of GPU_CLASS for COHORT in a window of time; prints the reservation's id."""
        try:
            kept = Reservation(
                id=uuid4(), gpu_class=gpu_class, cohort=cohort, seats=seats, from_us=_us(begins), until_us=_us(ends)
            )
            opened().reserve(kept)
        except (ValueError, GpuError) as error:
            raise click.UsageError(str(error)) from error
        click.echo(kept.id)

    @gpu.command()
    @click.argument("reservation", type=UUID)
    def unreserve(reservation: UUID) -> None:
        """Give up RESERVATION; exit status 1 when there is none."""
        sys.exit(0 if opened().unreserve(reservation) else 1)

    return gpu


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND_US


def _moment(us: int) -> str:
    return datetime.fromtimestamp(us // SECOND_US, UTC).isoformat()


def _seen(pool: Pool, now_us: int) -> dict[str, list[dict[str, Any]]]:
    held = {(hold.slice, hold.seat): hold for hold in pool.holds()}
    slices = pool.slices()
    return {
        "slices": [
            {
                "uuid": piece.uuid,
                "class": piece.gpu_class,
                "memory_mb": piece.memory_mb,
                "held_by": [hold.learner for (uuid, _), hold in held.items() if uuid == piece.uuid],
            }
            for piece in slices
        ],
        "waiting": [
            {"class": name, "learner": who.learner, "ahead": place.ahead}
            for name in sorted({piece.gpu_class for piece in slices})
            for who, place in pool.queue(name, now_us)
        ],
        "reserved": [
            {
                "id": str(each.id),
                "class": each.gpu_class,
                "cohort": each.cohort,
                "seats": each.seats,
                "from": _moment(each.from_us),
                "until": _moment(each.until_us),
            }
            for each in pool.reservations(now_us)
        ],
    }
