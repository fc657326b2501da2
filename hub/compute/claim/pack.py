"""The evidence pack of a frozen claim: one zip, the same bytes whenever it is made again.

Everything in it comes from the frozen claim, its lines and its checkpoint. The tables are the same bytes with any
version of our libraries; the PDF is with the versions that ``manifest.json`` names. Files lie in the zip uncompressed:
what a compressor makes of them differs from one machine to the next.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import zipfile
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pylopdf_fonts_zh_cn
import typst

from hub.compute.claim.files import exact_utc, focus_csv, usage_csv
from hub.compute.claim.freeze import FOCUS, USAGE, period_us
from hub.compute.claim.value import Claim, ClaimError, ClaimLine
from hub.compute.lease import HOUR_US, format_yuan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hub.compute.chain import Entry
    from hub.compute.checkpoint import Checkpoint

CLAIM = "claim.json"
CHECKPOINT = "checkpoint.json"
KEY = "public-key.pem"
PDF = "evidence.pdf"
README = "README.txt"
MANIFEST = "manifest.json"
LAYOUT = "Reelwright evidence layout 1"
"""Goes up with every change to the template that moves ink."""

_FOLDER = Path(__file__).parent
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_README = """\
证据包 / Evidence pack

usage.csv        使用明细，每行一段 / usage lines, one stretch a row
focus.csv        同样的数据，FinOps FOCUS 1.2 / the same as FinOps FOCUS 1.2
claim.json       账本中冻结本次申领的条目 / the ledger entry that froze this claim
checkpoint.json  对该条目的签名 / the signature over that entry
public-key.pem   验签公钥；请与您另行取得的公钥比对 / the key to check it with; compare it with the one you were given
evidence.pdf     供人阅读的摘要 / a summary for people
manifest.json    各文件的 SHA-256 / SHA-256 of every file

如何核对：usage.csv 与 focus.csv 的 SHA-256 写在 claim.json 的 body 中；claim.json 的 digest 是
SHA-256(previous + {body, kind, recorded_us, seq, subject} 的规范 JSON)；checkpoint.json 用公钥对该 digest 验签。
学员以编号出现，同一项目的各证据包中编号不变。

How to check: claim.json's body states the SHA-256 of usage.csv and focus.csv; its digest is SHA-256 over previous
followed by the canonical JSON of body, kind, recorded_us, seq and subject; checkpoint.json is the signature over that
digest. Learners appear as numbers, the same ones in every evidence pack of a programme.
"""


class Evidence(NamedTuple):
    """What a pack is made of; ``lines`` gives the claim's lines anew at each call."""

    claim: Claim
    entry: Entry
    checkpoint: Checkpoint
    public_key: str
    lines: Callable[[], Iterable[ClaimLine]]


def pack(evidence: Evidence) -> bytes:
    """The zip.

    Raises:
        ClaimError: the lines are no longer those that were frozen.
    """
    claim = evidence.claim
    period = period_us(claim.request, claim.utc_offset_minutes)
    files = {
        README: _README.encode(),
        CLAIM: _json(evidence.entry._asdict()),
        CHECKPOINT: _json(evidence.checkpoint.as_row()),
        KEY: evidence.public_key.encode(),
        USAGE: "".join(usage_csv(evidence.lines())).encode(),
        FOCUS: "".join(focus_csv(claim.request, period, evidence.lines(), claim.corrections)).encode(),
    }
    for name, frozen in claim.sha256.items():
        if (found := hashlib.sha256(files[name]).hexdigest()) != frozen:
            raise ClaimError(f"{name}: got SHA-256 {found}, expected {frozen}; run `reelwright ledger verify`")
    files[PDF] = print_pdf(evidence)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    files[MANIFEST] = _json({"layout": LAYOUT, "software": software(), "sha256": digests})
    return _zip(files)


def software() -> dict[str, str]:
    """The versions that the PDF's bytes depend on."""
    return {name: metadata.version(name) for name in ("typst", "pylopdf-fonts-zh-cn")}


def print_pdf(evidence: Evidence) -> bytes:
    """The summary for people, in Chinese and English."""
    printed = typst.compile(
        (_FOLDER / "evidence.typ").read_bytes(),
        font_paths=_fonts(),
        sys_inputs={"data": json.dumps(_printed(evidence), ensure_ascii=False)},
        timestamp=evidence.claim.frozen_us // 1_000_000,
        format="pdf",
        pdf_standards="a-2a",
    )
    if not isinstance(printed, bytes):
        raise TypeError("evidence.typ: got several files, expected one PDF")
    return printed


@functools.cache
def _fonts() -> typst.Fonts:
    # Never the system's fonts: what is printed must not depend on the machine.
    folder = pylopdf_fonts_zh_cn.sans_path().parent
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(folder)])


def _printed(evidence: Evidence) -> dict[str, Any]:
    """The strings the template sets; the template computes and decides nothing."""
    claim, sums = evidence.claim, evidence.claim.sums
    return {
        "layout": LAYOUT,
        "request": claim.request.as_body(),
        "titles": claim.titles,
        "frozen": exact_utc(claim.frozen_us),
        "entry": str(claim.seq),
        "digest": claim.digest,
        "sha256": claim.sha256,
        "checkpoint": {**asdict(evidence.checkpoint), "signed": exact_utc(evidence.checkpoint.signed_us)},
        "sums": {
            **{name: str(getattr(sums, name)) for name in ("lines", "people", "sessions", "estimated_sessions")},
            "hours": _hours(sums.billed_us),
            "gpu_hours": _hours(sums.gpu_us),
            **{f"{name}_yuan": format_yuan(getattr(sums, f"{name}_uy")) for name in _MONEY},
        },
        "by_site": _table(evidence.lines(), "site"),
        "by_course": _table(evidence.lines(), "course"),
        "by_month": _table(evidence.lines(), "month"),
        "corrections": [
            {"words": note.words, "yuan": format_yuan(note.amount_uy), "claim": str(note.claim)}
            for note in claim.corrections
        ],
    }


_MONEY = ("total", "amount", "corrections", "due")


def _table(lines: Iterable[ClaimLine], by: str) -> list[list[str]]:
    """Name, sessions, hours, list price and claimed amount by site, course or month, in the order of the names."""
    sums: dict[str, list[int]] = {}
    sessions: dict[str, set[Any]] = {}
    for line in lines:
        name = line.day[:7] if by == "month" else getattr(line, by)
        billed, total, amount = sums.get(name, (0, 0, 0))
        sums[name] = [billed + line.until_us - line.from_us, total + line.total_uy, amount + line.amount_uy]
        sessions.setdefault(name, set()).add(line.lease)
    return [
        [name, str(len(sessions[name])), _hours(billed), format_yuan(total), format_yuan(amount)]
        for name, (billed, total, amount) in sorted(sums.items())
    ]


def _hours(amount_us: int) -> str:
    thousandths = amount_us * 1_000 // HOUR_US
    return f"{thousandths // 1_000}.{thousandths % 1_000:03d}"


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8", "surrogateescape")


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return out.getvalue()
