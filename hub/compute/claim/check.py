"""Checks an evidence pack with nothing but the pack and the public key one was given elsewhere. Pure.

1. Every file is the one that the manifest names.
2. The ledger's entry has the digest of what it says, and the checkpoint is signed over that digest by the key.
3. The usage lines and the FOCUS table are the ones that the entry names.
4. The lines sum to what the entry claims, and so do the FOCUS credits; the FOCUS table keeps its own rules.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from hub.compute.chain import Entry, digest_of
from hub.compute.checkpoint import Checkpoint
from hub.compute.claim import focus
from hub.compute.claim.freeze import FOCUS, USAGE, read_claim
from hub.compute.claim.pack import CHECKPOINT, CLAIM, KEY, MANIFEST, PDF, README
from hub.compute.lease import MICRO, format_yuan, micro_yuan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from hub.compute.claim.value import Claim

FILES = frozenset((CHECKPOINT, CLAIM, FOCUS, KEY, MANIFEST, PDF, README, USAGE))
_MOST_BYTES = 2 * 1024**3


def check_pack(content: bytes, key: Ed25519PublicKey) -> tuple[str, ...]:
    """What is wrong with the pack; empty when nothing is."""
    try:
        files = _files(content)
        return tuple(_problems(files, key))
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        return (f"cannot be read: {type(error).__name__}: {error}",)


def _files(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        if len(infos) != len(FILES) or {info.filename for info in infos} != FILES:
            raise ValueError(f"got files {sorted(info.filename for info in infos)}, expected {sorted(FILES)}")
        if sum(info.file_size for info in infos) > _MOST_BYTES:
            raise ValueError(f"got more than {_MOST_BYTES} bytes")
        return {info.filename: archive.read(info) for info in infos}


def _problems(files: dict[str, bytes], key: Ed25519PublicKey) -> Iterator[str]:
    for name, expected in json.loads(files[MANIFEST])["sha256"].items():
        if _sha256(files[name]) != expected:
            yield f"{name} is not the file that the manifest names"
    entry = Entry(**json.loads(files[CLAIM]))
    said = entry._asdict()
    if digest_of(**{name: said[name] for name in said if name != "digest"}) != entry.digest:
        yield f"{CLAIM}: its digest is not that of what it says"
    signed = Checkpoint(**json.loads(files[CHECKPOINT]))
    if not signed.signed_by(key):
        yield f"{CHECKPOINT} is not signed by the key"
    if (signed.entries, signed.digest) != (entry.seq, entry.digest):
        yield f"{CHECKPOINT} was signed over another entry"
    claim = read_claim(entry)
    for name in (USAGE, FOCUS):
        if _sha256(files[name]) != claim.sha256[name]:
            yield f"{name} is not the file that the entry names"
    yield from _sums(claim, files[USAGE].decode(), files[FOCUS].decode())


def _sums(claim: Claim, usage: str, focus_table: str) -> Iterator[str]:
    rows = list(csv.DictReader(io.StringIO(usage)))
    sums: tuple[tuple[str, Any, Any], ...] = (
        ("lines", len(rows), claim.sums.lines),
        ("learners", len({row["person"] for row in rows}), claim.sums.people),
        ("sessions", len({row["lease"] for row in rows}), claim.sums.sessions),
        ("microseconds", sum(int(row["microseconds"]) for row in rows), claim.sums.billed_us),
        ("list price", sum(micro_yuan(row["list_price_yuan"]) for row in rows), claim.sums.total_uy),
        ("claimed", sum(micro_yuan(row["claimed_yuan"]) for row in rows), claim.sums.amount_uy),
        ("FOCUS usage", int(focus.total(focus_table, "Usage") * MICRO), claim.sums.total_uy),
        ("FOCUS credits", int(focus.total(focus_table, "Credit") * MICRO), -claim.sums.due_uy),
    )
    for what, found, claimed in sums:
        if found != claimed:
            yield f"{what}: the lines come to {found}, the entry claims {claimed}"
    if claim.sums.due_uy != claim.sums.amount_uy - sum(note.amount_uy for note in claim.corrections):
        yield f"due: got {format_yuan(claim.sums.due_uy)}, expected the claimed amount less the corrections"
    if len({(row["lease"], row["segment"], row["line"]) for row in rows}) != len(rows):
        yield "a line stands twice"
    yield from focus.check_focus(focus_table)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
