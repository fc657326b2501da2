"""Which claims may become a certificate: every reason against one, in words that say what was got and expected.

Chinese rules on training certificates forbid words that make one look like a state qualification; a training
certificate is a 结业证书 and nothing more. Names are checked for what lets one person pass for another.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from certs.certificate import Claim, ProgrammeClaim
from certs.wording import NAME_JOIN, PROSE_JOIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certs.certificate import IssuerProfile, LabEvidence, Text

FORBIDDEN_ZH = (
    "中华人民共和国",
    "中国",
    "中华",
    "国家",
    "全国",
    "国徽",
    "国务院",
    "职业资格",
    "执业资格",
    "从业资格",
    "人员资格",
    "岗位资格",
    "岗位合格",
    "职业技能等级",
    "上岗证",
)
FORBIDDEN_EN = (
    "china",
    "national",
    "state-certified",
    "professional qualification",
    "vocational qualification",
    "occupational qualification",
    "licence to practise",
    "license to practice",
)

MAX_NAME = 100
MAX_TITLE = 200
MAX_PROSE = 4_000
MAX_SKILLS = 40
MAX_LABS = 60
MAX_MEMBERS = 20
SHA256 = re.compile(r"[0-9a-f]{64}")
CERTIFICATE_ID = re.compile(r"[0-9a-f]{32}")
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
# One value of a signed record line (see certs.credential.record): printable ASCII, no space at the ends.
LINE_VALUE = re.compile(r"[!-~](?:[ -~]{0,98}[!-~])?")

_EXPECTED = {SLUG: "a short name of a-z, 0-9 and -", LINE_VALUE: "1 to 100 printable ASCII characters"}
_LOOKALIKE_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "GEORGIAN"})


class ClaimRefused(Exception):  # noqa: N818 - a refusal with reasons, named as the operator says it
    """A claim that may not be certified; ``reasons`` says why, one sentence each."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def check(claim: Claim | ProgrammeClaim, profile: IssuerProfile | None = None) -> None:
    """Refuse a claim (and the issuer's printed name, where given) that may not be certified.

    Raises:
        ClaimRefused: with every reason at once.
    """
    reasons = tuple(problems(claim, profile))
    if reasons:
        raise ClaimRefused(reasons)


def problems(claim: Claim | ProgrammeClaim, profile: IssuerProfile | None = None) -> Iterator[str]:
    """Every reason why ``claim`` may not become a certificate; nothing when it may."""
    if reason := name_problem(claim.holder_name):
        yield f"holder_name: {reason}"
    yield from _identifiers(claim)
    yield from _common_texts(claim, profile)
    if isinstance(claim, ProgrammeClaim):
        yield from _members(claim)
        return
    yield from _amounts(claim)
    yield from _texts(claim)
    for index, lab in enumerate(claim.labs):
        yield from (f"labs[{index}].{reason}" for reason in _lab(lab))


def name_problem(name: str) -> str | None:
    """What is wrong with a person's name, or None."""
    if not name.strip():
        return "got an empty name, expected the holder's name"
    if len(name) > MAX_NAME:
        return f"got {len(name)} characters, expected at most {MAX_NAME}"
    if name != " ".join(name.split()):
        return f"got {name!r}, expected no space before, after or doubled within"
    return _character_problem(name)


def _character_problem(name: str) -> str | None:
    if bad := sorted({f"U+{ord(c):04X}" for c in name if not _name_character(c)}):
        return f"got the characters {', '.join(bad)}, expected letters, marks, spaces and . ' ’ ‘ - · ・ only"
    if unicodedata.normalize("NFKC", name) != name:
        return f"got {name!r}, expected its plain (NFKC) form {unicodedata.normalize('NFKC', name)!r}"
    scripts = {_script(c) for c in name if unicodedata.category(c).startswith("L")} & _LOOKALIKE_SCRIPTS
    if len(scripts) > 1:
        return f"got letters of {' and '.join(sorted(scripts))} that look alike, expected one alphabet"
    return None


def forbidden_words(text: str) -> list[str]:
    """The words in ``text`` that no training certificate may carry, however spaced."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    squeezed = "".join(c for c in folded if not c.isspace() and unicodedata.category(c) != "Cf")
    english = " ".join(folded.split())
    return [word for word in FORBIDDEN_ZH if word in squeezed] + [
        word for word in FORBIDDEN_EN if re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", english)
    ]


def unprintable(text: str, *, breaks: bool) -> list[str]:
    """The control, bidirectional-override and unassigned characters in ``text``, as U+XXXX."""
    allowed = "\n\t" if breaks else ""
    categories = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return sorted({f"U+{ord(c):04X}" for c in text if c not in allowed and unicodedata.category(c) in categories})


def _name_character(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM" or character in " .'’‘-·・"


def _script(character: str) -> str:
    return unicodedata.name(character, "UNKNOWN").split()[0]


def _identifiers(claim: Claim | ProgrammeClaim) -> Iterator[str]:
    if not claim.holder_ref:
        yield "holder_ref: got nothing, expected a reference that stays the same for the same person"
    for field in ("course", "course_version"):
        value = getattr(claim, field)
        pattern = SLUG if field == "course" else LINE_VALUE
        if not pattern.fullmatch(value):
            yield f"{field}: got {value!r}, expected {_EXPECTED[pattern]}"
    if claim.completed_us <= 0:
        yield f"completed_us: got {claim.completed_us}, expected microseconds since 1970"
    if claim.valid_until_us is not None and claim.valid_until_us <= claim.completed_us:
        yield f"valid_until_us: got {claim.valid_until_us}, expected a moment after completion ({claim.completed_us})"
    if claim.identity_sha256 is not None and not SHA256.fullmatch(claim.identity_sha256):
        yield f"identity_sha256: got {claim.identity_sha256!r}, expected 64 lower-case hexadecimal digits"


def _members(claim: ProgrammeClaim) -> Iterator[str]:
    if not 1 <= len(claim.members) <= MAX_MEMBERS or len(set(claim.members)) != len(claim.members):
        yield f"members: got {len(claim.members)} certificates, expected 1 to {MAX_MEMBERS}, each once"
    if bad := [member for member in claim.members if not CERTIFICATE_ID.fullmatch(member)]:
        yield f"members: got {bad[0][:80]!r}, expected ids of 32 hexadecimal digits"


def _amounts(claim: Claim) -> Iterator[str]:
    if not 0 <= claim.score_percent <= 100:  # noqa: PLR2004 - percent
        yield f"score_percent: got {claim.score_percent}, expected 0 to 100"
    for field in ("lab_seconds", "gpu_seconds", "subsidised_seconds", "subsidised_gpu_seconds"):
        if getattr(claim, field) < 0:
            yield f"{field}: got {getattr(claim, field)}, expected 0 or more"
    for part, whole in (("subsidised_seconds", "lab_seconds"), ("subsidised_gpu_seconds", "gpu_seconds")):
        if getattr(claim, part) > getattr(claim, whole):
            yield f"{part}: got {getattr(claim, part)}, expected at most {whole} ({getattr(claim, whole)})"
    if not claim.labs or len(claim.labs) > MAX_LABS:
        yield f"labs: got {len(claim.labs)}, expected 1 to {MAX_LABS}"
    if len(claim.skills) > MAX_SKILLS:
        yield f"skills: got {len(claim.skills)}, expected at most {MAX_SKILLS}"
    for kind, ids in (("labs", [lab.lab for lab in claim.labs]), ("skills", [skill.id for skill in claim.skills])):
        if len(set(ids)) != len(ids):
            yield f"{kind}: got {ids}, expected each once"


def _common_texts(claim: Claim | ProgrammeClaim, profile: IssuerProfile | None) -> Iterator[str]:
    yield from _title("title", claim.title)
    for field in ("summary", "criteria"):
        yield from _text(field, getattr(claim, field), MAX_PROSE, PROSE_JOIN, breaks=True)
    if profile is not None:
        yield from _title("issuer.name", profile.name)


def _texts(claim: Claim) -> Iterator[str]:
    for index, skill in enumerate(claim.skills):
        yield from _title(f"skills[{index}].title", skill.title)
        if not SLUG.fullmatch(skill.id):
            yield f"skills[{index}].id: got {skill.id!r}, expected a short name of a-z, 0-9 and -"
    yield from _text("ai_use", claim.ai_use, MAX_PROSE, PROSE_JOIN, breaks=True)


def _title(field: str, text: Text) -> Iterator[str]:
    yield from _text(field, text, MAX_TITLE, NAME_JOIN, breaks=False)


def _text(field: str, text: Text, longest: int, join: str, *, breaks: bool) -> Iterator[str]:
    for language, words in (("zh", text.zh), ("en", text.en)):
        where = f"{field}.{language}"
        if not words.strip() or words != words.strip() or len(words) > longest:
            yield f"{where}: got {words[:80]!r}, expected 1 to {longest} characters with no space around them"
        if join in words:
            yield f"{where}: got {join!r} in it, expected one language only (it parts the two languages)"
        if bad := unprintable(words, breaks=breaks):
            yield f"{where}: got the characters {', '.join(bad)}, expected printable text"
        if found := forbidden_words(words):
            yield f"{where}: got {', '.join(found)}, which no training certificate may say (it is a 结业证书)"


def _lab(lab: LabEvidence) -> Iterator[str]:
    yield from _title("title", lab.title)
    if not SLUG.fullmatch(lab.lab):
        yield f"lab: got {lab.lab!r}, expected a short name of a-z, 0-9 and -"
    for field in ("submission_sha256", "model_sha256"):
        value = getattr(lab, field)
        if not (value is None and field == "model_sha256") and not SHA256.fullmatch(str(value)):
            yield f"{field}: got {value!r}, expected 64 lower-case hexadecimal digits"
    for field in ("lab_version", "rubric_version"):
        value = getattr(lab, field)
        if not (value is None and field == "rubric_version") and not LINE_VALUE.fullmatch(str(value)):
            yield f"{field}: got {value!r}, expected 1 to 100 printable ASCII characters"
    for field in ("score_percent", "auto_percent", "hand_percent"):
        value = getattr(lab, field)
        if value is not None and not 0 <= value <= 100:  # noqa: PLR2004 - percent
            yield f"{field}: got {value}, expected 0 to 100"
    if lab.attempt < 1:
        yield f"attempt: got {lab.attempt}, expected 1 or more"
    if lab.graded_us <= 0:
        yield f"graded_us: got {lab.graded_us}, expected microseconds since 1970"
