"""Random programmes and stepped clocks: ``exact_splits.py COUNT SEED`` settles sessions under COUNT programmes.

Prints one JSON object; exits 1 when a split does not sum to its charge to the micro-yuan, a cap is overspent, a charge
is above its hold or below zero, or a session whose clock stepped by an hour or a day is not flagged.
"""

import json
import random
import sys
from typing import Any
from uuid import UUID

from hub.compute.lease import DAY_US, HOUR_US, LeaseRequest
from hub.compute.policy import Policy
from hub.compute.settle import START_WITHIN_US, Run, Settlement, cap_uses, settle
from hub.compute.subsidy import LEARNER, CapKey, Programme, SubsidyBook
from hub.compute.tariff import PriceList, hold

START_US = 1_795_320_000_000_000
TEXT = {"zh": "一", "en": "one"}
STEPS_US = (-DAY_US, -HOUR_US, HOUR_US, DAY_US)


def percent(ppm: int) -> str:
    return f"{ppm // 10_000}.{ppm % 10_000:04d}"


def programme(rng: random.Random, name: str) -> dict[str, Any]:
    cuts = sorted(rng.sample(range(1, 1_000_000), rng.randrange(5)))
    shares = [after - before for before, after in zip([0, *cuts], [*cuts, 1_000_000], strict=True)]
    made = {
        "id": name,
        "from": "2026-09-01T00:00:00+08:00",
        "title": TEXT,
        "reference": TEXT,
        "rate_percent": percent(rng.randint(1, 1_000_000)),
        "stacks_with": ["a", "b"] if rng.random() < 0.5 else [],
        "payer": [
            {"id": f"payer-{place}", "title": TEXT, "share_percent": percent(share)}
            for place, share in enumerate(shares)
        ],
    }
    for cap in ("cap_yuan", "cap_per_learner_yuan", "cap_per_site_yuan"):
        if rng.random() < 0.3:
            made[cap] = f"{rng.randrange(60)}.{rng.randrange(1_000_000):06d}"
    return made


def prices(rng: random.Random) -> PriceList:
    price = {"profile": "gpu", "yuan_per_hour": f"{rng.randrange(90)}.{rng.randrange(1_000_000):06d}"}
    return PriceList.model_validate({"tariff": [{"id": "t", "from": "2026-09-01T00:00:00+08:00", "price": [price]}]})


def wrong(sums: Settlement, policy: Policy, request: LeaseRequest, used: dict[CapKey, int], *, stepped: bool) -> str:
    """What is wrong with a settlement; empty when nothing is."""
    if sum(line.amount_uy for line in sums.lines) != sums.charge_uy:
        return "a split does not sum to its charge"
    if any(line.amount_uy < 0 or line.until_us < line.from_us for line in sums.lines):
        return "a line is negative"
    if stepped and "clock" not in sums.flags:
        return "a clock step is not flagged"
    latest = request.requested_us + START_WITHIN_US
    if sums.charge_uy > hold(policy.prices, "gpu", request.requested_us, request.longest_us, latest):
        return "a charge is above its hold"
    for key, amount in cap_uses(sums.lines).items():
        used[key] = used.get(key, 0) + amount
        caps = next(rule for rule in policy.subsidies.programme if rule.id == key.programme).caps
        if key.scope in caps and used[key] > caps[key.scope]:
            return "a cap is overspent"
    return ""


def run(count: int, rng: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {"programmes": 0, "sessions": 0, "stepped": 0, "wrong": []}
    while found["programmes"] < count:
        rules = [Programme.model_validate(programme(rng, name)) for name in "ab"[: rng.randint(1, 2)]]
        policy = Policy(prices=prices(rng), subsidies=SubsidyBook(programme=tuple(rules)))
        found["programmes"] += len(rules)
        used: dict[CapKey, int] = {}
        for number in range(2):
            asked = LeaseRequest(
                id=UUID(int=number + 1), learner="li", course="c", lab="l", cohort="k", site="s", profile="gpu",
                longest_us=4 * HOUR_US, requested_us=START_US + rng.randrange(DAY_US),
            )  # fmt: skip
            length, step = rng.randrange(5 * HOUR_US), rng.choice((0, *STEPS_US))
            end = asked.requested_us + length + step
            sums = settle(asked, Run(asked.requested_us, end, 0, length, max(end, 0)), policy, used)
            found["sessions"] += 1
            found["stepped"] += step != 0
            if LEARNER in {line.programme for line in sums.lines}:
                found["wrong"].append("a learner is a programme")
            if said := wrong(sums, policy, asked, used, stepped=step != 0):
                found["wrong"].append(said)
    return found


if __name__ == "__main__":
    told = run(int(sys.argv[1]), random.Random(int(sys.argv[2])))  # noqa: S311 - which programme, not which secret
    told["wrong"] = told["wrong"][:5]
    print(json.dumps(told))  # noqa: T201 - what it is for
    sys.exit(bool(told["wrong"]))
