"""What formgrader's buttons do here: the server's side of nbgrader's exchange, over the store, not a shared folder.

List and Release work on the lab versions of the store, Collect rewrites formgrader's folders from it, Release feedback
lets learners see what was graded by hand, and Autograde asks for a regrade: no learner code runs in this process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from nbgrader.exchange import ExchangeError, abc
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.config import Config

from grader.jobs import sync_hand_marks
from grader.release import ReleaseRefusedError, release_again

if TYPE_CHECKING:
    from pathlib import Path

    from grader.gradebook import Gradebooks
    from grader.release import Gate
    from grader.store import Store


class _OverStore:
    """What every class here is bound to by :func:`exchange_config`; nbgrader builds them without arguments of ours."""

    store: ClassVar[Store]
    gradebooks: ClassVar[Gradebooks]
    course: ClassVar[str]
    root: ClassVar[Path]
    gate: ClassVar[Gate | None]


class StoreList(_OverStore, abc.ExchangeList):
    """Lists or withdraws the labs that learners can fetch."""

    def init_src(self) -> None:
        """There is no folder to look at."""

    def init_dest(self) -> None:
        """There is no folder to copy to."""

    def copy_files(self) -> None:
        """Nothing is copied."""

    def list_files(self) -> list[dict[str, Any]]:
        """The released labs, as nbgrader's pages expect them."""
        wanted = self.coursedir.assignment_id
        return [
            {"course_id": self.course, "assignment_id": lab, "status": "released", "path": "", "notebooks": []}
            for lab in self.store.released_labs(self.course)
            if wanted in ("", "*", lab)
        ]

    def remove_files(self) -> list[dict[str, Any]]:
        """Withdraw what :meth:`list_files` lists; what was handed in stays."""
        listed = self.list_files()
        for lab in listed:
            self.store.withdraw(self.course, lab["assignment_id"])
            self.log.info("Withdrawn: %s", lab["assignment_id"])
        return listed


class StoreRelease(_OverStore, abc.ExchangeReleaseAssignment):
    """Makes the course folder's source the version that learners fetch."""

    def start(self) -> None:
        """Generate, pass the gate, publish.

        Raises:
            ExchangeError: the gate refuses; the message says why.
        """
        lab = self.coursedir.assignment_id
        try:
            version = release_again(self.root, self.course, lab, self.store, gate=type(self).gate)
        except ReleaseRefusedError as refused:
            # The page shows the errors of this log.
            for reasons in (refused.zh, str(refused)):
                self.log.error("%s %s", lab, reasons)  # noqa: TRY400  words for a person, not a trace
            raise ExchangeError(f"{refused} / {refused.zh}") from refused
        self.log.info("Released %s as version %s", lab, version.version)


class StoreCollect(_OverStore, abc.ExchangeCollect):
    """Submissions come in by themselves; this rewrites formgrader's folders from what the store holds."""

    def start(self) -> None:
        """Have the workers post every graded attempt of the lab again, and take over new hand marks."""
        changed = sync_hand_marks(self.store, self.gradebooks, self.course)
        again = self.store.repost(self.course, self.coursedir.assignment_id)
        self.log.info(
            "Submissions arrive and are graded by themselves: %d attempts are shown anew, %d hand marks taken over, "
            "%d submissions wait in the queue",
            again,
            changed,
            self.store.queue_depth(),
        )


class StoreReleaseFeedback(_OverStore, abc.ExchangeReleaseFeedback):
    """Lets learners see their hand marks and comments; the automatic part they have seen since it was graded."""

    def start(self) -> None:
        """Release to the learner that nbgrader names, or to everyone graded so far."""
        sync_hand_marks(self.store, self.gradebooks, self.course)
        named = self.coursedir.student_id
        learner = None if named in ("", "*") else named
        released = self.store.release_feedback(
            self.course, self.coursedir.assignment_id, learner, released_by=f"formgrader {self.course}"
        )
        self.log.info("Feedback on %s released to %d learner(s)", self.coursedir.assignment_id, released)


class AskRegrade(_OverStore, NbGraderPreprocessor):
    """Takes the place of every step of nbgrader's autograder: queues a regrade and leaves the notebook as it is."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Queue the attempt that formgrader shows of this learner."""
        lab, learner = resources["nbgrader"]["assignment"], resources["nbgrader"]["student"]
        shown = self.store.shown(self.course, lab, learner)
        reason = "Autograde pressed in formgrader"
        if shown is None:
            self.log.warning("No attempt of %s at %s is in the store", learner, lab)
        elif self.store.ask_regrade(shown, asked_by=f"formgrader {self.course}", reason=reason):
            self.log.info("Queued: the grader grades %s of %s again and then shows it here", lab, learner)
        else:
            self.log.info("%s of %s is in the grader's queue already", lab, learner)
        return nb, resources


def exchange_config(
    course: str, root: Path, store: Store, gradebooks: Gradebooks, *, gate: Gate | None = None
) -> Config:
    """The settings that put these classes, bound to the course's store, in the place of nbgrader's own.

    ``gate`` is asked before Release publishes anything.
    """
    bound = {"store": store, "gradebooks": gradebooks, "course": course, "root": root, "gate": gate}
    config = Config()
    config.ExchangeFactory.list = _bind(StoreList, bound)
    config.ExchangeFactory.release_assignment = _bind(StoreRelease, bound)
    config.ExchangeFactory.collect = _bind(StoreCollect, bound)
    config.ExchangeFactory.release_feedback = _bind(StoreReleaseFeedback, bound)
    config.Autograde.sanitize_preprocessors = []
    config.Autograde.autograde_preprocessors = [_bind(AskRegrade, bound)]
    return config


def _bind(family: type, bound: dict[str, Any]) -> type:
    # Traitlets copies settings deeply, and a store cannot be copied; a class is passed as it is.
    return type(family.__name__, (family,), dict(bound))
