"""Checks for the public pages: with all that this issuer publishes at hand, and never more at once than it can bear."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certs import batch
from certs.certificate import State
from certs.credential.controller import Controller, controller_document, parse_controller
from certs.files import verify_file
from certs.standing import standing, with_members, with_record
from certs.store import now_us
from certs.verification import Outcome, Verification

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certs.certificate import Certificate, IssuerProfile
    from certs.files import PdfReaders
    from certs.store import Store

# A PDF may cost a quarter of a second of CPU; beyond this many checks at once people are asked to come back.
_CHECKS_AT_ONCE = 4
_BATCHES_AT_ONCE = 1
_WAIT_SECONDS = 5
# Keys change by hand; a page view need not read them each time.
_KEYS_SECONDS = 5.0


class Busy(Exception):  # noqa: N818 - not an error: come back later
    """Too many checks run already."""


@dataclass(frozen=True)
class _Published:
    """What the issuer publishes, as the verifier takes it."""

    controller: Controller
    status_lists: dict[str, bytes]
    logs: tuple[bytes, ...]


class Desk:
    """Answers from the store and from files; holds no key."""

    def __init__(self, store: Store, profile: IssuerProfile) -> None:
        self._store = store
        self._profile = profile
        self._checks = threading.BoundedSemaphore(_CHECKS_AT_ONCE)
        self._batches = threading.BoundedSemaphore(_BATCHES_AT_ONCE)
        self._given_up: tuple[float, dict[str, int]] = (-_KEYS_SECONDS, {})

    def standing(self, certificate: Certificate) -> Verification:
        """Where an issued certificate stands now, from the record."""
        at_us = now_us()
        answer = standing(certificate, self._profile, at_us=at_us, given_up=self._keys_given_up())
        if answer.facts is None or not answer.facts.members:
            return answer
        found = [self._store.by_id(member.id.rpartition("/")[2]) for member in answer.facts.members]
        return with_members(answer, certificate, [one for one in found if one is not None], at_us=at_us)

    def check_stored(self, certificate: Certificate) -> Verification:
        """The full check of a stored certificate.

        Raises:
            Busy: too many run already.
        """
        with _one_of(self._checks):
            answer = self._verify(certificate.document or b"", self._published())
        return with_record(answer, certificate, at_us=now_us())

    def check_file(self, data: bytes) -> tuple[Verification, Certificate | None]:
        """The full check of a file, and our own record of it where its signature holds and it is ours.

        Raises:
            Busy: too many run already.
        """
        with _one_of(self._checks):
            return self._with_ours(self._verify(data, self._published()))

    def check_many(self, data: bytes) -> tuple[batch.Row, ...]:
        """Row by row: a CSV of numbers by the record, a zip of files by the full check.

        Raises:
            Busy: another batch runs already.
            certs.batch.BatchError: it cannot be taken.
        """
        with _one_of(self._batches):
            if not batch.is_zip(data):
                return tuple(self._listed(name, number) for name, number in batch.read_ids(data))
            files, published = list(batch.read_files(data)), self._published()

            def check(content: bytes, readers: PdfReaders) -> Verification:
                return self._verify(content, published, readers=readers)

            return tuple(self._row(name, answer) for name, answer in batch.verify_files(files, check))

    def _listed(self, name: str, certificate_id: str | None) -> batch.Row:
        found = self._store.by_id(certificate_id) if certificate_id else None
        if found is None or found.state is not State.ISSUED:
            return batch.Row(name, certificate_id, None)
        if found.paused_us is not None:
            return batch.Row(name, certificate_id, Verification.paused())
        return batch.Row(name, certificate_id, self.standing(found))

    def _row(self, name: str, answer: Verification) -> batch.Row:
        answer, ours = self._with_ours(answer)
        return batch.Row(name, None if ours is None else ours.id, answer)

    def _with_ours(self, answer: Verification) -> tuple[Verification, Certificate | None]:
        signature = answer.step("signature")
        if answer.facts is None or signature is None or signature.outcome is not Outcome.HELD:
            return answer, None
        if answer.facts.issuer != self._profile.id:
            return answer, None
        found = self._store.by_id(answer.facts.id.rpartition("/")[2])
        if found is None or found.state is not State.ISSUED:
            return answer, None
        return with_record(answer, found, at_us=now_us()), found

    def _verify(self, data: bytes, published: _Published, **options: Any) -> Verification:
        return verify_file(
            data,
            controllers=[published.controller],
            status_lists=published.status_lists,
            trusted=frozenset(),
            at_us=now_us(),
            logs=published.logs,
            printed_from=self._store.printed_from,
            **options,
        )

    def _published(self) -> _Published:
        lists = self._store.published_lists().items()
        return _Published(
            parse_controller(controller_document(self._profile.id, self._store.public_keys())),
            {self._profile.status_address(number): document for number, document in lists},
            self._store.issue_logs(),
        )

    def _keys_given_up(self) -> dict[str, int]:
        read_at, given_up = self._given_up
        if time.monotonic() - read_at >= _KEYS_SECONDS:
            keys = self._store.public_keys()
            given_up = {key.multibase: key.bad_from_us for key in keys if key.bad_from_us is not None}
            self._given_up = (time.monotonic(), given_up)
        return given_up


@contextmanager
def _one_of(places: threading.BoundedSemaphore) -> Iterator[None]:
    if not places.acquire(timeout=_WAIT_SECONDS):
        raise Busy
    try:
        yield
    finally:
        places.release()
