"""The funder's report adds up, drills down to leases, and never shows a cell about fewer than five learners."""

import csv
import io
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.compute.gpu.usage import GpuEvidence
from hub.compute.lease import DAY_US, HOUR_US, LedgerError
from hub.compute.report import FUNDERS_DIMENSIONS
from hub.compute.suppress import hidden_cells

PERIOD = ("2026-11-01", "2026-12-01")


@pytest.fixture
def term(any_bench: Any) -> Any:
    """Six learners at one site, three at the next, two at another; one session over midnight; one GPU session."""
    bench = any_bench
    learners = [(f"learner{number}", "main") for number in range(6)] + [("far1", "far"), ("far2", "far")]
    learners += [(f"near{number}", "near") for number in range(3)]
    for learner, site in learners:
        bench.grant(200, learner)
        bench.session(learner, site=site)
    noon = bench.request().requested_us
    bench.session("learner0", requested_us=noon + 11 * HOUR_US, hours=2)
    bench.session("learner1", profile="gpu", hours=1)
    return bench


def test_rows_add_up_and_small_cells_are_suppressed(term: Any) -> None:
    made = term.ledger.report(("site",), *PERIOD)
    far, main, near = made.rows
    assert (far.where, far.sums) == ({"site": "far"}, None)
    assert near.sums is None
    assert main.programme == "city-2026"
    assert (main.sums.learners, main.sums.sessions) == (6, 8)
    assert main.sums.seconds == 6 * 3600 + 7200 + 3600
    assert main.sums.gpu_seconds == 3600
    assert main.sums.total_uy == 6 * 500_000 + 1_000_000 + 28_000_000
    assert main.sums.subsidised_uy == main.sums.total_uy * 8 // 10
    assert sum(main.sums.paid_uy.values()) + main.sums.learner_uy == main.sums.total_uy
    assert set(main.sums.paid_uy) == {"city", "district"}


def test_gpu_use_of_few_cannot_be_worked_out_from_the_others(term: Any) -> None:
    def used(**given: Any) -> None:
        lease = term.session(hours=1, profile="gpu", **given)
        minutes = {"minutes": 60, "samples": 60, "rated": 60, "busy_sum": 3_000, "memory_mb": 1, "sha256": "0" * 64}
        term.ledger.keep_gpu_evidence(GpuEvidence(lease=lease.id, source="nvml", slice="GPU-1", **minutes))

    for number in range(6):
        used(learner=f"learner{number}", site="main")
    assert term.ledger.gpu_use(("site",), *PERIOD) == {("main",): 50.0}
    used(learner="far1", site="far")
    assert term.ledger.gpu_use((), *PERIOD) == {(): 50.0}
    assert term.ledger.gpu_use(("site",), *PERIOD) == {}  # the whole less the main site would be one learner
    for number in range(5):
        term.grant(200, f"new{number}")
        used(learner=f"new{number}", site="new")
    assert term.ledger.gpu_use(("site",), *PERIOD) == {("main",): 50.0}
    assert term.ledger.gpu_use(("site",), *PERIOD, besides={("main",)}) == {("new",): 50.0}


def test_gpu_use_of_a_year_gives_no_small_month_away(bench: Any) -> None:
    def used(number: int, site: str, days: int) -> None:
        bench.grant(2_000, f"{site}{number}")
        at = bench.request().requested_us + days * DAY_US
        lease = bench.session(f"{site}{number}", site=site, profile="gpu", requested_us=at)
        minutes = {"minutes": 60, "samples": 60, "rated": 60, "busy_sum": 3_000, "memory_mb": 1, "sha256": "0" * 64}
        bench.ledger.keep_gpu_evidence(GpuEvidence(lease=lease.id, source="nvml", slice="GPU-1", **minutes))

    for site, number in itertools.product(("a", "b"), range(5)):
        used(number, site, 0)
    year = (PERIOD[0], "2027-01-01")
    assert set(bench.ledger.gpu_use(("site",), *year)) == {("a",), ("b",)}
    used(0, "a", 20)  # alone in December
    assert set(bench.ledger.gpu_use(("site",), *PERIOD)) == {("a",), ("b",)}
    assert bench.ledger.gpu_use(("site",), *year) == {("b",): 50.0}  # the year less November would be one learner
    for number in range(5):
        used(number, "b", 20)
    assert bench.ledger.gpu_use(("site",), *year) == {}
    with pytest.raises(LedgerError, match="whole months"):
        bench.ledger.gpu_use((), "2026-11-02", "2026-12-01")


def test_no_sum_less_its_parts_gives_a_suppressed_cell_away(term: Any) -> None:
    made = term.ledger.report(("site",), *PERIOD)
    assert made.total.learners == 11  # less main's six it leaves five
    term.ledger.grant("far3", "other", 10_000_000, "enrolled", 1)
    term.session("far3", site="far", course="other")
    made = term.ledger.report(("course", "site"), *PERIOD)
    # The other course has one learner: what hides beside them in the total is the two small sites of this one.
    assert [(row.where["site"], row.sums is None) for row in made.rows] == [
        ("far", True),  # no programme pays the other course
        ("far", True),
        ("main", False),
        ("near", True),
    ]


def test_where_one_cell_is_small_the_next_smallest_is_hidden_with_it(bench: Any) -> None:
    for site, count in (("a", 9), ("b", 7), ("c", 2)):
        for number in range(count):
            bench.grant(100, f"{site}{number}")
            bench.session(f"{site}{number}", site=site)
    made = bench.ledger.report(("site",), *PERIOD)
    assert [row.sums is None for row in made.rows] == [False, True, True]
    assert made.total.learners == 18
    assert made.narrowed({"site": "a"}).rows == made.rows[:1]
    assert made.narrowed({"site": "a"}).total is None


def test_two_periods_give_no_small_month_away(bench: Any) -> None:
    noon = bench.request().requested_us
    for number in range(6):
        bench.grant(100, f"learner{number}")
        bench.session(f"learner{number}")
    for number in range(2):
        bench.session(f"learner{number}", requested_us=noon + 20 * DAY_US)
    alone = bench.ledger.report(("course",), "2026-11-01", "2026-12-01")
    both = bench.ledger.report(("course",), "2026-11-01", "2027-01-01")
    assert alone.rows[0].sums.learners == 6
    assert (both.rows[0].sums, both.total) == (None, None)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from("pq"), st.sampled_from("abc"), st.sampled_from("xyz")),
        st.frozensets(st.sampled_from([f"learner{number}" for number in range(12)]), min_size=1),
        max_size=18,
    )
)
def test_hidden_cells_of_any_sum_cover_five_or_are_all_of_it(cells: Any) -> None:
    hidden = hidden_cells(cells)
    assert {cell for cell, who in cells.items() if len(who) < 5} <= hidden
    for kept in itertools.product([True, False], repeat=3):
        for key in {tuple(itertools.compress(cell, kept)) for cell in hidden}:
            inside = [cell for cell in cells if tuple(itertools.compress(cell, kept)) == key]
            people = frozenset().union(*(cells[cell] for cell in inside if cell in hidden))
            assert len(people) >= 5 or all(cell in hidden for cell in inside)


def test_a_report_about_too_few_says_nothing(bench: Any) -> None:
    bench.grant(100)
    bench.session()
    made = bench.ledger.report((), *PERIOD)
    assert (made.total, made.rows[0].sums) == (None, None)
    with pytest.raises(LedgerError, match="suppressed"):
        made.rows[0].drill()


def test_every_row_drills_down_to_the_lines_it_comes_from(term: Any) -> None:
    for number in range(6):
        term.session(f"learner{number}", profile="own-chip")
    made = term.ledger.report(FUNDERS_DIMENSIONS, *PERIOD)
    shown = [row for row in made.rows if row.sums]
    assert len(shown) == 1
    for row in shown:
        lines = term.ledger.lines(row.drill(), *PERIOD)
        assert sum(line.amount_uy for line in lines) == row.sums.total_uy
        assert sum(line.billed_us for line in lines) // 1_000_000 == row.sums.seconds
        assert len({line.lease for line in lines}) == row.sums.sessions


def test_a_session_over_midnight_is_one_session_on_two_days(bench: Any) -> None:
    for number in range(5):
        bench.grant(100, f"learner{number}")
        bench.session(f"learner{number}", requested_us=bench.request().requested_us + 11 * HOUR_US, hours=3)
    by_day = bench.ledger.report(("day",), *PERIOD)
    assert [(row.where["day"], row.sums.sessions, row.sums.seconds) for row in by_day.rows] == [
        ("2026-11-22", 5, 5 * 3600),
        ("2026-11-23", 0, 5 * 7200),
    ]
    assert by_day.total.sessions == 5


def test_days_outside_the_period_are_left_out(term: Any) -> None:
    assert term.ledger.report((), "2026-11-23", "2026-11-24").rows[0].sums is None
    assert term.ledger.report((), "2026-12-01", "2027-01-01").rows == ()


def test_csv_and_json_say_the_same_and_a_spreadsheet_runs_nothing(bench: Any) -> None:
    for number in range(10):
        bench.grant(100, f"learner{number}")
        bench.session(f"learner{number}", site="=HYPERLINK(1)" if number < 5 else f"small{number % 2}")
    made = bench.ledger.report(("site",), *PERIOD)
    table = list(csv.DictReader(io.StringIO(made.as_csv())))
    assert [row["site"] for row in table] == ["'=HYPERLINK(1)", "small0", "small1"]
    assert (table[0]["list_price_yuan"], table[0]["paid_by_city_yuan"]) == ("2.50", "1.333335")
    assert set(table[1].values()) == {"city-2026", "small0", "suppressed"}
    data = json.loads(json.dumps(made.as_json()))
    assert data["rows"][0]["sums"]["total_uy"] == 2_500_000
    assert data["rows"][1]["sums"] is None


def test_unprogrammed_sessions_are_a_row_of_their_own(make_bench: Any, rules: Any) -> None:
    elsewhere = {**rules["programme"], "courses": ["another"]}
    bench = make_bench(rules["make"](programmes=(elsewhere,)))
    for number in range(5):
        bench.grant(100, f"learner{number}")
        bench.session(f"learner{number}")
    (row,) = bench.ledger.report((), *PERIOD).rows
    assert (row.programme, row.sums.subsidised_uy, row.sums.learner_uy) == ("", 0, 2_500_000)


@pytest.mark.parametrize("dimensions", [("learner",), ("course", "course"), ("payer; DROP TABLE",)])
def test_a_breakdown_by_person_or_by_anything_unknown_is_refused(bench: Any, dimensions: tuple[str, ...]) -> None:
    with pytest.raises(LedgerError, match="expected some of"):
        bench.ledger.report(dimensions, *PERIOD)
    with pytest.raises(LedgerError, match="expected some of"):
        bench.ledger.lines(dict.fromkeys(dimensions, "x") | {"learner": "li"}, *PERIOD)


def test_estimated_sessions_are_counted_as_such(bench: Any) -> None:
    for number in range(5):
        bench.grant(100, f"learner{number}")
        lease = bench.ledger.open(bench.request(f"learner{number}"))
        bench.ledger.record_started(lease.id, lease.requested_us, "engine")
        bench.ledger.record_ended(lease.id, lease.requested_us + HOUR_US, "steward", "power cut", DAY_US)
    assert bench.ledger.report((), *PERIOD).rows[0].sums.estimated_sessions == 5


def test_operators_see_what_each_learner_used_by_programme(term: Any) -> None:
    rows = term.ledger.learners(*PERIOD)
    assert [(row.learner, row.programme) for row in rows][:3] == [
        ("far1", "city-2026"),
        ("far2", "city-2026"),
        ("learner0", "city-2026"),
    ]
    assert (rows[2].sums.sessions, rows[2].sums.seconds, rows[2].sums.total_uy) == (2, 3 * 3600, 1_500_000)
    assert sum(row.sums.subsidised_uy + row.sums.learner_uy for row in rows) == 11 * 500_000 + 29_000_000
