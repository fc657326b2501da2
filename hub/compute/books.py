"""VALUE: the books that events make: grants, leases, charge lines and used caps. Pure; no I/O.

The ledger applies each event through :func:`opened`, :func:`started`, :func:`ended` and :func:`voided` in the
transaction that writes it; :class:`Books` folds a whole chain through the same four, to check or rebuild what stands.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from uuid import UUID

from pydantic_core import from_json

from hub.compute.budget import Allotment, Budget, BudgetKey, Voucher
from hub.compute.chain import Entry, canonical
from hub.compute.claim.freeze import read_claim
from hub.compute.claim.value import Note
from hub.compute.class_window import ClassWindow
from hub.compute.gpu.usage import GpuEvidence
from hub.compute.lease import Grant, Lease, LeaseRequest, Session
from hub.compute.observation import Observation
from hub.compute.policy import Policy
from hub.compute.settle import ChargeLine, Run, Settlement, cap_uses, estimated, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.compute.claim.value import Claim
    from hub.compute.class_window import Spans
    from hub.compute.subsidy import CapKey

POLICY_ADOPTED = "policy.adopted"
GRANT_GIVEN = "grant.given"
OPENED = "lease.opened"
STARTED = "lease.started"
ENDED = "lease.ended"
VOIDED = "lease.voided"
SCHEDULED = "class.scheduled"
CANCELLED = "class.cancelled"
OBSERVED = "lease.observed"
ALLOTTED = "budget.allotted"
VOUCHER_ISSUED = "voucher.issued"
VOUCHER_REDEEMED = "voucher.redeemed"
GPU_EVIDENCE = "gpu.evidence"
CLAIM_FROZEN = "claim.frozen"
CLAIM_NOTED = "claim.noted"


HOLDING = ("opened", "running")
"""The states in which a lease holds money."""


class BookedLease(NamedTuple):
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
    spared: Spans = ()
    spared_uy: int = 0
    full_uy: int = 0
    budgets: tuple[BudgetKey, ...] = ()

    def session(self) -> Session:
        """What the learner is told of it."""
        return Session(
            lease=self.lease,
            seconds=self.billed_us // 1_000_000,
            charge_uy=self.charge_uy,
            subsidised_uy=self.subsidised_uy,
            allowance_uy=self.charge_uy - self.spared_uy,
            estimated=estimated(self.flags),
        )


def opened(body: Mapping[str, Any]) -> BookedLease:
    """A lease from what its ``lease.opened`` says."""
    asked = {**body["request"], "id": UUID(body["request"]["id"])}
    LeaseRequest(**asked)  # refuses what is none
    lease = Lease(**asked, state="opened", started_us=None, ended_us=None, held_uy=int(body["held_uy"]))
    spared = tuple((begin, end) for begin, end in body.get("spared", ()))
    budgets = tuple(BudgetKey(scope, who) for scope, who in body.get("budgets", ()))
    full = int(body.get("full_uy", 0))
    return BookedLease(lease=lease, policy=body["policy"], spared=spared, full_uy=full, budgets=budgets)


def started(booked: BookedLease, body: Mapping[str, Any]) -> BookedLease:
    """The lease after its ``lease.started``."""
    lease = booked.lease._replace(state="running", started_us=body["at_us"])
    return booked._replace(lease=lease, uncertainty_us=body["uncertainty_us"])


def ended(
    booked: BookedLease, body: Mapping[str, Any], recorded_us: int, policy: Policy, used: Mapping[CapKey, int]
) -> tuple[BookedLease, Settlement]:
    """The lease after its ``lease.ended``, and what it came to."""
    start = booked.lease.started_us
    if start is None:
        raise ValueError(f"lease {booked.lease.id} has ended without having started")
    uncertainty = booked.uncertainty_us + body["uncertainty_us"]
    run = Run(start, body["at_us"], uncertainty, body["measured_us"], recorded_us)
    sums = settle(booked.lease, run, policy, used, booked.spared)
    # A lab that started late may have run out of its class; what was not held is not taken from the allowance.
    taken = min(sums.charge_uy - sums.in_class_uy, booked.lease.held_uy) if booked.spared else sums.charge_uy
    after = booked._replace(
        lease=booked.lease._replace(state="ended", ended_us=body["at_us"], held_uy=0),
        uncertainty_us=uncertainty,
        billed_us=sums.billed_us,
        gpu_us=sums.gpu_us,
        charge_uy=sums.charge_uy,
        subsidised_uy=sums.subsidised_uy,
        subsidised_us=sums.subsidised_us,
        subsidised_gpu_us=sums.subsidised_gpu_us,
        flags=sums.flags,
        spared_uy=sums.charge_uy - taken,
    )
    return after, sums


def voided(booked: BookedLease) -> BookedLease:
    """The lease after its ``lease.voided``: it never ran and holds nothing."""
    return booked._replace(lease=booked.lease._replace(state="void", held_uy=0))


def drawn(before: BookedLease | None, after: BookedLease) -> dict[BudgetKey, tuple[int, int]]:
    """What a step of a lease changes of the budgets it meets: by how much is held, and by how much is spent."""
    if not after.budgets:
        return {}
    held = after.full_uy * ((after.lease.state in HOLDING) - (before is not None and before.lease.state in HOLDING))
    spent = after.charge_uy - (before.charge_uy if before else 0)
    return {key: (held, spent) for key in after.budgets if held or spent}


def request_body(request: LeaseRequest) -> dict[str, Any]:
    """A request as an event keeps it."""
    return {**asdict(request), "id": str(request.id)}


def grant_subject(learner: str, course: str, why: str) -> str:
    """What makes a grant one that may be given once."""
    return hashlib.sha256(canonical([learner, course, why]).encode()).hexdigest()


class Made(NamedTuple):
    """What the chain makes of one lease, and the entry that last touched it."""

    seq: int
    booked: BookedLease
    lines: tuple[ChargeLine, ...]


@dataclass(slots=True)
class Finished:
    """What will not change any more, with the entries that made it: grants, leases that ended or never ran, claims."""

    grants: dict[str, tuple[int, Grant]] = field(default_factory=dict)
    leases: dict[UUID, Made] = field(default_factory=dict)
    observations: dict[str, tuple[int, Observation]] = field(default_factory=dict)
    evidence: dict[UUID, tuple[int, GpuEvidence]] = field(default_factory=dict)
    claims: dict[UUID, Claim] = field(default_factory=dict)
    notes: dict[UUID, tuple[int, Note]] = field(default_factory=dict)


@dataclass(slots=True)
class Books:
    """What a chain of events comes to, folded entry by entry; the finished part is taken out as it grows.

    What stays in memory is bounded by the learners, programmes and open leases there are, not by the chain's length.
    """

    policies: dict[str, Policy] = field(default_factory=dict)
    open: dict[str, Made] = field(default_factory=dict)
    finished: Finished = field(default_factory=Finished)
    used: Counter[CapKey] = field(default_factory=Counter)
    classes: dict[str, ClassWindow] = field(default_factory=dict)
    budgets: dict[BudgetKey, Budget] = field(default_factory=dict)
    vouchers: dict[str, Voucher] = field(default_factory=dict)
    grants: int = 0
    leases: int = 0
    lines: int = 0
    observations: int = 0
    evidence: int = 0
    claims: int = 0
    claimed_lines: int = 0
    notes: int = 0

    def take(self) -> Finished:
        """What has finished since it was last taken."""
        taken, self.finished = self.finished, Finished()
        return taken

    def unfinished(self) -> Finished:
        """The leases that are still opened or running, as rows to be stored or compared."""
        return Finished(leases={made.booked.lease.id: made for made in self.open.values()})

    def add(self, entry: Entry) -> None:
        """Fold one more entry in.

        Raises:
            ValueError, KeyError, TypeError: its body is not one that this ledger writes, or comes out of turn.
        """
        step = self._STEPS.get(entry.kind)
        if step is None:
            raise ValueError(f"got an event of kind {entry.kind!r}, which this version does not know")
        step(self, entry, from_json(entry.body))

    def _adopt(self, entry: Entry, body: dict[str, Any]) -> None:
        self.policies[entry.subject] = Policy.model_validate(body)

    def _grant(self, entry: Entry, body: dict[str, Any]) -> None:
        self.finished.grants[entry.subject] = (entry.seq, Grant(**body))
        self.grants += 1

    def _open(self, entry: Entry, body: dict[str, Any]) -> None:
        booked = opened(body)
        self.open[entry.subject] = Made(entry.seq, booked, ())
        self.leases += 1
        self._draw(None, booked)

    def _start(self, entry: Entry, body: dict[str, Any]) -> None:
        self.open[entry.subject] = Made(entry.seq, started(self.open[entry.subject].booked, body), ())

    def _schedule(self, entry: Entry, body: dict[str, Any]) -> None:
        self.classes[entry.subject] = ClassWindow(**body)

    def _cancel(self, entry: Entry, _body: dict[str, Any]) -> None:
        del self.classes[entry.subject]

    def _observe(self, entry: Entry, body: dict[str, Any]) -> None:
        self.finished.observations[entry.subject] = (entry.seq, Observation.from_body(body))
        self.observations += 1

    def _evidence(self, entry: Entry, body: dict[str, Any]) -> None:
        self.finished.evidence[UUID(entry.subject)] = (entry.seq, GpuEvidence.from_body(body))
        self.evidence += 1

    def _allot(self, _entry: Entry, body: dict[str, Any]) -> None:
        given = Allotment(**body)
        standing = self.budgets.get(given.key, Budget(scope=given.scope, who=given.who))
        self.budgets[given.key] = standing.after(allotted_uy=given.micro_yuan)

    def _issue(self, entry: Entry, body: dict[str, Any]) -> None:
        self.vouchers[entry.subject] = Voucher(subject=entry.subject, **body)

    def _redeem(self, entry: Entry, body: dict[str, Any]) -> None:
        self.vouchers[entry.subject] = replace(self.vouchers[entry.subject], **body)

    def _freeze(self, entry: Entry, _body: dict[str, Any]) -> None:
        frozen = read_claim(entry)
        self.finished.claims[frozen.request.id] = frozen
        self.claims += 1
        self.claimed_lines += frozen.sums.lines

    def _note(self, entry: Entry, body: dict[str, Any]) -> None:
        self.finished.notes[UUID(entry.subject)] = (entry.seq, Note.from_body(body))
        self.notes += 1

    def _draw(self, before: BookedLease | None, after: BookedLease) -> None:
        for key, (held, spent) in drawn(before, after).items():
            self.budgets[key] = self.budgets[key].after(held_uy=held, spent_uy=spent)

    def _finish(self, entry: Entry, body: Mapping[str, Any]) -> None:
        before = self.open[entry.subject].booked
        if entry.kind == VOIDED:
            after = voided(before)
            self.finished.leases[before.lease.id] = Made(entry.seq, after, ())
        else:
            after, sums = ended(before, body, entry.recorded_us, self.policies[before.policy], self.used)
            self.finished.leases[before.lease.id] = Made(entry.seq, after, sums.lines)
            self.lines += len(sums.lines)
            for key, amount in cap_uses(sums.lines).items():
                self.used[key] += amount
        self._draw(before, after)
        del self.open[entry.subject]

    _STEPS: ClassVar[dict[str, Callable[[Books, Entry, dict[str, Any]], None]]] = {
        POLICY_ADOPTED: _adopt,
        GRANT_GIVEN: _grant,
        OPENED: _open,
        STARTED: _start,
        ENDED: _finish,
        VOIDED: _finish,
        SCHEDULED: _schedule,
        CANCELLED: _cancel,
        OBSERVED: _observe,
        GPU_EVIDENCE: _evidence,
        ALLOTTED: _allot,
        VOUCHER_ISSUED: _issue,
        VOUCHER_REDEEMED: _redeem,
        CLAIM_FROZEN: _freeze,
        CLAIM_NOTED: _note,
    }
