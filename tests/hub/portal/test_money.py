"""Claims, budgets, vouchers, tokens, class hours and the dashboard, as people click through them."""

import html
import re
from typing import Any
from uuid import uuid4

import pytest

from hub.compute.lease import HOUR_US, LeaseRequest

PREFIX = "/services/portal"
DAY_US = 24 * HOUR_US
CLAIM = {
    "payer": "sh-ai-micro-drama-2026 city",
    "first": "2026-11-01",
    "last": "2026-11-30",
    "operator": "运营公司",
    "contract": "C-2026-1",
    "invoice": "",
}


@pytest.fixture
def december(busy: Any) -> Any:
    busy.end("learner6")
    busy.now_us += 35 * DAY_US
    return busy


def test_days_are_previewed_frozen_and_packed(december: Any, post: Any) -> None:
    admin = december.client("root")
    preview = post(admin, "/claims", "/claims", CLAIM)
    assert "What freezing would claim now" in preview.text
    once = re.search(r'name="once" value="([^"]+)"', preview.text)
    frozen = {**CLAIM, "once": once[1], "freeze": "1"}
    answer = post(admin, "/claims", "/claims", frozen)
    assert answer.status_code == 303
    again = post(admin, "/claims", "/claims", frozen)
    assert again.headers["Location"] == answer.headers["Location"]
    page = admin.get(answer.headers["Location"]).text
    assert "C-2026-1" in page
    pack = admin.get(answer.headers["Location"] + "/pack.zip")
    assert pack.data[:2] == b"PK"
    assert pack.data == december.client("fund").get(answer.headers["Location"] + "/pack.zip").data
    assert "2026-11-01 – 2026-11-30" in december.client("fund").get(f"{PREFIX}/claims").text


def test_queries_and_corrections_stand_beside_the_claim(december: Any, post: Any) -> None:
    admin = december.client("root")
    address = post(admin, "/claims", "/claims", {**CLAIM, "freeze": "1"}).headers["Location"].removeprefix(PREFIX)
    assert post(december.client("fund"), address, address, {"what": "query", "words": "哪一天？"}).status_code == 303
    refused = post(december.client("fund"), address, address, {"what": "correction", "words": "x", "yuan": "1"})
    assert refused.status_code == 422
    assert post(admin, address, address, {"what": "correction", "words": "two", "yuan": "0.5"}).status_code == 303
    page = admin.get(PREFIX + address).text
    assert "哪一天？" in page
    assert "−¥0.50" in page
    assert post(admin, address, address, {"what": "correction", "words": "more", "yuan": "99"}).status_code == 422
    carried = post(admin, "/claims", "/claims", {**CLAIM, "first": "2026-12-01", "last": "2026-12-02"})
    assert "Corrections taken off" in carried.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"payer": "nobody x"}, "Choose one from the list."),
        ({"first": "soon"}, "expected a day as YYYY-MM-DD"),
        ({"last": "2026-10-01"}, "The last day lies before the first one."),
        ({"contract": ""}, "Expected 1 to 100 characters"),
        ({"last": "2027-06-01"}, "still to come"),
        ({"first": "2026-09-01", "last": "2026-09-02", "freeze": "1"}, "nothing"),
    ],
)
def test_a_claim_that_is_none_is_refused(december: Any, post: Any, change: dict[str, str], words: str) -> None:
    refused = post(december.client("root"), "/claims", "/claims", {**CLAIM, **change})
    assert refused.status_code == 422
    assert words in html.unescape(refused.text)


def test_funders_read_and_administrators_act(december: Any, post: Any) -> None:
    fund = december.client("fund")
    assert "Prepare a claim" not in fund.get(f"{PREFIX}/claims").text
    assert post(fund, "/funding", "/claims", CLAIM).status_code == 403
    for name in ("liming", "wang"):
        for page in ("/claims", "/funding/dashboard", "/operations"):
            assert december.client(name).get(PREFIX + page).status_code == 403
    assert fund.get(f"{PREFIX}/operations").status_code == 403
    assert fund.get(f"{PREFIX}/claims/00000000-0000-0000-0000-000000000001").status_code == 404


def test_a_budget_is_given_taken_back_and_says_what_is_left(school: Any, post: Any) -> None:
    admin, page = school.client("root"), "/operations"
    given = {"whose": "site main", "way": "give", "yuan": "50", "why": "autumn"}
    assert "¥50.00 left in this budget" in post(admin, page, f"{page}/allot", given).text
    assert "¥50.00 left in this budget" in post(admin, page, f"{page}/allot", given).text
    taken = post(admin, page, f"{page}/allot", {**given, "way": "take", "yuan": "60", "why": "cut"})
    assert (taken.status_code, "50.00 to be taken back" in taken.text) == (422, True)
    cohort = {**given, "whose": f"cohort {school.the_class.id}", "yuan": "7"}
    assert "¥7.00 left in this budget" in post(admin, page, f"{page}/allot", cohort).text
    assert "2026 秋季一班" in admin.get(PREFIX + page).text
    assert post(admin, page, f"{page}/allot", {**given, "whose": "site mars"}).status_code == 422


def test_a_voucher_becomes_allowance_once(school: Any, post: Any) -> None:
    admin, me = school.client("root"), school.client("liming")
    order = {"course": "micro-drama", "count": "2", "yuan": "12.50", "days": "30", "why": "open day"}
    order["order"] = re.findall(r'name="order" value="([^"]+)"', admin.get(f"{PREFIX}/operations").text)[0]
    codes, again = (
        re.findall(r'class="code box">([^<]+)<', post(admin, "/operations", "/operations/issue", order).text)
        for _click in range(2)
    )
    assert (len(codes), again, len(school.ledger.vouchers.all())) == (2, codes, 2)
    done = post(me, "/compute", "/compute/voucher", {"code": codes[0].lower()}, follow_redirects=True)
    assert "¥12.50 more for you." in done.text
    assert "¥72.50" in done.text
    assert "no voucher with this code" in post(me, "/compute", "/compute/voucher", {"code": "ABC"}).text
    school.now_us += 40 * DAY_US
    assert "has run out" in post(me, "/compute", "/compute/voucher", {"code": codes[1]}).text
    assert "liming" in admin.get(f"{PREFIX}/operations").text


def test_a_token_is_shown_once_and_revoked(school: Any, post: Any) -> None:
    admin, page = school.client("root"), "/operations"
    order = {"name": "grafana", "scope": ["metrics", "report:site=main"], "days": "30"}
    (said,) = re.findall(r'class="code box">([^<]+)<', post(admin, page, f"{page}/token", order).text)
    assert [str(scope) for scope in school.tokens.find(said).scopes] == ["report:site=main", "metrics"]
    assert said not in admin.get(PREFIX + page).text
    (token,) = school.tokens.all()
    assert post(admin, page, f"{page}/tokens/{token.id}/revoke", {}).status_code == 303
    assert school.tokens.find(said) is None
    assert post(admin, page, f"{page}/tokens/{token.id}/revoke", {}).status_code == 404
    assert "Choose what it may read." in post(admin, page, f"{page}/token", {**order, "scope": []}).text


def test_class_hours_are_scheduled_spare_allowances_and_are_cancelled(school: Any, post: Any) -> None:
    page = f"/classes/{school.the_class.id}"
    teacher = school.client("wang")
    hours = {"from": "2026-11-05T14:00", "until": "2026-11-05T18:00"}
    assert post(teacher, page, f"{page}/schedule", hours).status_code == 303
    school.now_us += 2 * HOUR_US
    lease = school.ledger.open(
        LeaseRequest(
            id=uuid4(), learner="liming", course="micro-drama", lab="first-take",
            cohort=str(school.the_class.id), site="main", profile="cpu", longest_us=HOUR_US, requested_us=school.now_us,
        )
    )  # fmt: skip
    assert lease.held_uy == 0
    shown = teacher.get(PREFIX + page).text
    subject = re.search(r'name="class" value="([^"]+)"', shown)
    assert post(teacher, page, f"{page}/cancel", {"class": subject[1]}).status_code == 303
    assert post(teacher, page, f"{page}/cancel", {"class": subject[1]}).status_code == 422
    for wrong in ({"until": "2026-11-09T18:00"}, {"until": "2026-11-05T13:00"}, {"from": "then"}):
        assert post(teacher, page, f"{page}/schedule", {**hours, **wrong}).status_code == 422
    past = {"from": "2026-11-01T14:00", "until": "2026-11-01T16:00"}
    assert "This moment is past." in post(teacher, page, f"{page}/schedule", past).text


def test_the_dashboard_draws_what_may_be_shown_and_leads_to_its_lines(busy: Any) -> None:
    page = busy.client("fund").get(f"{PREFIX}/funding/dashboard").text
    assert page.count("<svg") >= 8
    assert "Script to shots" in page
    link = re.search(r'href="([^"]*/funding/lines[^"]*by=lab[^"]*)"', page)
    lines = busy.client("fund").get(html.unescape(link[1]))
    assert lines.status_code == 200
    assert "liming" not in page + lines.text
    assert busy.client("fund").get(f"{PREFIX}/funding/dashboard?first=x&last=2031-01").status_code == 200


def test_a_dashboard_about_too_few_says_so(school: Any) -> None:
    school.worked("liming", "script-to-shots", 42)
    page = school.client("fund").get(f"{PREFIX}/funding/dashboard").text
    assert "Too few trainees" in page
    assert "not shown: it would tell of fewer than five trainees" in page
    assert "¥0.35" not in page


@pytest.mark.parametrize(
    ("minutes", "said"), [(25, ""), (31, "More than half"), (43, "70%"), (50, "80%"), (61, "Used up")]
)
def test_alerts_stand_on_the_trainees_page_and_count_what_runs(school: Any, post: Any, minutes: int, said: str) -> None:
    teach = school.teach({"allowance": {"yuan": "0.5"}})
    assert teach.allowance
    school.ledger.grant("liming", "micro-drama", 500_000, "enrolment", school.now_us)
    request = LeaseRequest(
        id=uuid4(), learner="liming", course="micro-drama", lab="first-take", cohort="", site="main",
        profile="cpu", longest_us=HOUR_US, requested_us=school.now_us,
    )  # fmt: skip
    school.ledger.open(request)
    school.ledger.record_started(request.id, school.now_us, "shim")
    school.now_us += minutes * HOUR_US // 60
    page = school.client("liming").get(f"{PREFIX}/compute").text
    assert (said in page) if said else ("More than" not in page and "Used up" not in page)
