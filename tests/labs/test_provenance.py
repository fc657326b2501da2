"""A lab's chain of records: what breaks it is seen, and a hostile or torn chain never costs a take."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from labs.provenance import ProvenanceError, check_chain, log_edit, read_record
from labs.provenance.pack import main as pack_main
from labs.render import previs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "first-take"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JUPYTERHUB_USER", "lin")
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    return folder


def _two_takes_and_a_cut(lab: Path) -> None:
    for seed in (1, 2):
        previs("a red ball", seed, f"takes/{seed}.mp4", frames=3)
    (lab / "cut.mp4").write_bytes((lab / "takes" / "1.mp4").read_bytes()[:-1])
    log_edit(["takes/1.mp4", "takes/2.mp4"], "cut.mp4", "kept the second half of take 1")


def test_every_entry_names_the_one_before_and_whose_it_is(lab: Path) -> None:
    _two_takes_and_a_cut(lab)
    chain = check_chain(lab)
    assert chain.holds, [str(problem) for problem in chain.problems]
    first, second, cut = chain.entries
    assert (first.previous, first.learner, first.lab) == (None, "lin", "first-take")
    assert second.previous is not None
    assert read_record("takes/2.json") == second
    assert [file.file for file in cut.inputs] == ["1.mp4", "2.mp4"]


@pytest.mark.parametrize("line", [0, 1])
def test_a_changed_or_dropped_line_breaks_the_chain(lab: Path, line: int) -> None:
    _two_takes_and_a_cut(lab)
    file = lab / "provenance.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    changed = json.loads(lines[line]) | {"prompt": "a blue ball"}
    file.write_text("".join([*lines[:line], json.dumps(changed) + "\n", *lines[line + 1 :]]))
    assert any(f"line {line + 2} does not link" in str(problem) for problem in check_chain(lab).problems)
    file.write_text("".join([*lines[:line], *lines[line + 1 :]]))
    assert not check_chain(lab).holds


def test_a_film_behind_its_record_is_seen(lab: Path) -> None:
    _two_takes_and_a_cut(lab)
    (lab / "takes" / "1.mp4").write_bytes(b"another film")
    (lab / "stray.mp4").write_bytes(b"from nowhere")
    assert [str(problem) for problem in check_chain(lab).problems] == [
        "stray.mp4: the chain does not know it",
        "1.mp4: the file is not what its record says",
    ]


def test_a_torn_or_senseless_chain_costs_no_take_and_is_told(lab: Path) -> None:
    (lab / "provenance.jsonl").write_bytes(b'{"kind": "reelwright-take/1", "prom')
    previs("a red ball", 1, "takes/1.mp4", frames=1)
    chain = check_chain(lab)
    assert len(chain.entries) == 1
    assert [str(problem)[:20] for problem in chain.problems] == ["line 1 is no record "]
    with pytest.raises(ProvenanceError, match="cannot read"):
        check_chain(lab / "takes")
    with pytest.raises(ProvenanceError, match="what was done"):
        log_edit([], "takes/1.mp4", " ")


def test_the_evidence_pack_holds_all_and_says_what_does_not(lab: Path) -> None:
    _two_takes_and_a_cut(lab)
    (lab / "secret.mp4").symlink_to("/etc/hostname")
    (lab / "first-take.ipynb").write_text("{}")
    assert pack_main([".", "--to", "evidence.zip"]) == 1
    (lab / "secret.mp4").unlink()
    assert pack_main([".", "--to", "evidence.zip"]) == 0
    first = (lab / "evidence.zip").read_bytes()
    with zipfile.ZipFile(lab / "evidence.zip") as opened:
        names = set(opened.namelist())
        told = opened.read("summary.md").decode()
    assert {"summary.md", "SHA256SUMS", "provenance.jsonl", "takes/1.mp4", "takes/1.json", "cut.mp4"} <= names
    assert not {"secret.mp4", "first-take.ipynb", "evidence.zip"} & names
    assert "everything holds" in told
    assert "kept the second half of take 1 ← 1.mp4, 2.mp4" in told
    assert pack_main([".", "--to", "evidence.zip"]) == 0
    assert (lab / "evidence.zip").read_bytes() == first
    assert pack_main([str(lab / "takes")]) == 2
