"""The evidence pack of a lab: its films, records and chain in one zip, with a summary a person can read.

python -m labs.provenance.pack [FOLDER] [--to FILE.zip]
"""

from __future__ import annotations

import argparse
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from labs.language import LabError
from labs.provenance.chain import CHAIN, check_chain, sha256_file
from labs.provenance.record import Edit, Record

if TYPE_CHECKING:
    from labs.provenance.chain import Chain

KEPT = frozenset({".mp4", ".json", ".jsonl", ".otio", ".fountain", ".srt"})
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)


def evidence_pack(folder: str | Path, target: str | Path) -> Chain:
    """Write the pack of the lab in ``folder`` to ``target`` and return its chain, problems and all.

    A broken chain is packed too: the summary says what does not hold. Same files, same bytes.

    Raises:
        ProvenanceError: there is no chain.
        OSError: the pack cannot be written.
    """
    place, made = Path(folder), Path(target)
    chain = check_chain(place)
    files = sorted(file for file in place.rglob("*") if _is_evidence(file, place) and file.resolve() != made.resolve())
    digests = "".join(f"{sha256_file(file)}  {file.relative_to(place).as_posix()}\n" for file in files)
    unfinished = made.with_name(f".{made.name}.part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "summary.md", summary(chain).encode())
        _put(archive, "SHA256SUMS", digests.encode())
        for file in files:
            _put(archive, file.relative_to(place).as_posix(), file.read_bytes())
    unfinished.replace(made)
    return chain


def summary(chain: Chain) -> str:
    """What was made from what, in both languages, as Markdown."""
    verdict = "全部吻合 · everything holds" if chain.holds else "有不符之处 · something does not hold"
    problems = "".join(f"- {problem.zh} · {problem.en}\n" for problem in chain.problems)
    head = (
        "| # | 时间 UTC | 文件 file | 由来 origin | 种子 seed | 模型 model | SHA-256 |\n|---|---|---|---|---|---|---|\n"
    )
    rows = "".join(f"| {number} {_row(entry)}\n" for number, entry in enumerate(chain.entries, start=1))
    whose = next(iter(chain.entries), None)
    title = (
        f"# 证据包 · Evidence pack\n\n{whose.learner} · {whose.lab}\n\n" if whose else "# 证据包 · Evidence pack\n\n"
    )
    note = (
        f"\n链文件 {CHAIN}：每行写有上一行的 SHA-256。何时交上来，以作业服务签名的收据为准。\n"
        f"In {CHAIN} every line names the SHA-256 of the line before. The signed receipt says when it was handed in.\n"
    )
    return f"{title}**{verdict}**\n\n{problems}\n{head}{rows}{note}"


def main(arguments: list[str] | None = None) -> int:
    """Pack from the command line; 0 when everything holds, 1 when something does not, 2 when nothing was packed."""
    parser = argparse.ArgumentParser(prog="python -m labs.provenance.pack", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    parser.add_argument("--to", type=Path, default=Path("evidence.zip"))
    asked = parser.parse_args(arguments)
    try:
        chain = evidence_pack(asked.folder, asked.to)
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to a person
        return 2
    print("\n".join([str(asked.to), *(str(problem) for problem in chain.problems)]))  # noqa: T201
    return 0 if chain.holds else 1


def _is_evidence(file: Path, place: Path) -> bool:
    hidden = any(part.startswith(".") or part == "feedback" for part in file.relative_to(place).parts)
    return file.suffix.lower() in KEPT and not hidden and not file.is_symlink() and file.is_file()


def _row(entry: Record | Edit) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(entry.made_us / 1e6))
    if isinstance(entry, Record):
        cells = (f"{entry.engine}: {entry.prompt}", str(entry.seed), entry.model.name)
    else:
        cells = (f"{entry.what} ← {', '.join(file.file for file in entry.inputs) or '-'}", "", "")
    told = (when, entry.output.file, *cells, entry.output.sha256)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in told) + " |"


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _FIXED_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


if __name__ == "__main__":
    raise SystemExit(main())
