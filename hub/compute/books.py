"""VALUE: the books that events make: grants, leases, charge lines and used caps. Pure; no I/O.

The ledger applies each event through :func:`opened`, :func:`started`, :func:`ended` and :func:`voided` in the
transaction that writes it; :class:`Books` folds a whole chain through the same four, to check or rebuild what stands.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hub.compute.chain import Entry, canonical
from hub.compute.lease import Grant, Lease, LeaseRequest, Session
from hub.compute.policy import Policy
from hub.compute.settle import ChargeLine, Run, Settlement, cap_uses, estimated, settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.compute.subsidy import CapKey

POLICY_ADOPTED = "policy.adopted"
GRANT_GIVEN = "grant.given"
OPENED = "lease.opened"
STARTED = "lease.started"
ENDED = "lease.ended"
VOIDED = "lease.voided"


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedLease:
    """A lease as the books keep it: with the policy it was opened under and what it came to (zero until it ended)."""

    lease: Lease
    policy: str
    uncertainty_us: int = 0
    billed_us: int = 0
    gpu_us: int = 0
    charge_uy: int = 0
    subsidised_uy: int = 0
    subsidised_us: int = 0
    subsidised_gpu_us: int = 0
    flags: tuple[str, ...] = ()

    def session(self) -> Session:
        """What the learner is told of it."""
        return Session(
            lease=self.lease,
            seconds=self.billed_us // 1_000_000,
            charge_uy=self.charge_uy,
            subsidised_uy=self.subsidised_uy,
            allowance_uy=self.charge_uy,
            estimated=estimated(self.flags),
        )


def opened(body: Mapping[str, Any]) -> BookedLease:
    """A lease from what its ``lease.opened`` says."""
    asked = {**body["request"], "id": UUID(body["request"]["id"])}
    held = int(body["held_uy"])
    lease = Lease(**asked, state="opened", started_us=None, ended_us=None, held_uy=held)
    return BookedLease(lease=lease, policy=body["policy"])


def started(booked: BookedLease, body: Mapping[str, Any]) -> BookedLease:
    """The lease after its ``lease.started``."""
    lease = replace(booked.lease, state="running", started_us=body["at_us"])
    return replace(booked, lease=lease, uncertainty_us=body["uncertainty_us"])


def ended(
    booked: BookedLease, body: Mapping[str, Any], recorded_us: int, policy: Policy, used: Mapping[CapKey, int]
) -> tuple[BookedLease, Settlement]:
    """The lease after its ``lease.ended``, and what it came to."""
    start = booked.lease.started_us
    if start is None:
        raise ValueError(f"lease {booked.lease.id} has ended without having started")
    uncertainty = booked.uncertainty_us + body["uncertainty_us"]
    run = Run(start, body["at_us"], uncertainty, body["measured_us"], recorded_us)
    sums = settle(booked.lease, run, policy, used)
    after = replace(
        booked,
        lease=replace(booked.lease, state="ended", ended_us=body["at_us"], held_uy=0),
        uncertainty_us=uncertainty,
        billed_us=sums.billed_us,
        gpu_us=sums.gpu_us,
        charge_uy=sums.charge_uy,
        subsidised_uy=sums.subsidised_uy,
        subsidised_us=sums.subsidised_us,
        subsidised_gpu_us=sums.subsidised_gpu_us,
        flags=sums.flags,
    )
    return after, sums


def voided(booked: BookedLease) -> BookedLease:
    """The lease after its ``lease.voided``: it never ran and holds nothing."""
    return replace(booked, lease=replace(booked.lease, state="void", held_uy=0))


def request_body(request: LeaseRequest) -> dict[str, Any]:
    """A request as an event keeps it."""
    return {**asdict(request.request()), "id": str(request.id)}


def grant_subject(learner: str, course: str, why: str) -> str:
    """What makes a grant one that may be given once."""
    return hashlib.sha256(canonical([learner, course, why]).encode()).hexdigest()


@dataclass(slots=True)
class Books:
    """Everything a chain of events comes to; ``made_by`` says which entry last touched a subject."""

    policies: dict[str, Policy] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    leases: dict[UUID, BookedLease] = field(default_factory=dict)
    lines: dict[tuple[UUID, int, int], ChargeLine] = field(default_factory=dict)
    used: Counter[CapKey] = field(default_factory=Counter)
    made_by: dict[str, int] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Fold one more entry in.

        Raises:
            ValueError, KeyError, TypeError: its body is not one that this ledger writes, or comes out of turn.
        """
        body = json.loads(entry.body)
        self.made_by[entry.subject] = entry.seq
        if entry.kind == POLICY_ADOPTED:
            self.policies[entry.subject] = Policy.model_validate(body)
        elif entry.kind == GRANT_GIVEN:
            self.grants[entry.subject] = Grant(**body)
        elif entry.kind == OPENED:
            self.leases[UUID(entry.subject)] = opened(body)
        elif entry.kind in {STARTED, ENDED, VOIDED}:
            self._change(UUID(entry.subject), entry, body)
        else:
            raise ValueError(f"got an event of kind {entry.kind!r}, which this version does not know")

    def _change(self, lease_id: UUID, entry: Entry, body: Mapping[str, Any]) -> None:
        before = self.leases[lease_id]
        if entry.kind == ENDED:
            after, sums = ended(before, body, entry.recorded_us, self.policies[before.policy], self.used)
            self.lines.update({(line.lease, line.segment, line.line): line for line in sums.lines})
            self.used.update(cap_uses(sums.lines))
        else:
            after = started(before, body) if entry.kind == STARTED else voided(before)
        self.leases[lease_id] = after
