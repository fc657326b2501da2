import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.gradebook import Gradebooks
from grader.jobs import Worker, run_worker
from grader.store import Store
from grader.store.claims import MAX_TRIES
from grader.submission import LabRules, Window
from grader.verdict import Failure, GradingJob, LabVersion, Verdict
from hub.db import open_engine

Judge = Callable[[GradingJob], Verdict]


@pytest.fixture
def hand_in(store: Store, window: Window, rules: LabRules, lab_version: LabVersion) -> Callable[..., str]:
    def add(archive: bytes, learner: str = "ada") -> str:
        version = lab_version.version
        return store.add("film", "squares", learner, archive, window=window, rules=rules, version=version).id

    return add


@pytest.fixture
def worker_of(store: Store, courses_dir: Path, rules: LabRules) -> Callable[[Judge], Worker]:
    return lambda grade: Worker(store, grade, Gradebooks(courses_dir), lambda _course, _lab: rules, "w1")


def test_handed_in_lab_is_scored_item_by_item(
    store: Store, hand_in: Callable[..., str], fill_in: Callable[..., bytes], worker_of: Callable, judge: Judge
) -> None:
    hand_in(fill_in())
    assert worker_of(judge).work_once()
    (attempt,) = store.attempts("film", "squares", "ada")
    assert attempt.submission.state == "needs_review"
    result = attempt.result
    assert result is not None
    assert (result.auto_score, result.auto_max, result.hand_max) == (2.0, 2.0, 5.0)
    assert result.awaiting_hand
    assert result.rubric_version == "r1"
    assert [(item.grade_id, item.score) for item in result.items] == [("test-square", 2.0), ("essay", None)]


def test_blank_essay_waits_for_nobody(
    store: Store, hand_in: Callable[..., str], fill_in: Callable[..., bytes], worker_of: Callable, judge: Judge
) -> None:
    hand_in(fill_in(essay=""))
    worker_of(judge).work_once()
    (attempt,) = store.attempts("film", "squares", "ada")
    assert attempt.submission.state == "graded"
    assert attempt.result is not None
    assert attempt.result.items[1].score == 0
    assert "no answer" in attempt.result.items[1].reason_en


def test_failure_of_ours_is_retried_and_then_costs_no_attempt(
    tmp_path: Path,
    database_url: str,
    store: Store,
    hand_in: Callable[..., str],
    fill_in: Callable[..., bytes],
    courses_dir: Path,
    rules: LabRules,
    judge: Judge,
) -> None:
    clock = [time.time_ns() // 1000]
    later = Store(open_engine(database_url), tmp_path / "blobs", clock=lambda: clock[0])
    archive = fill_in()
    hand_in(archive)

    def broken(job: GradingJob) -> Verdict:
        return Verdict((), b"", Failure("infrastructure", "沙箱没有启动", "the sandbox did not start"))

    worker = Worker(later, broken, Gradebooks(courses_dir), lambda _course, _lab: rules, "w1")
    for _ in range(MAX_TRIES):
        clock[0] += 3_600_000_000
        assert worker.work_once()
    (attempt,) = store.attempts("film", "squares", "ada")
    assert attempt.submission.state == "failed"
    assert "not yours" in attempt.submission.reason_en
    assert store.attempts_used("film", "squares", "ada") == 0
    # The same bytes once more are another try of the same attempt, and now it works.
    hand_in(archive)
    worker.grade = judge
    clock[0] += 3_600_000_000
    assert worker.work_once()
    assert [one.submission.state for one in store.attempts("film", "squares", "ada")] == ["needs_review"]


def test_crashing_judge_is_ours_too(
    store: Store, hand_in: Callable[..., str], fill_in: Callable[..., bytes], worker_of: Callable
) -> None:
    def crash(job: GradingJob) -> Verdict:
        raise MemoryError("no room")

    hand_in(fill_in())
    assert worker_of(crash).work_once()
    (attempt,) = store.attempts("film", "squares", "ada")
    assert (attempt.submission.state, attempt.result) == ("queued", None)


def test_learners_own_failure_is_a_result(
    store: Store, hand_in: Callable[..., str], fill_in: Callable[..., bytes], worker_of: Callable, judge: Judge
) -> None:
    def timed_out(job: GradingJob) -> Verdict:
        scored = judge(job)
        return Verdict(scored.cells, job.notebook, Failure("learner", "超时", "your code ran too long"))

    submission_id = hand_in(fill_in())
    worker_of(timed_out).work_once()
    verdict = store.verdict(submission_id)
    assert verdict is not None
    assert verdict.failure == Failure("learner", "超时", "your code ran too long")
    assert store.attempts_used("film", "squares", "ada") == 1


def test_worker_that_lost_its_claim_writes_nothing(
    store: Store, hand_in: Callable[..., str], fill_in: Callable[..., bytes], judge: Judge, lab_version: LabVersion
) -> None:
    hand_in(fill_in())
    slow = store.claim("slow", lease_seconds=0)
    quick = store.claim("quick")
    assert slow is not None
    assert quick is not None
    assert slow.submission.id == quick.submission.id
    verdict = judge(GradingJob("x", lab_version, lab_version.release))
    assert not store.record(slow, verdict)
    assert not store.renew(slow)
    assert store.record(quick, verdict)
    assert not store.record(quick, verdict)
    store.give_back(quick, "晚", "late")
    (attempt,) = store.attempts("film", "squares", "ada")
    assert attempt.result is not None


def test_workers_share_the_queue_without_grading_twice(
    store: Store,
    hand_in: Callable[..., str],
    fill_in: Callable[..., bytes],
    courses_dir: Path,
    rules: LabRules,
    judge: Judge,
) -> None:
    ids = {hand_in(fill_in(essay=f"essay {n}"), learner=f"learner{n}") for n in range(12)}
    graded: list[str] = []
    stop = threading.Event()

    def counting(job: GradingJob) -> Verdict:
        graded.append(job.submission_id)
        if len(graded) == len(ids):
            stop.set()
        return judge(job)

    threads = [
        threading.Thread(
            target=run_worker,
            args=(store,),
            kwargs={
                "grade": counting,
                "gradebooks": Gradebooks(courses_dir),
                "rules_of": lambda _course, _lab: rules,
                "stop": stop,
                "name": f"w{n}",
                "poll_seconds": 0.05,
            },
        )
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert sorted(graded) == sorted(ids)
    assert store.queue_depth() == 0


def test_what_was_recorded_but_not_posted_is_posted_by_the_next_worker(
    store: Store,
    hand_in: Callable[..., str],
    fill_in: Callable[..., bytes],
    worker_of: Callable,
    judge: Judge,
    lab_version: LabVersion,
    courses_dir: Path,
) -> None:
    submission_id = hand_in(fill_in())
    claim = store.claim("dies after recording")
    assert claim is not None
    assert store.record(claim, judge(GradingJob(submission_id, lab_version, lab_version.release)))
    assert store.unposted() == (("film", "squares", "ada"),)
    worker_of(judge).look_after_gradebooks()
    assert store.unposted() == ()
    assert store.shown("film", "squares", "ada") == submission_id
    assert (courses_dir / "film" / "autograded" / "ada" / "squares" / "squares.ipynb").is_file()


def test_regrade_keeps_the_old_score_until_the_new_one(
    store: Store, hand_in: Callable[..., str], fill_in: Callable[..., bytes], worker_of: Callable, judge: Judge
) -> None:
    submission_id = hand_in(fill_in())
    worker = worker_of(judge)
    worker.work_once()
    assert store.ask_regrade(submission_id, asked_by="teacher", reason="the test was wrong")
    assert not store.ask_regrade(submission_id, asked_by="teacher", reason="twice")
    (result,) = store.results("film", "ada")
    assert result.auto_score == 2
    assert store.attempts("film", "squares", "ada")[0].submission.state == "queued"

    def strict(job: GradingJob) -> Verdict:
        first, second = judge(job).cells
        return Verdict((type(first)(**{**vars(first), "score": 1.0}), second), job.notebook)

    worker.grade = strict
    worker.work_once()
    (result,) = store.results("film", "ada")
    assert result.auto_score == 1
