"""Whoever edits, deletes, swaps or cuts what the ledger has written is found, and the first bad entry is named."""

import json
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from hub.compute.checkpoint import CheckpointError, public_pem, signing_key
from hub.compute.lease import HOUR_US
from hub.compute.ledger import Ledger
from hub.compute.tables import chain_head, charge_line, event, lease, metadata

DAY = date(2026, 11, 22)


@pytest.fixture
def written(any_bench: Any) -> Any:
    """A ledger of eleven entries: a grant, a policy, and three sessions."""
    any_bench.grant(100)
    for _ in range(3):
        any_bench.session()
    assert any_bench.ledger.verify().held
    return any_bench


@pytest.fixture
def signed(make_bench: Any, tmp_path: Any) -> Any:
    """The same on SQLite, with a checkpoint over all of it."""
    bench = make_bench(key=tmp_path / "secrets" / "ledger.pem")
    bench.grant(100)
    for _ in range(3):
        bench.session()
    bench.ledger.checkpoint(DAY)
    return bench


def first_bad(bench: Any) -> tuple[int, str]:
    found = bench.ledger.verify()
    assert found.first_bad is not None
    return found.first_bad.seq, found.first_bad.reason


def forge(bench: Any) -> None:
    """Rewrite every digest and the head, as somebody who knows the format and may write everywhere would."""
    from hub.compute.chain import GENESIS, digest_of  # noqa: PLC0415

    previous, seq = GENESIS, 0
    with bench.engine.begin() as connection:
        for row in connection.execute(select(event).order_by(event.c.seq)).all():
            seq += 1
            given = {"seq": seq, "kind": row.kind, "subject": row.subject, "recorded_us": row.recorded_us}
            digest = digest_of(previous=previous, body=row.body, **given)
            change = event.update().where(event.c.seq == row.seq)
            connection.execute(change.values(seq=seq, previous=previous, digest=digest))
            previous = digest
        connection.execute(chain_head.update().values(entries=seq, digest=previous))


def test_an_untouched_ledger_holds(written: Any) -> None:
    found = written.ledger.verify()
    assert (found.entries, found.first_bad, found.unchecked) == (11, None, ())
    with written.engine.begin() as connection:
        assert found.head == connection.execute(select(event.c.digest).where(event.c.seq == 11)).scalar_one()


def test_an_empty_ledger_holds(any_bench: Any) -> None:
    assert any_bench.ledger.verify().entries == 0
    assert any_bench.ledger.verify().held


@pytest.mark.parametrize("column", [column.name for column in event.c])
@pytest.mark.parametrize("seq", [1, 2, 5, 11])
def test_an_edited_value_is_found_in_any_column_of_any_row(written: Any, column: str, seq: int) -> None:
    with written.engine.begin() as connection:
        value = connection.execute(select(event.c[column]).where(event.c.seq == seq)).scalar_one()
        edited = (
            value + 1000 if isinstance(value, int) else f"{value[:-2]}{'x' if value[-2] != 'x' else 'y'}{value[-1]}"
        )
        connection.execute(event.update().where(event.c.seq == seq).values({column: edited}))
    assert first_bad(written)[0] == seq


def test_every_single_byte_of_every_body_counts(bench: Any) -> None:
    bench.grant(100)
    bench.session()
    with bench.engine.begin() as connection:
        bodies = {row.seq: row.body for row in connection.execute(select(event.c.seq, event.c.body))}
    for seq, body in bodies.items():
        for place in range(0, len(body), 1 if len(body) < 300 else 97):
            for edited in (
                body[:place] + chr(ord(body[place]) ^ 1) + body[place + 1 :],
                f"{body[:place]} {body[place:]}",
            ):
                bench.sql("UPDATE hub_event SET body = :body WHERE seq = :seq", body=edited, seq=seq)
                found = bench.ledger.verify(books=False)
                assert found.first_bad is not None
                assert found.first_bad.seq == seq
        bench.sql("UPDATE hub_event SET body = :body WHERE seq = :seq", body=body, seq=seq)
    assert bench.ledger.verify().held


@pytest.mark.parametrize("seq", [1, 4, 10])
def test_a_deleted_row_is_missed(written: Any, seq: int) -> None:
    written.sql("DELETE FROM hub_event WHERE seq = :seq", seq=seq)
    assert first_bad(written)[0] == seq


def test_a_deleted_row_is_missed_when_the_rest_was_renumbered(written: Any) -> None:
    written.sql("DELETE FROM hub_event WHERE seq = 4")
    for seq in range(5, 12):
        written.sql("UPDATE hub_event SET seq = :new WHERE seq = :old", new=seq - 1, old=seq)
    assert first_bad(written)[0] == 4


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 9), (10, 11)])
def test_swapped_rows_are_found_at_the_first_of_them(written: Any, one: int, other: int) -> None:
    for new, old in ((0, one), (one, other), (other, 0)):
        written.sql("UPDATE hub_event SET seq = :new WHERE seq = :old", new=new, old=old)
    assert first_bad(written)[0] == one


@pytest.mark.parametrize("left", [0, 1, 10])
def test_a_cut_tail_is_missed_from_its_first_row(written: Any, left: int) -> None:
    written.sql("DELETE FROM hub_event WHERE seq > :left", left=left)
    seq, reason = first_bad(written)
    assert seq == left + 1
    assert "11 entries were recorded" in reason


def test_a_row_added_by_hand_is_found(written: Any) -> None:
    written.sql(
        "INSERT INTO hub_event SELECT 12, 'grant.given', 'forged', 0, '{}', digest, digest FROM hub_event WHERE seq=11"
    )
    assert first_bad(written)[0] == 12


def test_a_changed_or_lost_head_is_found(written: Any) -> None:
    written.sql("UPDATE hub_chain_head SET digest = 'feed'")
    assert first_bad(written)[0] == 11
    written.sql("DELETE FROM hub_chain_head")
    assert not written.ledger.verify().held


@pytest.mark.parametrize("rubbish", ["CAST(x'ff41' AS TEXT)", "x'0001'", "'not json'", "'[]'", "12"])
def test_rubbish_in_a_row_is_named_and_not_crashed_on(bench: Any, rubbish: str) -> None:
    bench.grant(100)
    bench.session()
    bench.sql(f"UPDATE hub_event SET body = {rubbish} WHERE seq = 3")  # noqa: S608 - our own constants
    assert first_bad(bench)[0] == 3


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE hub_charge_line SET amount_uy = amount_uy - 1 WHERE payer = 'learner'", 5),
        ("UPDATE hub_charge_line SET payer = 'site' WHERE payer = 'city'", 5),
        ("DELETE FROM hub_charge_line", 5),
        ("UPDATE hub_lease SET charge_uy = 0", 5),
        ("UPDATE hub_lease SET learner = 'wang'", 5),
        ("DELETE FROM hub_lease", 5),
        ("UPDATE hub_grant SET micro_yuan = micro_yuan + 1", 1),
        ("DELETE FROM hub_grant", 1),
        ("UPDATE hub_subsidy_use SET used_uy = 0", 0),
    ],
)
def test_books_that_were_cooked_are_found_at_the_entry_they_come_from(written: Any, statement: str, seq: int) -> None:
    before = {name: written.rows(name) for name in metadata.tables}
    written.sql(statement)
    assert first_bad(written)[0] == seq
    assert written.ledger.verify(books=False).held
    assert written.ledger.rebuild().held
    assert {name: written.rows(name) for name in metadata.tables} == before
    assert written.ledger.verify().held


def test_books_are_not_rebuilt_from_a_bad_chain(bench: Any) -> None:
    bench.grant(100)
    bench.session()
    bench.sql("UPDATE hub_event SET body = '{}' WHERE seq = 3")
    before = bench.rows("hub_lease")
    found = bench.ledger.rebuild()
    assert found.first_bad is not None
    assert bench.rows("hub_lease") == before


def test_a_rewritten_chain_is_caught_by_its_checkpoint_and_by_a_copy_kept_elsewhere(signed: Any) -> None:
    copy = signed.ledger.checkpoints()
    more = {"old": '"micro_yuan":1', "new": '"micro_yuan":9'}
    signed.sql("UPDATE hub_event SET body = replace(body, :old, :new) WHERE seq = 1", **more)
    forge(signed)
    seq, reason = first_bad(signed)
    assert seq == 11
    assert "checkpoint of 2026-11-22" in reason
    signed.sql("DELETE FROM hub_checkpoint")
    signed.ledger.rebuild()
    assert signed.ledger.verify().held  # nothing inside the database can tell any more
    found = signed.ledger.verify(elsewhere=copy)
    assert found.first_bad is not None
    assert found.first_bad.seq == 11


def test_a_cut_tail_with_a_rewritten_head_is_caught_by_the_checkpoint(signed: Any) -> None:
    signed.sql("DELETE FROM hub_event WHERE seq > 8")
    forge(signed)
    seq, reason = first_bad(signed)
    assert (seq, "11 entries" in reason) == (9, True)


def test_one_checkpoint_a_day_and_later_entries_are_fine(signed: Any) -> None:
    first = signed.ledger.checkpoint(DAY)
    signed.session()
    assert signed.ledger.checkpoint(DAY) == first
    assert signed.ledger.checkpoint(date(2026, 11, 23)).entries == 14
    found = signed.ledger.verify()
    assert (found.held, found.checkpoints_held) == (True, 2)


@pytest.mark.parametrize("change", ["entries = 3", "digest = 'aa'", "day = '2026-01-01'", "signature = 'zz'"])
def test_a_changed_checkpoint_is_found(signed: Any, change: str) -> None:
    signed.sql(f"UPDATE hub_checkpoint SET {change}")  # noqa: S608 - our own constants
    assert "not signed by the ledger's key" in first_bad(signed)[1]


def test_who_has_the_public_key_alone_can_check_but_not_sign(signed: Any, tmp_path: Any) -> None:
    public = tmp_path / "public.pem"
    public.write_text(public_pem(signing_key(signed.key).public_key()))
    auditor = Ledger(signed.engine, signed.policy, public)
    assert auditor.verify().checkpoints_held == 1
    with pytest.raises(CheckpointError, match="private key"):
        auditor.checkpoint(date(2026, 12, 1))


def test_without_a_key_signatures_are_unchecked_not_bad(signed: Any) -> None:
    found = Ledger(signed.engine, signed.policy).verify()
    assert found.held
    assert "no key" in found.unchecked[0]
    with pytest.raises(CheckpointError, match="key file"):
        Ledger(signed.engine, signed.policy).checkpoint(date(2026, 12, 1))


def test_a_lost_key_is_not_replaced_in_silence(signed: Any) -> None:
    assert signed.key.stat().st_mode & 0o777 == 0o600
    signed.key.unlink()
    with pytest.raises(CheckpointError, match="is gone"):
        signed.ledger.checkpoint(date(2026, 12, 1))


def test_the_chain_alone_is_enough_to_compute_every_charge_again(written: Any) -> None:
    before = {name: written.rows(name) for name in ("hub_lease", "hub_charge_line", "hub_grant", "hub_subsidy_use")}
    with written.engine.begin() as connection:
        for name in before:
            connection.execute(metadata.tables[name].delete())
    stranger = Ledger(written.engine, written.policy)
    assert stranger.rebuild().held
    assert {name: written.rows(name) for name in before} == before


def test_an_answer_says_where_every_charge_comes_from(bench: Any) -> None:
    bench.grant(100)
    ended = bench.session()
    with bench.engine.begin() as connection:
        body = connection.execute(select(event.c.body).where(event.c.kind == "lease.ended")).scalar_one()
        lines = connection.execute(select(charge_line).where(charge_line.c.lease == ended.id)).all()
        row = connection.execute(select(lease).where(lease.c.id == ended.id)).one()
    said = json.loads(body)
    assert (said["source"], said["reason"], said["uncertainty_us"]) == ("engine", "stopped", 0)
    assert sum(line.amount_uy for line in lines) == row.charge_uy == 500_000
    assert row.ended_us - row.started_us == HOUR_US


@pytest.mark.parametrize("part", [1, 2, 3, 7])
def test_reading_in_parts_finds_what_reading_at_once_finds(
    written: Any, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr("hub.compute.ledger.entries._BATCH", part)
    monkeypatch.setattr("hub.compute.ledger.compare._PART", part)
    written.ledger.open(written.request())
    assert written.ledger.verify().held
    before = {name: written.rows(name) for name in metadata.tables}
    assert written.ledger.rebuild().held
    assert {name: written.rows(name) for name in metadata.tables} == before
    written.sql("UPDATE hub_lease SET charge_uy = charge_uy + 1 WHERE state = 'ended'")
    assert first_bad(written)[0] == 5
    written.ledger.rebuild()
    written.sql("UPDATE hub_lease SET held_uy = 0 WHERE state = 'opened'")
    assert first_bad(written)[0] == 12


@pytest.mark.parametrize("name", ["hub_lease", "hub_charge_line", "hub_grant"])
def test_a_row_that_no_entry_makes_is_found_and_named(written: Any, name: str) -> None:
    table = metadata.tables[name]
    key = next(iter(table.c))
    with written.engine.begin() as connection:
        row = dict(connection.execute(select(table)).mappings().first())
        forged = UUID("ab" * 16) if isinstance(row[key.name], UUID) else "ab" * 16
        connection.execute(table.insert().values({**row, key.name: forged}))
    seq, reason = first_bad(written)
    assert seq == 0
    assert f"none makes that of {forged}" in reason
