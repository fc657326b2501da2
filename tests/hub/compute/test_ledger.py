"""What people see of the ledger: what is held, charged, shared, left; and that nobody overspends."""

import json
import subprocess
import sys
import textwrap
import threading
from typing import Any
from uuid import uuid4

import pytest

from hub.compute.lease import (
    HOUR_US,
    MICRO,
    MINUTE_US,
    SECOND_US,
    AllowanceExhausted,
    LeaseStateError,
    NoPriceError,
    UnknownDeviceError,
    UnknownLeaseError,
    format_yuan,
    micro_yuan,
)


def test_a_session_is_held_then_charged_and_the_programme_pays_its_part(any_bench: Any) -> None:
    bench = any_bench
    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    assert (lease.state, lease.held_uy) == ("opened", 2 * MICRO)
    assert bench.ledger.account("li", "micro-drama").left_uy == 8 * MICRO

    running = bench.ledger.record_started(lease.id, lease.requested_us, "engine")
    assert running.state == "running"
    assert [open_lease.id for open_lease in bench.ledger.open_leases()] == [lease.id]

    ended = bench.ledger.record_ended(lease.id, lease.requested_us + HOUR_US, "engine", "stopped")
    assert (ended.state, ended.held_uy) == ("ended", 0)
    assert bench.ledger.open_leases() == ()
    account = bench.ledger.account("li", "micro-drama")
    assert (account.granted_uy, account.held_uy, account.spent_uy) == (10 * MICRO, 0, 500_000)
    assert (account.subsidised_uy, account.learner_uy, account.left_uy) == (400_000, 100_000, 9_500_000)
    (session,) = bench.ledger.sessions("li", "micro-drama")
    assert (session.seconds, session.charge_uy, session.subsidised_uy) == (3600, 500_000, 400_000)
    assert session.allowance_uy == session.charge_uy
    assert not session.estimated
    assert bench.ledger.verify().held


def test_every_step_may_be_repeated_after_a_crash(bench: Any) -> None:
    bench.grant(10)
    assert bench.grant(99) == bench.grant(10)
    request = bench.request()
    first = bench.ledger.open(request)
    assert bench.ledger.open(request) == first
    bench.ledger.record_started(first.id, request.requested_us, "engine")
    assert bench.ledger.record_started(first.id, request.requested_us + 9, "other").started_us == request.requested_us
    end = request.requested_us + HOUR_US
    once = bench.ledger.record_ended(first.id, end, "engine", "stopped")
    again = bench.ledger.record_ended(first.id, end + HOUR_US, "steward", "reconciled")
    assert once == again
    assert bench.ledger.open(request) == once
    assert bench.ledger.account("li", "micro-drama").spent_uy == 500_000
    assert len(bench.rows("hub_event")) == 5  # grant, policy, opened, started, ended


def test_the_same_id_for_something_else_is_refused(bench: Any) -> None:
    bench.grant(10)
    request = bench.request()
    bench.ledger.open(request)
    with pytest.raises(LeaseStateError, match="different request"):
        bench.ledger.open(bench.request(id=request.id, lab="other"))


def test_a_lease_that_never_ran_gives_its_hold_back(bench: Any) -> None:
    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    assert bench.ledger.void(lease.id, "the engine had no room").state == "void"
    assert bench.ledger.void(lease.id, "again").state == "void"
    assert bench.ledger.account("li", "micro-drama").left_uy == 10 * MICRO
    assert bench.ledger.sessions("li", "micro-drama") == ()
    with pytest.raises(LeaseStateError, match="voided"):
        bench.ledger.record_started(lease.id, lease.requested_us, "engine")


def test_whatever_an_engine_says_went_wrong_the_hold_is_released(bench: Any) -> None:
    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    bench.ledger.void(lease.id, "launch failed:\n\x00" + "\ud800" + "trace " * 2000)
    assert bench.ledger.account("li", "micro-drama").held_uy == 0
    assert bench.ledger.verify().held


def test_steps_out_of_turn_and_unknown_leases_are_refused(bench: Any) -> None:
    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    with pytest.raises(LeaseStateError, match="start to be recorded first"):
        bench.ledger.record_ended(lease.id, lease.requested_us, "engine", "gone")
    bench.ledger.record_started(lease.id, lease.requested_us, "engine")
    with pytest.raises(LeaseStateError, match="never started"):
        bench.ledger.void(lease.id, "too late")
    with pytest.raises(UnknownLeaseError):
        bench.ledger.record_started(uuid4(), lease.requested_us, "engine")


def test_a_start_that_cannot_be_paid_says_balance_need_and_remedy_in_both_languages(bench: Any) -> None:
    bench.grant(1)
    with pytest.raises(AllowanceExhausted) as refused:
        bench.ledger.open(bench.request())
    assert (refused.value.balance_uy, refused.value.needed_uy) == (1 * MICRO, 2 * MICRO)
    assert "1.00 yuan left, 2.00 yuan needed" in str(refused.value)
    assert "剩余 1.00 元" in refused.value.in_locale("zh_CN")
    assert refused.value.remedy.zh in refused.value.in_locale("zh_CN")
    assert len(bench.rows("hub_event")) == 1  # the refused lease left nothing behind
    with pytest.raises(AllowanceExhausted):
        bench.ledger.open(bench.request("someone-without-a-grant"))


def test_a_profile_without_a_price_cannot_start(bench: Any, rules: Any) -> None:
    bench.grant(100)
    unknown = "device class 'warp-drive', which no tariff knows; expected one of .*'gpu'"
    with pytest.raises(UnknownDeviceError, match=unknown):
        bench.ledger.open(bench.request(profile="warp-drive"))
    with pytest.raises(NoPriceError, match="no price on 1970-01-01"):
        bench.ledger.open(bench.request(requested_us=1))
    with pytest.raises(UnknownDeviceError, match=unknown):
        bench.ledger.quote("li", "micro-drama", "warp-drive", 60, rules["noon_us"])


def test_twenty_four_threads_share_a_budget_for_three(any_bench: Any) -> None:
    bench = any_bench
    bench.grant(6)  # three sessions of at most four hours at 0.50 an hour
    gate, outcomes = threading.Barrier(24), []

    def start() -> None:
        request = bench.request()
        gate.wait()
        try:
            outcomes.append(bench.ledger.open(request).state)
        except AllowanceExhausted:
            outcomes.append("refused")

    threads = [threading.Thread(target=start) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (outcomes.count("opened"), outcomes.count("refused")) == (3, 21)
    assert bench.ledger.account("li", "micro-drama").left_uy == 0
    found = bench.ledger.verify()
    assert (found.held, found.entries) == (True, 5)


def order(bench: Any, **more: Any) -> str:
    """What a process of its own needs to know."""
    asked = bench.request()
    names = ("learner", "course", "lab", "cohort", "site", "profile", "longest_us", "requested_us")
    url = bench.engine.url.render_as_string(hide_password=False)
    request = {name: getattr(asked, name) for name in names}
    return json.dumps({"url": url, "policy": bench.policy.text, "request": request, **more})


STARTER = textwrap.dedent("""
    import json, sys
    from uuid import uuid4
    from hub.compute.lease import AllowanceExhausted, LeaseRequest
    from hub.compute.ledger import Ledger
    from hub.compute.policy import Policy
    from hub.db import open_engine
    given = json.load(sys.stdin)
    ledger = Ledger(open_engine(given["url"]), Policy.model_validate(given["policy"]))
    for _ in range(4):
        try:
            ledger.open(LeaseRequest(id=uuid4(), **given["request"]))
            print("opened")
        except AllowanceExhausted:
            print("refused")
""")


@pytest.mark.slow
def test_six_processes_share_a_budget_for_three(any_bench: Any) -> None:
    bench = any_bench
    bench.grant(6)
    told = order(bench)
    starters = [
        subprocess.Popen([sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    for starter in starters:
        starter.stdin.write(told)
        starter.stdin.close()
    outcomes = [line for starter in starters for line in starter.stdout.read().split()]
    assert [starter.wait() for starter in starters] == [0] * 6
    assert (outcomes.count("opened"), outcomes.count("refused")) == (3, 21)
    assert bench.ledger.verify().held


WRITER = textwrap.dedent("""
    import json, sys
    from uuid import UUID
    from hub.compute.lease import HOUR_US, LeaseRequest
    from hub.compute.ledger import Ledger
    from hub.compute.policy import Policy
    from hub.db import open_engine
    given = json.load(sys.stdin)
    ledger = Ledger(open_engine(given["url"]), Policy.model_validate(given["policy"]))
    for number in range(given["sessions"]):
        lease = ledger.open(LeaseRequest(id=UUID(int=number + 1), **given["request"]))
        print("opened", flush=True)
        ledger.record_started(lease.id, lease.requested_us, "engine")
        print("started", flush=True)
        ledger.record_ended(lease.id, lease.requested_us + HOUR_US, "engine", "stopped")
        print("ended", flush=True)
""")


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 2, 3, 17])
def test_a_writer_killed_anywhere_loses_nothing_and_bills_nothing_twice(any_bench: Any, lines: int) -> None:
    bench = any_bench
    bench.grant(100)
    told = order(bench, sessions=30)
    writer = subprocess.Popen([sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    writer.stdin.write(told)
    writer.stdin.close()
    said = [writer.stdout.readline().strip() for _ in range(lines)]
    writer.kill()
    writer.wait()
    assert bench.ledger.verify().held
    assert len(bench.rows("hub_event")) >= 2 + lines
    done = subprocess.run([sys.executable, "-c", WRITER], input=told, capture_output=True, text=True, check=True)
    assert said == done.stdout.split()[:lines]
    account = bench.ledger.account("li", "micro-drama")
    assert (account.spent_uy, account.held_uy) == (30 * 500_000, 0)
    found = bench.ledger.verify()
    assert (found.held, found.entries) == (True, 2 + 3 * 30)


def test_writers_and_readers_side_by_side_keep_one_chain(any_bench: Any) -> None:
    bench = any_bench
    learners = [f"learner{number}" for number in range(8)]
    for learner in learners:
        bench.grant(20, learner)
    seen = []

    def work(learner: Any) -> None:
        for _ in range(3):
            bench.session(learner)
            seen.append(bench.ledger.verify().held)

    threads = [threading.Thread(target=work, args=(learner,)) for learner in learners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 24
    assert bench.ledger.verify().entries == 8 + 1 + 8 * 3 * 3


def test_a_session_across_a_rule_change_is_cut_there_and_the_parts_sum(make_bench: Any, rules: Any) -> None:
    ends = {**rules["programme"], "until": "2027-01-01T00:00:00+08:00"}
    half = {**rules["programme"], "from": "2027-01-01T00:00:00+08:00", "rate_percent": "50"}
    bench = make_bench(rules["make"](programmes=(ends, half)))
    bench.grant(10)
    new_year = rules["noon_us"] + 39 * 24 * HOUR_US + 12 * HOUR_US
    lease = bench.session(requested_us=new_year - HOUR_US, hours=3)
    lines = bench.ledger.lines({}, "2026-01-01", "2028-01-01")
    assert [(line.day, line.tariff, line.payer, line.amount_uy) for line in lines] == [
        ("2026-12-31", "2026-09", "city", 266_667),
        ("2026-12-31", "2026-09", "district", 133_333),
        ("2026-12-31", "2026-09", "learner", 100_000),
        ("2027-01-01", "2027-01", "city", 666_667),
        ("2027-01-01", "2027-01", "district", 333_333),
        ("2027-01-01", "2027-01", "learner", 1_000_000),
    ]
    assert {line.lease for line in lines} == {lease.id}
    assert bench.ledger.account("li", "micro-drama").spent_uy == 2_500_000


def test_what_is_held_covers_a_dearer_tariff_that_starts_meanwhile(bench: Any, rules: Any) -> None:
    bench.grant(100)
    new_year = rules["noon_us"] + 39 * 24 * HOUR_US + 12 * HOUR_US
    assert bench.ledger.open(bench.request(requested_us=new_year - HOUR_US)).held_uy == 4 * MICRO
    assert bench.ledger.open(bench.request()).held_uy == 2 * MICRO


def test_a_lease_keeps_the_rules_it_was_opened_under(bench: Any, rules: Any) -> None:
    from hub.compute.ledger import Ledger  # noqa: PLC0415 - a second process would build its own

    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    bench.ledger.record_started(lease.id, lease.requested_us, "engine")
    dearer = {**rules["tariff"], "price": [{"profile": "cpu", "yuan_per_hour": "9"}]}
    restarted = Ledger(bench.engine, rules["make"](tariffs=(dearer,), programmes=()), clock=bench.clock)
    restarted.record_ended(lease.id, lease.requested_us + HOUR_US, "engine", "stopped")
    assert restarted.account("li", "micro-drama").spent_uy == 500_000
    assert restarted.account("li", "micro-drama").subsidised_uy == 400_000
    assert restarted.verify().held


@pytest.mark.parametrize("step_us", [-HOUR_US, -24 * HOUR_US])
def test_a_clock_stepped_back_charges_nothing_and_says_so(bench: Any, step_us: Any) -> None:
    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    bench.ledger.record_started(lease.id, lease.requested_us, "engine")
    bench.ledger.record_ended(lease.id, lease.requested_us + 60 * SECOND_US + step_us, "engine", "stopped")
    (session,) = bench.ledger.sessions("li", "micro-drama")
    assert (session.charge_uy, session.seconds, session.estimated) == (0, 0, True)
    assert bench.ledger.verify().held


@pytest.mark.parametrize("step_us", [HOUR_US, -HOUR_US, 24 * HOUR_US, -24 * HOUR_US])
def test_a_measured_length_survives_a_clock_step(bench: Any, step_us: Any) -> None:
    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    bench.ledger.record_started(lease.id, lease.requested_us, "engine")
    end = lease.requested_us + HOUR_US + step_us
    bench.ledger.record_ended(lease.id, end, "engine", "stopped", measured_us=HOUR_US)
    (session,) = bench.ledger.sessions("li", "micro-drama")
    assert (session.charge_uy, session.seconds, session.estimated) == (500_000, 3600, True)


def test_a_session_that_overran_is_charged_to_its_limit_and_no_further(bench: Any) -> None:
    bench.grant(2)
    bench.session(hours=30)
    account = bench.ledger.account("li", "micro-drama")
    assert (account.spent_uy, account.left_uy) == (2 * MICRO, 0)


@pytest.mark.parametrize(("uncertainty_us", "estimated"), [(0, False), (SECOND_US, False), (MINUTE_US, True)])
def test_a_time_not_known_to_the_second_is_flagged(bench: Any, uncertainty_us: Any, estimated: Any) -> None:
    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    bench.ledger.record_started(lease.id, lease.requested_us, "engine")
    bench.ledger.record_ended(lease.id, lease.requested_us + HOUR_US, "heartbeat", "power cut", uncertainty_us)
    assert bench.ledger.sessions("li", "micro-drama")[0].estimated is estimated


@pytest.mark.parametrize("bad", [float("nan"), -1, 1.5, True, 2**63, "12"])
def test_times_and_amounts_that_are_no_numbers_are_refused_and_leave_nothing(bench: Any, bad: Any) -> None:
    bench.grant(10)
    lease = bench.ledger.open(bench.request())
    before = bench.rows("hub_event")
    with pytest.raises(ValueError, match="expected"):
        bench.ledger.record_started(lease.id, bad, "engine")
    with pytest.raises(ValueError, match="expected"):
        bench.ledger.record_ended(lease.id, 1, "engine", "x", bad)
    with pytest.raises(ValueError, match="expected"):
        bench.ledger.grant("li", "micro-drama", bad, "more", 1)
    with pytest.raises(ValueError, match="expected"):
        bench.request(longest_us=bad)
    assert bench.rows("hub_event") == before


@pytest.mark.parametrize("bad", ["", "a" * 300, "two\nlines", "nul\0", "half \ud800"])
def test_names_that_are_none_are_refused(bench: Any, bad: Any) -> None:
    with pytest.raises(ValueError, match="learner"):
        bench.request(bad)
    with pytest.raises(ValueError, match="learner"):
        bench.ledger.grant(bad, "micro-drama", 1, "more", 1)


def test_caps_end_a_programme_and_the_rest_is_the_learners(make_bench: Any, rules: Any) -> None:
    capped = {**rules["programme"], "rate_percent": "100", "cap_per_learner_yuan": "0.70"}
    bench = make_bench(rules["make"](programmes=(capped,)))
    bench.grant(10)
    bench.grant(10, "wang")
    quoted = bench.ledger.quote("li", "micro-drama", "cpu", 60, rules["noon_us"])
    assert (quoted.total_uy, quoted.subsidised_uy, quoted.learner_uy) == (500_000, 500_000, 0)
    assert quoted.tariff == "2026-09"
    bench.session()
    assert bench.ledger.quote("li", "micro-drama", "cpu", 60, rules["noon_us"]).subsidised_uy == 200_000
    bench.session()
    bench.session()
    bench.session("wang")
    assert bench.ledger.account("li", "micro-drama").subsidised_uy == 700_000
    assert bench.ledger.account("wang", "micro-drama").subsidised_uy == 500_000
    assert bench.ledger.verify().held


def test_a_cap_starts_afresh_with_the_calendar_year(make_bench: Any, rules: Any) -> None:
    capped = {**rules["programme"], "rate_percent": "100", "cap_per_site_yuan": "0.25"}
    bench = make_bench(rules["make"](programmes=(capped,)))
    bench.grant(10)
    new_year = rules["noon_us"] + 39 * 24 * HOUR_US + 12 * HOUR_US
    bench.session(requested_us=new_year - HOUR_US, hours=2)
    assert bench.ledger.account("li", "micro-drama").subsidised_uy == 2 * 250_000


def test_metered_counts_seconds_by_the_share_that_programmes_paid(bench: Any) -> None:
    bench.grant(300)
    bench.session(hours=1)
    bench.session(hours=0.5, profile="gpu")
    bench.session(hours=1, profile="own-chip")
    running = bench.ledger.open(bench.request())
    bench.ledger.record_started(running.id, running.requested_us, "engine")
    metered = bench.ledger.metered("li", "micro-drama")
    assert metered.lab_seconds == 3600 + 1800 + 3600
    assert metered.gpu_seconds == int(1800 + 3600 * 0.143)
    assert metered.subsidised_seconds == int((3600 + 1800 + 3600) * 0.8)
    assert metered.subsidised_gpu_seconds == int((1800 + 3600 * 0.143) * 0.8)
    assert bench.ledger.metered("nobody", "micro-drama").lab_seconds == 0


def test_yuan_is_read_and_written_exactly() -> None:
    assert micro_yuan("12.5") == 12_500_000
    assert format_yuan(12_500_000) == "12.50"
    assert format_yuan(1) == "0.000001"
    assert format_yuan(-1_230_000) == "-1.23"
    for bad in ("", "1e3", "-1", "1.2345678", "１２", "nan", "1\n"):
        with pytest.raises(ValueError, match="expected"):
            micro_yuan(bad)
