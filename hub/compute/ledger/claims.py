"""Claims: preview, freeze, note, and the evidence pack. A line once in a claim has been claimed for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.compute.books import CLAIM_FROZEN, CLAIM_NOTED
from hub.compute.checkpoint import CheckpointError, checking_key, public_pem
from hub.compute.claim.freeze import frozen_body, period_us, read_claim, refuse_open_period
from hub.compute.claim.pack import Evidence, pack
from hub.compute.claim.value import Claim, ClaimError, ClaimRequest, Note, Preview, sum_lines, titles_of
from hub.compute.ledger import audit
from hub.compute.ledger import claimed as shelf
from hub.compute.ledger import entries as chain
from hub.db import reading

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy import Connection

    from hub.compute.checkpoint import Checkpoint
    from hub.compute.ledger.pen import Pen
    from hub.compute.policy import Policy


class Claims:
    """The door to claims of one ledger."""

    def __init__(self, pen: Pen, policy: Policy, checkpoint_key: Path | None) -> None:
        self._pen = pen
        self._policy = policy
        self._checkpoint_key = checkpoint_key

    def preview(self, request: ClaimRequest) -> Preview:
        """What freezing the request would give now; nothing is written.

        Raises:
            ClaimError: programme or payer is unknown, or the period is open.
        """
        titles_of(request, self._policy)
        with reading(self._pen.engine) as connection:
            self._refuse_open(connection, request)
            corrections = shelf.open_corrections(connection, request)
            sums = sum_lines(shelf.free_lines(connection, request), corrections)
            return Preview(request=request, sums=sums, claimed_before=shelf.claimed_before(connection, request))

    def freeze(self, request: ClaimRequest) -> Claim:
        """Claim every line of the request that is not claimed yet, for ever, and sign it; again gives the same claim.

        Raises:
            ClaimError: programme or payer is unknown, the period is open, there is nothing to claim, or another claim
                has this id.
            CheckpointError: there is no key to sign with.
        """
        titles = titles_of(request, self._policy)
        with self._pen.writing() as connection:
            if standing := shelf.find_claim(connection, request.id):
                if standing.request != request:
                    raise ClaimError(f"claim {request.id}: got a different request, expected a new id for it")
                return standing
            self._refuse_open(connection, request)
            shelf.take_lines(connection, request)
            body = frozen_body(
                request,
                titles,
                shelf.open_corrections(connection, request),
                self._policy.prices.utc_offset_minutes,
                lambda: shelf.lines_of(connection, request.id, request.programme),
            )
            entry = self._pen.append(connection, CLAIM_FROZEN, str(request.id), body)
            frozen = read_claim(entry)
            shelf.keep_claim(connection, frozen)
            self._sign(connection, frozen)
        return frozen

    def note(self, note: Note) -> Note:
        """Put a query, an answer or a correction on record; the claim itself never changes. Again is the same.

        Raises:
            ClaimError: there is no such claim, another note has this id, or more would be corrected than was claimed.
        """
        with self._pen.writing() as connection:
            if standing := chain.find(connection, CLAIM_NOTED, str(note.id)):
                found = Note.from_body(chain.body_of(standing))
                if found != note:
                    raise ClaimError(f"note {note.id}: got something else, expected a new id for it")
                return found
            frozen = self._claim(connection, note.claim)
            left = frozen.sums.amount_uy - shelf.corrected_uy(connection, note.claim)
            if note.amount_uy > left:
                raise ClaimError(f"amount_uy: got {note.amount_uy}, expected at most the {left} that stand claimed")
            entry = self._pen.append(connection, CLAIM_NOTED, str(note.id), note.as_body())
            shelf.keep_note(connection, entry.seq, note)
        return note

    def all(self) -> tuple[Claim, ...]:
        """Every claim, newest first."""
        with reading(self._pen.engine) as connection:
            return shelf.claims(connection)

    def one(self, claim_id: UUID) -> Claim:
        """A frozen claim.

        Raises:
            ClaimError: there is none of this id.
        """
        with reading(self._pen.engine) as connection:
            return self._claim(connection, claim_id)

    def notes(self, claim_id: UUID) -> tuple[Note, ...]:
        """What was said about a claim, oldest first."""
        with reading(self._pen.engine) as connection:
            return shelf.notes_of(connection, claim_id)

    def people(self, programme: str) -> dict[int, str]:
        """Which learner stands under which number in a programme's packs: for those who may see names, not funders."""
        with reading(self._pen.engine) as connection:
            return shelf.people_of(connection, programme)

    def pack(self, claim_id: UUID) -> bytes:
        """The evidence pack as a zip; the same bytes every time.

        Raises:
            ClaimError: there is no such claim, or its lines are not those that were frozen.
            CheckpointError: its signature is gone.
        """
        if self._checkpoint_key is None or not self._checkpoint_key.exists():
            raise CheckpointError("evidence pack: got no key file, expected the key that signed the claim")
        public_key = public_pem(checking_key(self._checkpoint_key))
        with reading(self._pen.engine) as connection:
            chain.stand_still(connection)
            claim = self._claim(connection, claim_id)
            entry = chain.find(connection, CLAIM_FROZEN, str(claim_id))
            signed = [made for made in chain.checkpoints(connection) if made.day == _name(claim)]
            if entry is None or not signed:
                raise CheckpointError(f"claim {claim_id}: its signature is gone, expected checkpoint {_name(claim)!r}")
            programme = claim.request.programme
            lines = lambda: shelf.lines_of(connection, claim_id, programme)  # noqa: E731 - read anew for each file
            return pack(Evidence(claim, entry, signed[0], public_key, lines))

    def _claim(self, connection: Connection, claim_id: UUID) -> Claim:
        found = shelf.find_claim(connection, claim_id)
        if found is None:
            raise ClaimError(f"got claim {claim_id}, expected one that was frozen")
        return found

    def _refuse_open(self, connection: Connection, request: ClaimRequest) -> None:
        _, end_us = period_us(request, self._policy.prices.utc_offset_minutes)
        refuse_open_period(request, end_us, self._pen.clock())
        if blocking := shelf.blocking_lease(connection, end_us):
            raise ClaimError(
                f"the period until {request.until_day} is open: lease {blocking.id} is still {blocking.state}; "
                f"expected all of its leases to have ended"
            )

    def _sign(self, connection: Connection, claim: Claim) -> Checkpoint:
        return audit.checkpoint(connection, self._checkpoint_key, _name(claim), self._pen.clock())


def _name(claim: Claim) -> str:
    return f"claim-{claim.request.id}"
