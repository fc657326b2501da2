import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from grader.leaks import find_leaks
from grader.release import ReleaseRefusedError, release_lab
from grader.store import Store
from grader.unpack import Caps, unpack
from grader.verdict import LabVersion


def test_release_keeps_back_what_the_source_marks(lab_version: LabVersion, lab_source: bytes) -> None:
    release = lab_version.release.decode()
    assert "square" in release
    assert "assert square(3) == 9" in release
    for kept_back in ("answer_to_all", "secret probe", "model essay", "HIDDEN", "SOLUTION"):
        assert kept_back not in release
    assert json.loads(lab_version.source) == json.loads(lab_source)


def test_release_reaches_gradebook_and_names_its_version(
    released_course: tuple[Path, LabVersion],
) -> None:
    work, version = released_course
    with Gradebook(f"sqlite:///{work / 'gradebook.db'}", "film") as gradebook:
        assert gradebook.find_assignment("squares").max_score == 7
    assert json.loads(version.release)["metadata"]["reelwright"]["version"] == version.version


def test_learners_fetch_exactly_what_was_released(store: Store, lab_version: LabVersion) -> None:
    bundle = store.release_bundle("film", "squares")
    assert bundle is not None
    files = unpack(bundle.content, Caps())
    assert files == {"squares.ipynb": lab_version.release, "data.csv": b"n\n3\n"}
    assert bundle.version == lab_version.version == store.current_lab_version("film", "squares")
    assert store.lab_version("film", "squares", bundle.version) == lab_version


def test_same_source_is_the_same_version(course_folder: Path, tmp_path: Path, lab_version: LabVersion) -> None:
    assert release_lab(course_folder, tmp_path / "film", "squares").version == lab_version.version


def test_withdrawn_lab_is_no_longer_handed_out(store: Store, lab_version: LabVersion) -> None:
    store.withdraw("film", "squares")
    assert store.release_bundle("film", "squares") is None
    assert store.released_labs("film") == ()
    store.release(lab_version)
    assert store.released_labs("film") == ("squares",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("helper.py", b"def square(x):\n    answer_to_all = x * x\n    return answer_to_all\n"),
        ("notes.md", b"we check: assert square(-4) == 16, 'secret probe'\nassert square(-4) == 16, 'secret probe'"),
        ("old.txt", b"### BEGIN SOLUTION"),
    ],
)
def test_file_that_gives_the_solution_away_is_refused_and_changes_nothing(
    course_folder: Path, tmp_path: Path, name: str, content: bytes, copy_course: Callable[[], Path]
) -> None:
    folder = copy_course()
    (folder / "source" / "squares" / name).write_bytes(content)
    with pytest.raises(ReleaseRefusedError, match=name):
        release_lab(folder, tmp_path / "work" / "film", "squares")
    assert not (tmp_path / "work").exists()


def test_link_and_second_notebook_are_refused(tmp_path: Path, copy_course: Callable[[], Path]) -> None:
    folder = copy_course()
    (folder / "source" / "squares" / "again.ipynb").write_bytes(
        (folder / "source" / "squares" / "squares.ipynb").read_bytes()
    )
    with pytest.raises(ReleaseRefusedError):
        release_lab(folder, tmp_path / "work" / "film", "squares")


def test_missing_source_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ReleaseRefusedError, match=r"nothing\.ipynb"):
        release_lab(tmp_path / "film", tmp_path / "work", "nothing")


def test_hidden_line_in_released_notebook_is_a_leak(lab_version: LabVersion) -> None:
    notebook = json.loads(lab_version.release)
    notebook["cells"][0]["source"] = ["psst:\n", "    answer_to_all = x * x"]
    leaks = find_leaks(lab_version.source, json.dumps(notebook).encode(), {})
    assert [(leak.grade_id, leak.words) for leak in leaks] == [("square", "answer_to_all = x * x")]
    assert find_leaks(lab_version.source, lab_version.release, lab_version.files) == ()


@pytest.fixture
def copy_course(course_folder: Path, tmp_path: Path) -> Callable[[], Path]:
    def copy() -> Path:
        return Path(shutil.copytree(course_folder, tmp_path / "content" / "film"))

    return copy
