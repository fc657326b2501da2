"""Verifies a certificate: a pure function of bytes, keys, lists and a moment. Fetches nothing, needs no database.

The answer is a list of steps. Every step is held, failed or unchecked, and the verdict follows from them:

1. form       the bytes are one JSON document in the strict spelling (:mod:`certs.credential.document`);
2. content    it is an Open Badges credential whose parts agree (:mod:`certs.credential.facts`);
3. issuer     the key named in the proof belongs to the issuer named in the credential, and the issuer is trusted;
4. signature  that key may sign credentials, was good at the time, and signed every member; for a key that was given up
              as compromised, the issuer's log (:mod:`certs.credential.witness`) must say that it was before that;
5. dates      the moment lies between validFrom and validUntil;
6. status     the issuer's own signed list, current at the moment, does not revoke it.

A step that cannot be reached is unchecked. Only what has 1 to 5 held is valid; a status that could not be checked is
said aloud beside it, for the holder of an offline copy cannot make a list appear.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certs.certificate import Text
from certs.credential.controller import Controller, Method, did_key_controller
from certs.credential.document import DocumentRefusedError, parse
from certs.credential.facts import Facts, FactsError
from certs.credential.opened import Opened, open_credential
from certs.credential.programme import contexts
from certs.credential.proof import ProofError, check_shape, check_signature
from certs.credential.witness import witnessed
from certs.display import moment
from certs.status import StatusList, StatusListError, read_list
from certs.verification import Outcome, Step, Verdict, Verification
from certs.wording import microseconds, timestamp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

# Clocks of issuer and verifier differ a little.
LEEWAY_US = 60 * 1_000_000
_ORDER = ("form", "content", "issuer", "signature", "dates", "status")
_NOT_REACHED = Text(zh="前面的步骤未通过，未核查。", en="Not checked, because an earlier step did not hold.")


def verify(
    document: bytes,
    *,
    controllers: Sequence[Controller],
    status_lists: Mapping[str, bytes],
    trusted: Collection[str],
    at_us: int,
    logs: Sequence[bytes] = (),
) -> Verification:
    """Verify the JSON of one credential at a moment.

    Args:
        document: the credential as JSON bytes.
        controllers: the controller documents at hand; an issuer without one cannot be checked.
        status_lists: signed status lists by address.
        trusted: issuer ids to accept; empty accepts every issuer in ``controllers``.
        at_us: the moment, in microseconds since the epoch.
        logs: signed logs of what given-up keys had signed before.
    """
    steps: list[Step] = []
    facts: Facts | None = None
    try:
        opened = open_credential(document)
        steps.append(
            _held("form", "文档结构严谨，没有重复或隐藏的内容。", "One document, nothing doubled or hidden in it.")
        )
        check_shape(opened.document["proof"])
        facts = opened.facts()
        steps.append(_held("content", "是一份完整的开放徽章 3.0 证书。", "A complete Open Badges 3.0 certificate."))
    except DocumentRefusedError as error:
        steps.append(_failed("form", "文档不符合严格格式。", "The document is not in the strict form.", str(error)))
    except (ProofError, FactsError) as error:
        steps.append(_failed("content", "内容不是可接受的证书。", "This is not an acceptable certificate.", str(error)))
    if facts is not None:
        at_hand = _AtHand(controllers, status_lists, trusted, logs)
        steps += _steps_of(opened, facts, at_hand, at_us)
    reached = {step.name for step in steps}
    steps += [Step(name, Outcome.UNCHECKED, _NOT_REACHED) for name in _ORDER if name not in reached]
    return Verification(tuple(steps), facts, verdict_of(steps, facts, at_us))


def verdict_of(steps: Sequence[Step], facts: Facts | None, at_us: int) -> Verdict:
    """The verdict that follows from the steps: what is forged is invalid before it is expired or revoked."""
    failed = {step.name for step in steps if step.outcome is Outcome.FAILED}
    if failed - {"dates", "status", "member_status"} or facts is None:
        return Verdict.INVALID
    if any(step.outcome is Outcome.UNCHECKED for step in steps if step.name in {"issuer", "signature", "members"}):
        return Verdict.UNKNOWN
    if failed & {"status", "member_status"}:
        return Verdict.REVOKED
    if "dates" in failed:
        return Verdict.NOT_YET_VALID if at_us + LEEWAY_US < facts.valid_from_us else Verdict.EXPIRED
    if any(step.outcome is Outcome.UNCHECKED for step in steps if step.name == "page"):
        return Verdict.UNKNOWN
    return Verdict.VALID


@dataclass(frozen=True)
class _AtHand:
    """What the caller brought along besides the credential."""

    controllers: Sequence[Controller]
    status_lists: Mapping[str, bytes]
    trusted: Collection[str]
    logs: Sequence[bytes]


def _steps_of(opened: Opened, facts: Facts, at_hand: _AtHand, at_us: int) -> list[Step]:
    document = opened.document
    controller = _controller_of(facts.issuer, at_hand.controllers, at_hand.trusted)
    issuer = _issuer(document["proof"], facts, controller, at_hand.trusted)
    steps = [issuer, dates_step(facts, at_us)]
    if issuer.outcome is Outcome.HELD and controller is not None:
        steps[1:1] = [_signature(opened, controller, at_hand.logs), *_members(opened, at_hand, at_us)]
        steps.append(_status(facts, controller, at_hand.status_lists, at_us))
    elif issuer.outcome is Outcome.UNCHECKED:
        words = Text(
            zh="没有颁发者的公钥文件，无法核对签名。",
            en="Without the issuer's key document the signature cannot be checked.",
        )
        steps[1:1] = [Step("signature", Outcome.UNCHECKED, words)]
    return steps


def _controller_of(issuer: str, controllers: Sequence[Controller], trusted: Collection[str]) -> Controller | None:
    given = next((controller for controller in controllers if controller.id == issuer), None)
    # A did:key vouches for nothing but itself, so it counts only when the caller trusts it by name.
    return given or (did_key_controller(issuer) if issuer in trusted else None)


def _issuer(proof: dict[str, Any], facts: Facts, controller: Controller | None, trusted: Collection[str]) -> Step:
    name = proof["verificationMethod"]
    if name.partition("#")[0] != facts.issuer:
        return _failed(
            "issuer",
            "签名密钥不属于证书上写明的颁发者。",
            "The signing key does not belong to the issuer named in the certificate.",
            f"got the key {name!r}, expected one of {facts.issuer!r}",
        )
    if trusted and facts.issuer not in trusted:
        detail = f"got {facts.issuer!r}, expected one of {sorted(trusted)}"
        return _failed("issuer", "颁发者不在信任名单中。", "The issuer is not among those you trust.", detail)
    if controller is None:
        words = Text(
            zh=f"没有颁发者 {facts.issuer} 的公钥文件；请向颁发者索取。",
            en=f"No key document of the issuer {facts.issuer} is at hand; get it from the issuer.",
        )
        return Step("issuer", Outcome.UNCHECKED, words)
    return _held(
        "issuer",
        f"签名密钥属于颁发者 {facts.issuer_name.zh}（{facts.issuer}）。",
        f"The signing key belongs to the issuer, {facts.issuer_name.en} ({facts.issuer}).",
    )


def _members(opened: Opened, at_hand: _AtHand, at_us: int) -> list[Step]:
    """One step over all course certificates inside a programme: each is genuine, and none was withdrawn."""
    if not opened.members:
        return []
    withdrawn = []
    for member in opened.members:
        inner = Opened(member, ())
        facts = inner.facts()
        try:
            check_shape(member["proof"])
            steps = _steps_of(inner, facts, at_hand, at_us)
        except ProofError as error:
            steps = [_failed("signature", "", "", str(error))]
        bad = [step for step in steps if step.name in {"issuer", "signature"} and step.outcome is not Outcome.HELD]
        if bad:
            return [
                Step(
                    "members",
                    bad[0].outcome,
                    Text(
                        zh=f"其中的课程证书《{facts.title.zh}》未通过核验。",
                        en=f"The course certificate “{facts.title.en}” in it does not hold.",
                    ),
                    bad[0].detail,
                )
            ]
        if any(step.outcome is Outcome.FAILED for step in steps):
            withdrawn.append(facts.title)
    if withdrawn:
        return [
            _failed(
                "member_status",
                f"其中的课程证书《{withdrawn[0].zh}》已撤销、被取代或到期。",
                f"The course certificate “{withdrawn[0].en}” in it was revoked, replaced or has expired.",
            )
        ]
    count = len(opened.members)
    return [
        _held(
            "members",
            f"所含 {count} 份课程证书各自签名成立。",
            f"Each of the {count} course certificates in it holds by its own signature.",
        )
    ]


def _signature(opened: Opened, controller: Controller, logs: Sequence[bytes]) -> Step:
    document = opened.document
    try:
        method = _usable_method(document["proof"], controller)
        check_signature(document, method.pem, extra_contexts=contexts() if opened.members else None)
    except ProofError as error:
        return _failed(
            "signature",
            "签名不成立：内容被改动，或密钥不可用。",
            "The signature does not hold: something was altered, or the key may not be used.",
            str(error),
        )
    if method.bad_from_us is not None:
        return _signature_by_log(document["proof"], method.bad_from_us, logs, controller)
    return _signature_held()


def _signature_held() -> Step:
    return _held(
        "signature", "签名成立，内容自颁发后一字未改。", "The signature holds; nothing was changed since issue."
    )


def _signature_by_log(proof: dict[str, Any], bad_from_us: int, logs: Sequence[bytes], controller: Controller) -> Step:
    """The date in a proof says nothing once the key is known to be in other hands; the issuer's record does."""
    listed, since = witnessed(proof, bad_from_us, logs, controller), moment(bad_from_us)
    if listed is None:
        return _unchecked(
            "signature",
            f"签名密钥已于 {since} 宣布失密；手头的颁发日志中没有此证书，无法确认它是在那之前签署的。",
            f"The key was given up as compromised from {since} on, and no log of issue at hand says that this was"
            " signed before; get the issuer's log.",
        )
    if not listed:
        return _failed(
            "signature",
            f"签名密钥已于 {since} 宣布失密，而颁发者的日志中没有此证书：并非在那之前签署。",
            f"The key was given up as compromised from {since} on, and the issuer's log does not list this certificate"
            " among those signed before.",
        )
    return _signature_held()


def _usable_method(proof: dict[str, Any], controller: Controller) -> Method:
    name = proof["verificationMethod"]
    method = next((method for method in controller.methods if method.id == name), None)
    if method is None:
        raise ProofError(f"got the key {name!r}, expected one of {[method.id for method in controller.methods]}")
    if name not in controller.asserting:
        raise ProofError(f"got the key {name!r}, expected one that the issuer allows to sign (assertionMethod)")
    created = _moment(proof, "created")
    for end in (method.ends_us, method.bad_from_us):
        if end is not None and created >= end:
            raise ProofError(f"got a proof of {proof['created']}, expected one made before {timestamp(end)}")
    if "expires" in proof and _moment(proof, "expires") <= created:
        raise ProofError("got a proof that expires before it was made, expected a later time")
    return method


def _moment(proof: dict[str, Any], name: str) -> int:
    try:
        return microseconds(str(proof[name]))
    except ValueError as error:
        raise ProofError(f"proof.{name}: {error}") from None


def dates_step(facts: Facts, at_us: int) -> Step:
    """Whether the moment lies within the credential's dates."""
    start, end = moment(facts.valid_from_us), "" if facts.valid_until_us is None else moment(facts.valid_until_us)
    if at_us + LEEWAY_US < facts.valid_from_us:
        return _failed("dates", f"{start} 起才生效。", f"It becomes valid on {start}.")
    if facts.valid_until_us is not None and at_us - LEEWAY_US >= facts.valid_until_us:
        return _failed("dates", f"已于 {end} 到期。", f"It expired on {end}.")
    until = (f"，至 {end} 到期", f" until {end}") if end else ("，不设到期日", ", with no expiry date")
    return _held("dates", f"{start} 起生效{until[0]}。", f"Valid from {start}{until[1]}.")


def _status(facts: Facts, controller: Controller, status_lists: Mapping[str, bytes], at_us: int) -> Step:
    if facts.status is None:
        return _unchecked(
            "status", "证书不含状态条目，无从得知是否撤销。", "It names no status list, so nobody can tell."
        )
    data = status_lists.get(facts.status.list_address)
    if data is None:
        return _unchecked(
            "status",
            "手头没有颁发者的状态清单，未核查是否已撤销。",
            "The issuer's status list is not at hand: whether it was revoked since was not checked.",
            facts.status.list_address,
        )
    try:
        listed = _open_list(data, controller)
        _list_is_current(listed, facts.status.list_address, at_us)
        revoked = listed.is_set(facts.status.index)
    except (StatusListError, DocumentRefusedError, ProofError) as error:
        return _unchecked("status", "状态清单不可用。", "The status list at hand cannot be used.", str(error))
    if revoked:
        return _failed(
            "status",
            "颁发者已撤销此证书，或已用新证书取代它。",
            "The issuer has revoked this certificate, or replaced it by a newer one.",
        )
    signed = moment(listed.valid_from_us)
    return _held("status", f"截至 {signed} 未被撤销。", f"Not revoked as of {signed}.")


@functools.lru_cache(maxsize=16)
def _open_list(data: bytes, controller: Controller) -> StatusList:
    """Parse a list and check its signature; remembered, for a batch of certificates shares one list."""
    document = parse(data)
    check_shape(document["proof"])
    listed = read_list(document)
    if listed.issuer != controller.id or document["proof"]["verificationMethod"].partition("#")[0] != controller.id:
        raise StatusListError(f"got a list issued by {listed.issuer!r}, expected {controller.id!r}")
    method = _usable_method(document["proof"], controller)
    if method.bad_from_us is not None:
        raise StatusListError("got a list signed with a key that was given up as compromised, expected a newer list")
    check_signature(document, method.pem)
    return listed


def _list_is_current(listed: StatusList, address: str, at_us: int) -> None:
    if listed.address != address:
        raise StatusListError(f"got the list {listed.address!r}, expected {address!r}")
    if listed.valid_until_us is not None and at_us - LEEWAY_US >= listed.valid_until_us:
        raise StatusListError(f"got a list that ended {timestamp(listed.valid_until_us)}, expected a current one")


def _held(name: str, zh: str, en: str) -> Step:
    return Step(name, Outcome.HELD, Text(zh=zh, en=en))


def _failed(name: str, zh: str, en: str, detail: str = "") -> Step:
    return Step(name, Outcome.FAILED, Text(zh=zh, en=en), detail)


def _unchecked(name: str, zh: str, en: str, detail: str = "") -> Step:
    return Step(name, Outcome.UNCHECKED, Text(zh=zh, en=en), detail)
