"""Charges and splits are exact for any rules, and rule files that make no sense are refused with the reason."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hub
from hub.compute.dated import PolicyError
from hub.compute.lease import DAY_US, HOUR_US, LeaseRequest
from hub.compute.policy import Policy, load_policy
from hub.compute.settle import START_WITHIN_US, Run, cap_uses, settle
from hub.compute.subsidy import LEARNER, Entity, SubsidyBook, read_subsidies
from hub.compute.tariff import PriceList, charge, hold, read_tariffs

START = datetime(2026, 9, 1, tzinfo=UTC)
START_US = 1_788_220_800_000_000
TEXT = {"zh": "一", "en": "one"}

percents = st.integers(1, 1_000_000).map(lambda ppm: f"{ppm // 10_000}.{ppm % 10_000:04d}")
amounts = st.integers(0, 3_000_000).map(lambda micro: f"{micro // 1_000_000}.{micro % 1_000_000:06d}")


def moment(days: int) -> str:
    return (START + timedelta(days=days)).isoformat()


@st.composite
def shares(draw: Any) -> list[dict[str, Any]]:
    cuts = sorted(draw(st.sets(st.integers(1, 999_999), max_size=4)))
    parts = [after - before for before, after in zip([0, *cuts], [*cuts, 1_000_000], strict=True)]
    return [
        {"id": f"payer-{place}", "title": TEXT, "share_percent": f"{part // 10_000}.{part % 10_000:04d}"}
        for place, part in enumerate(parts)
    ]


@st.composite
def programmes(draw: Any) -> list[dict[str, Any]]:
    names = [f"programme-{number}" for number in range(draw(st.integers(0, 4)))]
    made = []
    for name in names:
        first = draw(st.integers(0, 20))
        rule = {
            "id": name,
            "from": moment(first),
            "until": moment(first + draw(st.integers(1, 20))),
            "title": TEXT,
            "reference": TEXT,
            "rate_percent": draw(percents),
            "rate_percent_by_origin": draw(st.dictionaries(st.sampled_from(["domestic", "imported"]), percents)),
            "stacks_with": draw(st.lists(st.sampled_from(names), unique=True)),
            "first_year": draw(st.none() | percents.map(lambda percent: {"rate_percent": percent})),
            "related_party": draw(st.none() | (percents | st.just("0")).map(lambda percent: {"rate_percent": percent})),
            "payer": draw(shares()),
        }
        caps = st.sampled_from(["cap_yuan", "cap_per_learner_yuan", "cap_per_site_yuan"])
        made.append({**rule, **draw(st.dictionaries(caps, amounts))})
    return made


@st.composite
def tariffs(draw: Any) -> list[dict[str, Any]]:
    edges = sorted(draw(st.sets(st.integers(1, 40), max_size=4)))
    made = []
    for first, last in zip([0, *edges], [*edges, None], strict=True):
        origin = draw(st.sampled_from(["", "domestic", "imported"]))
        price = {"profile": "gpu", "yuan_per_hour": draw(amounts), "gpus": "0.143", "hardware_origin": origin}
        price["provider"] = draw(st.sampled_from(["", "own-cloud", "other-cloud"]))
        tariff = {"id": f"t{first}", "from": moment(first), "price": [price]}
        made.append(tariff if last is None else {**tariff, "until": moment(last)})
    return made


@st.composite
def entities(draw: Any) -> list[dict[str, Any]]:
    edges = sorted(draw(st.sets(st.integers(1, 40), max_size=2)))
    made = []
    for first, last in zip([0, *edges], [*edges, None], strict=True):
        body = {
            "site": "main",
            "from": moment(first),
            "reference": TEXT,
            "size": draw(st.sampled_from(["", "small", "other"])),
            "funded_since": draw(st.none() | st.integers(-380, 20).map(moment)),
            "related_to": draw(st.sampled_from([[], ["own-cloud"]])),
        }
        made.append(body if last is None else {**body, "until": moment(last)})
    return made


def request(longest_us: int, requested_us: int) -> LeaseRequest:
    return LeaseRequest(
        id=UUID(int=1),
        learner="li",
        course="micro-drama",
        lab="first-take",
        cohort="",
        site="main",
        profile="gpu",
        longest_us=longest_us,
        requested_us=requested_us,
    )


@settings(max_examples=300, deadline=None)
@given(
    tariffs(),
    programmes(),
    entities(),
    st.lists(
        st.tuples(st.integers(0, 35 * DAY_US), st.integers(-2 * DAY_US, 3 * DAY_US), st.integers(-DAY_US, 9 * DAY_US)),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 3 * DAY_US),
)
def test_any_rules_and_any_clock_charge_within_the_hold_and_split_exactly(
    rules: Any, funders: Any, bodies: Any, runs: Any, longest_us: int
) -> None:
    policy = Policy(
        prices=PriceList.model_validate({"tariff": rules}),
        subsidies=SubsidyBook.model_validate({"programme": funders, "entity": bodies}),
    )
    used: dict[Any, int] = {}
    for requested, late, length in runs:
        asked = request(longest_us, START_US + requested)
        begun = asked.requested_us + late
        sums = settle(asked, Run(begun, begun + length, 0, None, begun + length), policy, used)
        assert sum(line.amount_uy for line in sums.lines) == sums.charge_uy
        assert sum(line.amount_uy for line in sums.lines if line.payer != LEARNER) == sums.subsidised_uy
        assert all(line.amount_uy >= 0 for line in sums.lines)
        assert sums.billed_us == max(0, min(length, longest_us))
        assert 0 <= sums.subsidised_us <= sums.billed_us
        held = hold(policy.prices, "gpu", asked.requested_us, longest_us, asked.requested_us + START_WITHIN_US)
        assert sums.charge_uy <= held
        segments = {line.segment for line in sums.lines}
        for segment in segments:
            lines = [line for line in sums.lines if line.segment == segment]
            assert sum(line.amount_uy for line in lines) == lines[0].total_uy
        for key, amount in cap_uses(sums.lines).items():
            used[key] = used.get(key, 0) + amount
    for programme in policy.subsidies.programme:
        for key, paid in used.items():
            if key.programme == programme.id and key.scope in programme.caps:
                assert paid <= programme.caps[key.scope]


@settings(max_examples=200, deadline=None)
@given(tariffs(), st.integers(0, 30 * DAY_US), st.integers(0, 5 * DAY_US), st.sets(st.integers(0, 40 * DAY_US)))
def test_cutting_a_session_anywhere_changes_no_total(rules: Any, begin: int, length: int, cuts: set[int]) -> None:
    prices = PriceList.model_validate({"tariff": rules})
    first, last = START_US + begin, START_US + begin + length
    whole = charge(prices, "gpu", first, last)
    pieces = charge(prices, "gpu", first, last, {START_US + cut for cut in cuts})
    assert sum(piece.total_uy for piece in whole) == sum(piece.total_uy for piece in pieces)
    assert sum(piece.billed_us for piece in pieces) == length
    assert [piece.from_us for piece in pieces[1:]] == [piece.until_us for piece in pieces[:-1]]


def test_a_policy_is_the_same_after_a_trip_through_the_chain(rules: Any) -> None:
    policy = rules["make"]()
    again = Policy.model_validate(policy.text)
    assert again == policy
    assert again.digest == policy.digest


def test_a_day_is_the_operators_day(rules: Any) -> None:
    prices = rules["make"]().prices
    assert prices.day(START_US + 15 * HOUR_US) == "2026-09-01"
    assert prices.day(START_US + 16 * HOUR_US) == "2026-09-02"
    assert [piece.day for piece in charge(prices, "cpu", START_US + 15 * HOUR_US, START_US + 17 * HOUR_US)] == [
        "2026-09-01",
        "2026-09-02",
    ]


def test_programmes_stack_only_where_they_say_so(rules: Any) -> None:
    first = {**rules["programme"], "id": "first", "rate_percent": "60"}
    second = {**rules["programme"], "id": "second", "rate_percent": "60"}
    stacked = {**second, "stacks_with": ["first"]}
    for funders, paid in (([first, second], {"first"}), ([first, stacked], {"first", "second"})):
        policy = rules["make"](programmes=tuple(funders))
        asked = LeaseRequest(
            id=UUID(int=1),
            learner="li",
            course="micro-drama",
            lab="",
            cohort="",
            site="main",
            profile="cpu",
            longest_us=HOUR_US,
            requested_us=rules["noon_us"],
        )
        end = rules["noon_us"] + HOUR_US
        sums = settle(asked, Run(rules["noon_us"], end, 0, None, end), policy, {})
        assert {line.programme for line in sums.lines} == paid
        assert sums.subsidised_uy == (500_000 if len(paid) == 2 else 300_000)


def test_hardware_made_at_home_may_have_its_own_rate(rules: Any, make_bench: Any) -> None:
    programme = {**rules["programme"], "rate_percent_by_origin": {"domestic": "100"}}
    bench = make_bench(rules["make"](programmes=(programme,)))
    bench.grant(300)
    bench.session(profile="gpu")
    assert bench.ledger.account("li", "micro-drama").subsidised_uy == 22_400_000
    bench.session(profile="own-chip")
    assert bench.ledger.account("li", "micro-drama").subsidised_uy == 42_400_000


def body(**known: Any) -> dict[str, Any]:
    return {"site": "main", "from": "2026-09-01T00:00:00+08:00", "reference": TEXT, **known}


def paid_at(rules: Any, start: str, programme: dict[str, Any], *bodies: dict[str, Any]) -> list[int]:
    """What programmes pay of two hours of a yuan each from a moment on, by stretch."""
    price = {"profile": "gpu", "yuan_per_hour": "1", "provider": "own-cloud"}
    tariff = {"id": "t", "from": "2026-09-01T00:00:00+08:00", "price": [price]}
    policy = Policy(
        prices=PriceList.model_validate({"tariff": [tariff]}),
        subsidies=SubsidyBook.model_validate({"programme": [{**rules["programme"], **programme}], "entity": bodies}),
    )
    begun = int(datetime.fromisoformat(start).timestamp()) * 1_000_000
    sums = settle(
        request(4 * HOUR_US, begun), Run(begun, begun + 2 * HOUR_US, 0, None, begun + 2 * HOUR_US), policy, {}
    )
    by_segment: dict[int, int] = {}
    for line in sums.lines:
        by_segment[line.segment] = by_segment.get(line.segment, 0) + line.amount_uy * (line.payer != LEARNER)
    return list(by_segment.values())


def test_a_small_body_is_paid_in_full_in_its_first_year_and_not_a_moment_longer(rules: Any) -> None:
    first_year = {"rate_percent": "30", "first_year": {"rate_percent": "100"}}
    small = body(size="small", funded_since="2026-10-01T10:00:00+08:00")
    assert paid_at(rules, "2026-11-01T10:00:00+08:00", first_year, small) == [2_000_000]
    assert paid_at(rules, "2027-10-01T09:00:00+08:00", first_year, small) == [1_000_000, 300_000]
    assert paid_at(rules, "2026-10-01T09:00:00+08:00", first_year, small) == [300_000, 1_000_000]
    assert paid_at(rules, "2026-11-01T10:00:00+08:00", first_year, {**small, "size": "other"}) == [600_000]
    assert paid_at(rules, "2026-11-01T10:00:00+08:00", first_year) == [600_000]


def test_a_leap_days_year_ends_with_february() -> None:
    begun = Entity.model_validate(body(funded_since="2028-02-29T00:00:00+08:00")).first_year
    assert begun
    assert begun[1] - begun[0] == 366 * DAY_US


def test_compute_of_a_related_party_has_the_rate_of_that_rule(rules: Any) -> None:
    nothing = {"related_party": {"rate_percent": "0"}, "first_year": {"rate_percent": "100"}}
    related = body(related_to=["own-cloud"], size="small", funded_since="2026-09-01T00:00:00+08:00")
    assert paid_at(rules, "2026-11-01T10:00:00+08:00", nothing, related) == [0]
    assert paid_at(rules, "2026-11-01T10:00:00+08:00", nothing, {**related, "related_to": ["other"]}) == [2_000_000]
    sold = {**related, "until": "2026-11-01T11:00:00+08:00"}
    assert paid_at(rules, "2026-11-01T10:00:00+08:00", nothing, sold) == [0, 800_000]


def test_the_policy_that_ships_is_one() -> None:
    folder = Path(hub.__file__).parent / "policy"
    policy = load_policy(folder / "tariffs.toml", folder / "subsidies.toml")
    assert "Operator to fill in" in policy.subsidies.programme[0].reference.en
    for programme in policy.subsidies.programme:
        assert "Example, modelled on article 1" in programme.reference.en
        assert programme.reference.zh.startswith("示例")
    assert all("Example" in tariff.reference for tariff in policy.prices.tariff)


TARIFFS = """
[[tariff]]
id = "a"
from = 2026-09-01T00:00:00+08:00
until = 2027-01-01T00:00:00+08:00
[[tariff.price]]
profile = "cpu"
yuan_per_hour = "0.5"

[[tariff]]
id = "b"
from = 2027-01-01T00:00:00+08:00
[[tariff.price]]
profile = "cpu"
yuan_per_hour = "0.6"
"""
PROGRAMME = """
[[programme]]
id = "p"
from = 2026-09-01T00:00:00+08:00
rate_percent = "70"
title = {zh = "一", en = "one"}
reference = {zh = "一", en = "one"}
[[programme.payer]]
id = "city"
share_percent = "100"
title = {zh = "一", en = "one"}
"""

ENTITY = """
[[entity]]
site = "north"
from = 2026-09-01T00:00:00+08:00
size = "small"
reference = {zh = "一", en = "one"}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('profile = "cpu"', 'profile = "cpu"\ncolour = 1', "colour: unknown key"),
        ("[[tariff]]", "speed = 1\n[[tariff]]", "speed: unknown key"),
        ('id = "b"', 'id = "a"', "expected each once"),
        ("until = 2027-01-01", "until = 2027-01-02", "'a' and 'b' overlap"),
        ("until = 2027-01-01T00:00:00+08:00", "", "'a' and 'b' overlap"),
        ("until = 2027-01-01", "until = 2025-01-01", "expected later than from"),
        ("[[tariff]]", '[[tariff.price]]\nprofile = "cpu"\n[[tariff]]', "not valid TOML"),
        ('"0.5"', '"0.5"\n[[tariff.price]]\nprofile = "cpu"\nyuan_per_hour = "1"', "expected each once in tariff 'a'"),
        ('"0.5"', "0.5", "valid string (got 0.5)"),
        ('"0.5"', '"-1"', "got '-1'"),
        ('"0.5"', '"nan"', "got 'nan'"),
        ('"0.5"', '"０.５"', "got '０.５'"),
        ("+08:00", "", "timezone"),
        ("[[tariff]]", "[[tariff]", "not valid TOML"),
        (TARIFFS, "", "tariff: Field required"),
    ],
)
def test_a_price_list_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "tariffs.toml"
    file.write_text(TARIFFS, encoding="utf-8")
    read_tariffs(file)
    assert old in TARIFFS
    file.write_text(TARIFFS.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PolicyError, match=re.escape(said)) as refused:
        read_tariffs(file)
    assert str(file) in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('rate_percent = "70"', 'rate_percent = "100.0001"', "rate_percent: got '100.0001'"),
        ('rate_percent = "70"', 'rate_percent = "0"', "expected above 0"),
        ('rate_percent = "70"', 'rate_percent = "70"\nrate_percent_by_origin = {domestic = "101"}', "got '101'"),
        ('share_percent = "100"', 'share_percent = "99.9999"', "sum to 99.9999 %, expected 100"),
        ('id = "city"', 'id = "learner"', "none called 'learner'"),
        ("[[programme.payer]]", "[programme.other]", "unknown key"),
        ("[[programme.payer]]", "payer = []\n[programme.x]", "at least 1 item"),
        ("reference =", "referenz =", "reference: Field required"),
        ("[[programme.payer]]", 'first_year = {rate_percent = "0"}\n[[programme.payer]]', "expected above 0"),
        ("[[programme.payer]]", 'related_party = {rate_percent = "101"}\n[[programme.payer]]', "got '101'"),
        ("[[programme]]", f"{ENTITY}{ENTITY}[[programme]]", "two of site 'north' overlap"),
        ("[[programme]]", ENTITY.replace("small", "tiny") + "[[programme]]", "got 'tiny'"),
    ],
)
def test_a_programme_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "subsidies.toml"
    assert old in PROGRAMME
    file.write_text(PROGRAMME.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PolicyError, match=re.escape(said)):
        read_subsidies(file)


def test_two_versions_of_a_programme_at_once_are_refused_and_a_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "subsidies.toml"
    file.write_text(PROGRAMME * 2, encoding="utf-8")
    with pytest.raises(PolicyError, match="two versions of 'p' overlap"):
        read_subsidies(file)
    with pytest.raises(PolicyError, match="cannot be read"):
        read_subsidies(tmp_path / "none.toml")


SPLITS = Path(__file__).parent / "exact_splits.py"


def test_random_programmes_split_exactly_and_stepped_clocks_bill_nothing_negative_or_twice() -> None:
    done = subprocess.run([sys.executable, SPLITS, "2000", "7"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["programmes"] >= 2000
    assert found["stepped"] > 500
