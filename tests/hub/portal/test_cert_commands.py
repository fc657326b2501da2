"""What an operator does about certificates on the command line, against a running issuer."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from certs.certificate import IssuerProfile, State, Text
from certs.credential.controller import controller_document, parse_controller
from certs.issue import run_issuer
from certs.keys import IssuerKey
from certs.verification import Verdict
from certs.verify import verify
from hub.cert_commands import cert_commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

SCRIPT = "micro-drama"
BASE = "http://127.0.0.1:8000/certs"
PROFILE = IssuerProfile(f"{BASE}/issuer", Text("样片培训中心", "Sample Training Centre"), BASE)


@pytest.fixture
def issuer(steward: Any) -> Iterator[None]:
    """The issuer's loop, as its process runs it."""
    stop, file = threading.Event(), steward.platform.secrets.path("issuer-key.pem")
    loop = threading.Thread(
        target=run_issuer,
        args=(steward.store, steward.key, PROFILE),
        kwargs={"poll_seconds": 0.05, "stop": stop, "reload": lambda: IssuerKey.load_or_create(file)},
    )
    loop.start()
    yield
    stop.set()
    loop.join()


@pytest.fixture
def certs(steward: Any) -> Callable[..., Result]:
    def run(*arguments: str, **more: Any) -> Result:
        return CliRunner().invoke(cert_commands(lambda: steward.platform), arguments, **more)

    return run


def _code(steward: Any) -> str:
    return str(steward.world.the_class.class_code)


def test_a_class_is_issued_with_progress_and_again_only_where_something_changed(
    steward: Any, issuer: None, certs: Any
) -> None:
    steward.completes(SCRIPT, "liming", score=3)
    done = certs("issue", _code(steward))
    assert (done.exit_code, "1 of 1 issued, 0 refused" in done.output) == (0, True), done.output
    first = steward.held("liming", SCRIPT)
    assert "0 of 0 issued" in certs("issue", _code(steward), "--again").output
    steward.completes(SCRIPT, "liming", score=4)
    assert "1 of 1 issued" in certs("issue", _code(steward), "--again").output
    newer = steward.held("liming", SCRIPT)
    listed = certs("list", SCRIPT).output
    assert f"superseded by {newer.id}" in listed
    assert f"{newer.id}\tmicro-drama:liming\t2\tissued" in listed
    assert steward.store.by_id(first.id).superseded_by == newer.id


def test_one_is_re_issued_and_one_revoked_with_a_reason(steward: Any, issuer: None, certs: Any) -> None:
    steward.completes(SCRIPT, "liming")
    certs("issue", _code(steward))
    old = steward.held("liming", SCRIPT).id
    assert certs("reissue", old).exit_code == 0
    newer = steward.held("liming", SCRIPT).id
    assert newer != old
    assert certs("revoke", newer).exit_code == 2, "a reason is asked for"
    assert certs("revoke", newer, "--reason", "graded by mistake").exit_code == 0
    assert steward.store.by_id(newer).revoked_reason == "graded by mistake"
    assert "revoked: graded by mistake" in certs("list", SCRIPT).output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("issue", "NOWHERE1"), "expected the code of a class"),
        (("reissue", "0" * 32), "expected the id of a certificate"),
        (("revoke", "0" * 32, "--reason", "x"), "expected the id of an issued certificate"),
        (("key-bad", "z6Mknothing", "--from", "2026-11-01T00:00:00Z"), "expected a public key this issuer signed with"),
        (("export", "nobody"), "expected the user name of somebody known here"),
        (("erase", "nobody", "--yes"), "expected the user name of somebody known here"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_not_known_is_refused_with_what_was_expected(
    certs: Any, arguments: tuple[str, ...], words: str
) -> None:
    done = certs(*arguments)
    assert done.exit_code == 2
    assert words in done.output


def test_a_moment_without_its_zone_is_refused(steward: Any, certs: Any) -> None:
    done = certs("key-bad", steward.key.multibase, "--from", "2026-11-01")
    assert done.exit_code == 2
    assert "with its zone" in done.output


def test_a_stolen_key_is_given_up_and_replaced_while_the_issuer_runs(steward: Any, issuer: None, certs: Any) -> None:
    """The drill of docs/operators.md: what was signed before holds, the next certificate is signed with the new key."""
    steward.completes(SCRIPT, "liming")
    certs("issue", _code(steward))
    old = steward.store.by_id(steward.held("liming", SCRIPT).id)
    stolen = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    assert "run `reelwright certs rotate-key`" in certs("key-bad", steward.key.multibase, "--from", stolen).output
    fresh = certs("rotate-key").stdout.strip()
    assert certs("reissue", old.id).exit_code == 0
    newer = steward.store.by_id(steward.held("liming", SCRIPT).id)
    assert f"#{fresh}".encode() in newer.document
    listed = certs("keys").output
    assert f"{steward.key.multibase}\tbad from" in listed
    assert f"{fresh}\tsigns now" in listed
    controller = parse_controller(controller_document(PROFILE.id, steward.store.public_keys()))
    for document in (old.document, newer.document):
        answer = verify(
            document, controllers=[controller], status_lists={}, trusted=(), at_us=newer.issued_us,
            logs=steward.store.issue_logs(),
        )  # fmt: skip
        assert answer.verdict is Verdict.VALID, answer.steps


def test_a_person_is_handed_everything_and_then_forgotten_while_the_ledger_balances(
    steward: Any, issuer: None, certs: Any
) -> None:
    steward.completes(SCRIPT, "liming")
    certs("issue", _code(steward))
    held = steward.held("liming", SCRIPT).id
    told = json.loads(certs("export", "liming").output)
    assert told["person"]["full_name"] == "李明"
    assert told["seats"][0]["number"] == "A01"
    assert told["certificates"][0]["credential"]["id"].endswith(held)
    before = steward.world.ledger.account("liming", SCRIPT)
    assert certs("erase", "liming", input="n\n").exit_code == 1
    assert certs("erase", "liming", "--yes").exit_code == 0
    assert steward.store.by_id(held).state is State.ERASED
    assert steward.world.people.person("liming").full_name != "李明"
    assert "李明" not in str(steward.world.people.members(steward.world.the_class.id))
    assert steward.world.ledger.account("liming", SCRIPT) == before
    assert steward.world.ledger.verify().held
    assert steward.round() == 0, "what was forgotten is not awarded again"
