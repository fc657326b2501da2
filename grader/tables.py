"""Declares the grader's tables. Their rows are read and written in :mod:`grader.store` only."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

_SHA = 64
_NAME = 255

lab_version = Table(
    "grader_lab_version",
    metadata,
    Column("course", String(_NAME), primary_key=True),
    Column("lab", String(_NAME), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("rubric_version", String(64), nullable=False),
    Column("source_sha256", String(_SHA), nullable=False),
    Column("release_sha256", String(_SHA), nullable=False),
    Column("bundle_sha256", String(_SHA), nullable=False),
    Column("details", Text, nullable=False),  # JSON: digests of the other files, read-only folders, environment
    Column("released_us", BigInteger, nullable=False),
    Column("withdrawn_us", BigInteger),
)

submission = Table(
    "grader_submission",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("course", String(_NAME), nullable=False),
    Column("lab", String(_NAME), nullable=False),
    Column("learner", String(_NAME), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sha256", String(_SHA), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("late_us", BigInteger, nullable=False),
    Column("late_percent", Float, nullable=False),
    Column("counts", String(8), nullable=False),  # the lab's best-or-last rule when this was handed in
    Column("graders", Integer, nullable=False, default=1),  # how many people read a hand-graded answer of it
    Column("lab_version", String(64), nullable=False),
    # The version whose tests grade it in place of its own, since a class-wide regrade; empty: its own does.
    Column("grade_by", String(64), nullable=False, default=""),
    Column("signature", String(128), nullable=False, default=""),  # the intake's, over the receipt; base64
    Column("state", String(16), nullable=False),
    Column("verdict_id", Integer),
    Column("posted_verdict_id", Integer),  # what the gradebook has been told; differs while there is news for it
    Column("fence", Integer, nullable=False, default=0),
    Column("tries", Integer, nullable=False, default=0),
    Column("not_before_us", BigInteger, nullable=False, default=0),
    Column("lease_until_us", BigInteger, nullable=False, default=0),
    Column("worker", String(_NAME), nullable=False, default=""),
    Column("reason_zh", Text, nullable=False, default=""),
    Column("reason_en", Text, nullable=False, default=""),
    UniqueConstraint("course", "lab", "learner", "attempt", name="grader_submission_attempt"),
    UniqueConstraint("course", "lab", "learner", "sha256", name="grader_submission_once"),
    Index("grader_submission_queue", "state", "received_us"),
)

verdict = Table(
    "grader_verdict",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("submission_id", String(36), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lab_version", String(64), nullable=False),
    Column("auto_score", Float, nullable=False),
    Column("auto_max", Float, nullable=False),
    Column("hand_max", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("failure_zh", Text, nullable=False),
    Column("failure_en", Text, nullable=False),
    Column("notebook_sha256", String(_SHA), nullable=False),
    Column("files", Text, nullable=False),  # JSON: what the cells left behind, by digest
    Column("graded_us", BigInteger, nullable=False),
    UniqueConstraint("submission_id", "fence", name="grader_verdict_once"),
)

cell = Table(
    "grader_cell",
    metadata,
    Column("verdict_id", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("grade_id", String(_NAME), nullable=False),
    Column("title", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("score", Float, nullable=False),
    Column("max_score", Float, nullable=False),
    Column("reason_zh", Text, nullable=False),
    Column("reason_en", Text, nullable=False),
    Column("output", Text, nullable=False),
    Column("answer_sha256", String(_SHA), nullable=False),  # of what the learner wrote there; carries hand marks on
    Column("answered", Boolean, nullable=False),  # whether that differs from what was released
)

hand_mark = Table(
    "grader_hand_mark",
    metadata,
    Column("submission_id", String(36), primary_key=True),
    Column("grade_id", String(_NAME), primary_key=True),
    Column("score", Float),
    Column("comment", Text, nullable=False),
    Column("marked_us", BigInteger, nullable=False),
)

paper = Table(
    "grader_paper",
    metadata,
    Column("id", String(36), primary_key=True),  # random: readers see it in place of a name
    Column("course", String(_NAME), nullable=False),
    Column("lab", String(_NAME), nullable=False),
    Column("learner", String(_NAME), nullable=False),
    Column("grade_id", String(_NAME), nullable=False),
    Column("answer_sha256", String(_SHA), nullable=False),
    Column("readers", Integer, nullable=False),  # how many people read it, blind to each other
    Column("final_score", Float),  # what its readings come to, once they do
    Column("final_comment", Text, nullable=False, default=""),
    Column("is_news", Boolean, nullable=False, default=False),  # the final mark has yet to reach the gradebook
    UniqueConstraint("course", "lab", "learner", "grade_id", "answer_sha256", name="grader_paper_once"),
    Index("grader_paper_news", "is_news"),
)

reading = Table(
    "grader_reading",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("paper_id", String(36), nullable=False),
    Column("criterion", String(_NAME), nullable=False),
    Column("role", String(16), nullable=False),
    Column("reader", String(_NAME), nullable=False),
    Column("score", Float, nullable=False),
    Column("comment", Text, nullable=False),
    Column("read_us", BigInteger, nullable=False),
    UniqueConstraint("paper_id", "criterion", "role", "reader", name="grader_reading_once"),
)

appeal = Table(
    "grader_appeal",
    metadata,
    Column("paper_id", String(36), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("decided_by", String(_NAME), nullable=False, default=""),
    Column("answer", Text, nullable=False, default=""),
    Column("decided_us", BigInteger),
)

phrase = Table(
    "grader_phrase",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("course", String(_NAME), nullable=False, index=True),
    Column("text", Text, nullable=False),  # a comment that graders of the course may use again
    Column("written_by", String(_NAME), nullable=False),
    Column("written_us", BigInteger, nullable=False),
)

shown = Table(
    "grader_shown",
    metadata,
    Column("course", String(_NAME), primary_key=True),
    Column("lab", String(_NAME), primary_key=True),
    Column("learner", String(_NAME), primary_key=True),
    Column("submission_id", String(36), nullable=False),  # the attempt that the gradebook holds
)

feedback_release = Table(
    "grader_feedback_release",
    metadata,
    Column("course", String(_NAME), primary_key=True),
    Column("lab", String(_NAME), primary_key=True),
    Column("learner", String(_NAME), primary_key=True),
    Column("released_us", BigInteger, nullable=False),
    Column("released_by", String(_NAME), nullable=False),
)

comparison = Table(
    "grader_comparison",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("course", String(_NAME), nullable=False),
    Column("lab", String(_NAME), nullable=False),
    Column("group_id", String(_NAME), nullable=False),  # whose answers: the cohort, as the caller names it
    Column("learners", Text, nullable=False),  # JSON: who was in it then
    Column("asked_by", String(_NAME), nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("done_us", BigInteger),
    Column("compared", Integer),  # how many answers there were
    Index("grader_comparison_lab", "course", "lab", "group_id"),
)

likeness = Table(
    "grader_likeness",
    metadata,
    Column("comparison_id", Integer, primary_key=True),
    Column("left_submission", String(36), primary_key=True),
    Column("right_submission", String(36), primary_key=True),
    Column("likeness", Float, nullable=False),
    Column("shared", Integer, nullable=False),
)

regrade_round = Table(
    "grader_regrade_round",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("course", String(_NAME), nullable=False),
    Column("lab", String(_NAME), nullable=False),
    Column("version", String(64), nullable=False),  # the lab version whose tests everybody is graded by from now on
    Column("asked_by", String(_NAME), nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Index("grader_regrade_round_lab", "course", "lab"),
)

regrade = Table(
    "grader_regrade",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("submission_id", String(36), nullable=False, index=True),
    Column("round_id", Integer, index=True),  # of the class-wide regrade that this is part of
    Column("asked_by", String(_NAME), nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("score_before", Float),
    Column("score_after", Float),
    Column("done_us", BigInteger),
)
