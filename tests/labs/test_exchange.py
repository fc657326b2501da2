"""Packing, unpacking and talking to the intake, without nbgrader."""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from labs.exchange.answers import IntakeError
from labs.exchange.archive import MAX_FILE_BYTES, ArchiveError, pack, unpack
from labs.exchange.client import Intake
from labs.exchange.fetch import fetch_lab, has_newer_release
from labs.exchange.results import fetch_results
from labs.exchange.submit import submit_lab

if TYPE_CHECKING:
    from pathlib import Path

COURSE, LAB = "micro-drama", "first-cut"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "home" / COURSE / LAB
    (made / "takes").mkdir(parents=True)
    (made / f"{LAB}.ipynb").write_text("{}")
    (made / "takes" / "first.mp4").write_bytes(b"film")
    return made


def names(archive: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return set(opened.namelist())


def test_only_regular_visible_files_travel_and_the_rest_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "old.ipynb").write_text("{}")
    (folder / ".hidden").write_text("x")
    (folder / "model.safetensors").write_bytes(b"w")
    (folder / "feedback").mkdir()
    (folder / "feedback" / "result.md").write_text("x")
    packed = pack(folder)
    assert names(packed.archive) == {f"{LAB}.ipynb", "takes/first.mp4"}
    assert set(packed.left_out) == {"link.txt", "pipe", ".hidden", "model.safetensors"}
    assert pack(folder).archive == packed.archive


def test_a_film_that_is_too_large_is_refused_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWRIGHT_LOCALE", "en")
    with (folder / "takes" / "long.mp4").open("wb") as film:
        film.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ArchiveError, match=r"takes/long\.mp4 is larger than 20 MB"):
        pack(folder)


def test_unpacking_never_overwrites(folder: Path, intake: Any) -> None:
    intake.release(COURSE, LAB, {f"{LAB}.ipynb": b"released", "data/new.txt": b"new"})
    with Intake.from_environment() as asked:
        written = fetch_lab(asked, COURSE, LAB, home=folder.parents[1], folder=folder)
    assert written == (folder / "data" / "new.txt",)
    assert (folder / f"{LAB}.ipynb").read_text() == "{}"
    assert (folder / "data" / "new.txt").read_text() == "new"


def test_the_same_files_are_the_same_archive_however_they_came_to_be(folder: Path, tmp_path: Path) -> None:
    # A retry after a lost answer must be the attempt it repeats: the intake knows an attempt by its digest.
    other = tmp_path / "other"
    (other / "takes").mkdir(parents=True)
    for name in ("takes/first.mp4", f"{LAB}.ipynb"):
        (other / name).write_bytes((folder / name).read_bytes())
        (other / name).chmod(0o600)
        os.utime(other / name, (1_000_000_000, 1_000_000_000))
    (other / ".ipynb_checkpoints").mkdir()
    assert pack(other).archive == pack(folder).archive
    (other / "takes" / "first.mp4").write_bytes(b"cut")
    assert pack(other).archive != pack(folder).archive


def test_a_newer_release_lies_beside_the_work_and_never_on_it(folder: Path, intake: Any) -> None:
    home = folder.parents[1]
    (folder / f"{LAB}.ipynb").unlink()
    intake.release(COURSE, LAB, {f"{LAB}.ipynb": b"one"})
    with Intake.from_environment() as asked:
        fetch_lab(asked, COURSE, LAB, home=home, folder=folder)
        assert not has_newer_release(home, COURSE, LAB, "1")
        (folder / f"{LAB}.ipynb").write_text("my work")
        intake.release(COURSE, LAB, {f"{LAB}.ipynb": b"two"})
        intake.version = "../2"
        assert has_newer_release(home, COURSE, LAB, "../2")
        (written,) = fetch_lab(asked, COURSE, LAB, home=home, folder=folder)
    assert written == home / COURSE / f"{LAB}--release-2" / f"{LAB}.ipynb"
    assert written.read_text() == "two"
    assert (folder / f"{LAB}.ipynb").read_text() == "my work"
    assert not has_newer_release(home, COURSE, LAB, "../2")
    assert not has_newer_release(home, COURSE, "another", "2")


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "a\\..\\out.txt"])
def test_a_name_outside_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(ArchiveError):
        unpack(archive.getvalue(), tmp_path / "in")
    assert not list(tmp_path.rglob("*.txt"))


def test_a_link_in_an_archive_and_a_broken_archive_are_refused(tmp_path: Path) -> None:
    archive, link = io.BytesIO(), zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(link, b"/etc/passwd")
    for content in (archive.getvalue(), b"no zip"):
        with pytest.raises(ArchiveError):
            unpack(content, tmp_path)


def test_a_submission_leaves_its_receipt(folder: Path, intake: Any) -> None:
    home = folder.parents[1]
    with Intake.from_environment() as asked:
        done = submit_lab(asked, COURSE, LAB, folder=folder, home=home)
    assert done.receipt_file is not None
    kept = json.loads(done.receipt_file.read_text())
    assert kept["receipt"]["submission_id"] == "first-cut-1"
    assert kept["signature"] == "c2lnbmVk"
    assert intake.handed_in() == {f"{LAB}.ipynb", "takes/first.mp4"}


def test_a_taken_attempt_is_never_reported_as_lost(folder: Path, intake: Any) -> None:
    home = folder.parents[1]
    (home / "receipts").write_text("a file where the folder should be")
    with Intake.from_environment() as asked:
        done = submit_lab(asked, COURSE, LAB, folder=folder, home=home)
    assert done.receipt_file is None
    assert done.receipt.attempt == 1


def test_a_renamed_notebook_is_told_before_anything_is_sent(folder: Path, intake: Any) -> None:
    (folder / f"{LAB}.ipynb").rename(folder / "Copy.ipynb")
    with Intake.from_environment() as asked, pytest.raises(ArchiveError, match=r"found: Copy\.ipynb"):
        submit_lab(asked, COURSE, LAB, folder=folder, home=folder.parents[1])
    assert not intake.archives


def test_results_show_reasons_before_feedback_and_the_page_after(folder: Path, intake: Any) -> None:
    with Intake.from_environment() as asked:
        submit_lab(asked, COURSE, LAB, folder=folder, home=folder.parents[1])
        assert fetch_results(asked, COURSE, LAB, folder) == ()
        items = [{"title": "a|b", "score": None, "max_score": 10, "reason": {"zh": "等待教师", "en": "by hand"}}]
        intake.grade(COURSE, LAB, state="needs_review", score=4, max_score=14, items=items)
        (written,) = fetch_results(asked, COURSE, LAB, folder)
        assert "| a\\|b | … | 10 | by hand |" in (written / "result.md").read_text()
        intake.grade(COURSE, LAB, state="graded", score=12, feedback=True, id="s-1")
        intake.feedback["s-1"] = _zip({f"{LAB}.html": b"well done"})
        (written,) = fetch_results(asked, COURSE, LAB, folder)
    assert (written / f"{LAB}.html").read_text() == "well done"
    assert "12/14" in (written / "result.md").read_text()


def test_refusals_carry_their_reason_in_both_languages(intake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Intake(intake.url, "stolen") as stranger, pytest.raises(IntakeError, match="sign in again") as caught:
        stranger.labs()
    assert (caught.value.status, caught.value.code) == (401, "no_token")
    assert caught.value.words.zh.startswith("请重新登录")


def test_a_damaged_release_an_absent_and_a_senseless_intake(intake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    intake.release(COURSE, LAB, {f"{LAB}.ipynb": b"{}"})
    intake.wrong_digest = True
    with Intake.from_environment() as asked, pytest.raises(IntakeError, match="arrived damaged"):
        asked.release(COURSE, LAB)
    intake.release("../..", LAB, {})
    with Intake.from_environment() as asked, pytest.raises(IntakeError, match="makes no sense"):
        asked.labs()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Intake(address, "t") as away, pytest.raises(IntakeError, match="cannot be reached"):
            away.labs()
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN")
    with pytest.raises(IntakeError, match="JUPYTERHUB_API_TOKEN is not set"):
        Intake.from_environment()


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()
