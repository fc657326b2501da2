from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from certs.command import Known, run_verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from certs.certificate import IssuerProfile
    from certs.keys import IssuerKey


@pytest.fixture
def files(
    tmp_path: Path,
    document: bytes,
    key: IssuerKey,
    profile: IssuerProfile,
    status_list: Callable[..., dict[str, bytes]],
) -> Path:
    (tmp_path / "good.json").write_bytes(document)
    (tmp_path / "forged.json").write_bytes(document.replace("陈晓雨".encode(), "李晓雨".encode()))
    (tmp_path / "controller.json").write_bytes(key.controller_document(profile.id))
    (tmp_path / "revoking.json").write_bytes(status_list(4711)[profile.status_address(0)])
    return tmp_path


NOTHING = Known()
AT = "2026-11-22T12:00:00Z"


def run(
    files: Path,
    *names: str,
    controller: tuple[str, ...] = ("controller.json",),
    status: Sequence[str] = (),
    trust: Sequence[str] = (),
    at: str = AT,
    as_json: bool = False,
    known: Known = NOTHING,
) -> int:
    return run_verify(
        [files / name for name in names], [files / name for name in controller], status, trust, at, as_json, known
    )


def test_a_good_file_exits_0_and_says_what_it_certifies(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    assert run(files, "good.json") == 0
    said = capsys.readouterr().out
    assert "good.json: Valid" in said
    assert "陈晓雨" in said
    assert "Making micro-drama with AI" in said
    assert "whether it was revoked since was not checked" in said


def test_it_speaks_chinese_where_the_terminal_does(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run(files, "good.json") == 0
    assert "good.json: 有效" in capsys.readouterr().out


def test_one_bad_file_among_good_ones_exits_1(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files, "good.json", "forged.json", as_json=True) == 1
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["verdict"] for answer in answers] == ["valid", "invalid"]
    assert answers[0]["facts"]["holder_name"] == "陈晓雨"


def test_what_a_forgery_claims_is_not_repeated(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files, "forged.json") == 1
    assert "李晓雨" not in capsys.readouterr().out


def test_without_the_issuers_keys_it_exits_1_and_says_why(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files, "good.json", controller=(), as_json=True) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "unknown"
    assert {step["name"]: step["outcome"] for step in answer["steps"]}["signature"] == "unchecked"


def test_our_own_issuer_is_known_without_being_named(files: Path, key: IssuerKey, profile: IssuerProfile) -> None:
    known = Known(controllers=(key.controller_document(profile.id),))
    assert run(files, "good.json", controller=(), known=known) == 0


def test_a_status_list_decides(files: Path, profile: IssuerProfile, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(files, "good.json", status=[f"{profile.status_address(0)}={files / 'revoking.json'}"], as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "revoked"


def test_trust_and_moment_decide(files: Path, profile: IssuerProfile) -> None:
    assert run(files, "good.json", trust=[profile.id]) == 0
    assert run(files, "good.json", trust=["did:web:elsewhere.example"]) == 1
    assert run(files, "good.json", at="2026-11-01T00:00:00Z") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"names": ()},
        {"names": ("missing.json",)},
        {"controller": ("good.json.missing",)},
        {"controller": ("good.json",)},
        {"status": ["no-equals-sign"]},
        {"status": ["https://a/status=/nowhere"]},
        {"at": "yesterday"},
        {"at": "2026-11-22T12:00:00"},
    ],
)
def test_a_wrong_call_exits_2_with_what_was_expected(
    files: Path, wrong: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    names = wrong.pop("names", ("good.json",))
    code = run(files, *names, **wrong)
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.startswith("reelwright verify: ")
