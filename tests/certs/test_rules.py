from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from certs.certificate import Claim, IssuerProfile, Text, claim_from_json, claim_to_json
from certs.issue import prepare
from certs.rules import FORBIDDEN_EN, FORBIDDEN_ZH, ClaimRefused, forbidden_words, name_problem, problems

ID = "0" * 32


def test_a_good_claim_has_no_problem(claim: Claim, profile: IssuerProfile) -> None:
    assert list(problems(claim, profile)) == []


def test_a_claim_survives_being_stored(claim: Claim) -> None:
    assert claim_from_json(claim_to_json(claim)) == claim


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"holder_name": " "}, "holder_name"),
        ({"holder_name": "<script>alert(1)</script>"}, "holder_name"),
        ({"holder_name": "Anna \u202egnaW"}, "holder_name"),
        ({"holder_name": "\u0410nna Wang"}, "holder_name"),  # a Cyrillic A
        ({"holder_name": "\uff21nna"}, "holder_name"),  # a full-width A
        ({"holder_name": "名" * 101}, "holder_name"),
        ({"holder_ref": ""}, "holder_ref"),
        ({"course": "Micro Drama"}, "course"),
        ({"score_percent": 100.5}, "score_percent"),
        ({"score_percent": float("nan")}, "score_percent"),
        ({"score_percent": -1.0}, "score_percent"),
        ({"lab_seconds": -1, "subsidised_seconds": -2}, "lab_seconds"),
        ({"subsidised_gpu_seconds": 2_000}, "subsidised_gpu_seconds"),
        ({"labs": ()}, "labs"),
        ({"title": Text("全国微短剧", "Micro-drama")}, "title.zh"),
        ({"title": Text("微短剧 / 制作", "Micro-drama")}, "title.zh"),
        ({"summary": Text("好", "Bad \u2066text")}, "summary.en"),
        ({"criteria": Text("", "Something")}, "criteria.zh"),
        ({"completed_us": 0}, "completed_us"),
    ],
)
def test_a_bad_claim_is_refused_with_its_reason(claim: Claim, profile: IssuerProfile, change: Any, field: str) -> None:
    with pytest.raises(ClaimRefused) as refused:
        prepare(replace(claim, **change), profile, certificate_id=ID, status_index=1, valid_from_us=1)
    assert any(reason.startswith(f"{field}:") for reason in refused.value.reasons), refused.value.reasons


@pytest.mark.parametrize(
    "change",
    [
        {"submission_sha256": "abc"},
        {"model_sha256": "X" * 64},
        {"attempt": 0},
        {"hand_percent": 101.0},
        {"graded_us": 0},
        {"lab_version": "1\nscore percent: 100"},
        {"rubric_version": ""},
    ],
)
def test_bad_evidence_is_refused(claim: Claim, profile: IssuerProfile, change: Any) -> None:
    bad = replace(claim, labs=(replace(claim.labs[0], **change),))
    assert any(next(iter(change)) in reason for reason in problems(bad, profile))


def test_every_reason_is_given_at_once(claim: Claim, profile: IssuerProfile) -> None:
    bad = replace(claim, holder_name="", score_percent=200.0)
    assert len(list(problems(bad, profile))) == 2


@pytest.mark.parametrize("word", ["中国", "国家", "全国", "职业资格", "岗位合格"])
def test_the_words_the_rules_name_are_on_the_list(word: str) -> None:
    assert word in FORBIDDEN_ZH
    assert forbidden_words(f"某{word}证书") != []


def test_spacing_and_zero_width_characters_do_not_hide_a_word() -> None:
    assert forbidden_words("中 国") == ["中国"]
    assert forbidden_words("全\u200b国") == ["全国"]
    assert forbidden_words("A NATIONAL  certificate") == ["national"]


def test_ordinary_words_pass() -> None:
    assert forbidden_words("结业证书 国际合作 中等国风") == []
    assert forbidden_words("An international certificate of completion") == []
    assert all(forbidden_words(word) for word in FORBIDDEN_EN)


def test_the_issuers_own_name_is_held_to_the_rules(claim: Claim, profile: IssuerProfile) -> None:
    bad = replace(profile, name=Text("全国培训中心", "Training centre"))
    assert any("issuer.name.zh" in reason for reason in problems(claim, bad))


@pytest.mark.parametrize("name", ["李中华", "Amélie O’Brien-Dubois", "阿卜杜拉·买买提", "Nguyễn Văn An", "王国家"])
def test_real_names_pass(name: str) -> None:
    assert name_problem(name) is None
