"""Hand grading, question by question across the class: the desk, one answer at a time, moderation and appeals."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from grader.feedback import shown_cell
from grader.reading import check_may
from grader.refusal import Refused
from grader.viewable import MEDIA_TYPES
from hub.portal import language
from hub.portal.access import led_lab, only, visitor
from hub.portal.forms import Fields
from hub.portal.grading import hand_forms
from hub.portal.grading.hand import Desk, desk, questions_of

if TYPE_CHECKING:
    from werkzeug import Response as AnyResponse

    from grader.reading import Role, Sheet
    from grader.store.hand import KeptFile
    from hub.portal.app import Portal
    from hub.portal.grading.hand import Asked
    from hub.portal.grading.hand_forms import Problems

BASE = "/classes/<cohort_id>/hand/<lab_id>"
MARKS = "<any(reading,moderation):role>"
FILE_POLICY = "sandbox; default-src 'none'; media-src 'self'; img-src 'self'"
"""What a learner made gets no origin of ours, whatever a browser takes it for."""
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; media-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def pages(portal: Portal) -> Blueprint:
    """Everything under a lab's ``hand``."""
    blueprint = Blueprint("hand", __name__)
    _desk(blueprint, portal)
    _reading(blueprint, portal)
    _appeals(blueprint, portal)
    _files(blueprint, portal)
    return blueprint


def _desk(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get(BASE)
    @only("instructor", "admin")
    def overview(cohort_id: str, lab_id: str) -> str:
        return render_template("hand.html", desk=_open(portal, cohort_id, lab_id), problems={})

    @blueprint.post(f"{BASE}/comments")
    @only("instructor", "admin")
    def comments(cohort_id: str, lab_id: str) -> tuple[str, int] | AnyResponse:
        _cohort, course, _lab = led_lab(portal, cohort_id, lab_id)
        hand, fields = portal.services.submissions.hand, Fields(request.form)
        if (dropped := request.form.get("drop", "")).isdecimal():
            hand.drop_phrase(course.id, int(dropped))
        else:
            text = fields.text("text", most=hand_forms.LONGEST_COMMENT)
            if fields.problems:
                opened = _open(portal, cohort_id, lab_id)
                return render_template("hand.html", desk=opened, problems=fields.problems), 422
            hand.keep_phrase(course.id, text, visitor().name)
        return redirect(url_for("hand.overview", cohort_id=cohort_id, lab_id=lab_id) + "#phrases", 303)


def _reading(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get(f"{BASE}/next/{MARKS}")
    @only("instructor", "admin")
    def following(cohort_id: str, lab_id: str, role: Role) -> AnyResponse:
        opened = _open(portal, cohort_id, lab_id)
        asked = _asked(opened)
        found = opened.next(asked.question, role, request.args.get("after", ""))
        if found is None:
            flash(_("Nothing is left for you at “%(title)s”.", title=asked.title(language.current())), "good")
            return redirect(url_for("hand.overview", cohort_id=cohort_id, lab_id=lab_id), 303)
        where = _question_args(asked)
        return redirect(
            url_for("hand.paper", cohort_id=cohort_id, lab_id=lab_id, paper_id=found.id, role=role, **where)
        )

    @blueprint.get(f"{BASE}/<paper_id>/{MARKS}")
    @only("instructor", "admin")
    def paper(cohort_id: str, lab_id: str, paper_id: str, role: Role) -> Response:
        opened = _open(portal, cohort_id, lab_id)
        sheet, asked = _sheet(opened, paper_id), _asked(opened)
        try:
            check_may(sheet, asked.question, visitor().name, role)
        except Refused as refused:
            abort(403, hand_forms.told(refused))  # a reader who looked in on the moderation would see the other's mark
        return _show(portal, opened, sheet, role=role, asked=asked, problems={})

    @blueprint.post(f"{BASE}/<paper_id>/{MARKS}")
    @only("instructor", "admin")
    def give(cohort_id: str, lab_id: str, paper_id: str, role: Role) -> AnyResponse:
        opened = _open(portal, cohort_id, lab_id)
        sheet, asked = _sheet(opened, paper_id), _asked(opened)
        if problems := hand_forms.give(portal, opened, sheet, asked, role):
            answer = _show(portal, opened, sheet, role=role, asked=asked, problems=problems)
            answer.status_code = 422
            return answer
        where: dict[str, Any] = {"role": role, "after": paper_id, **_question_args(asked)}
        return redirect(url_for("hand.following", cohort_id=cohort_id, lab_id=lab_id, **where), 303)


def _appeals(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get(f"{BASE}/<paper_id>/appeal")
    @only("instructor", "admin")
    def appeal(cohort_id: str, lab_id: str, paper_id: str) -> Response:
        opened = _open(portal, cohort_id, lab_id)
        return _show_appeal(portal, opened, _appealed(opened, paper_id), {})

    @blueprint.post(f"{BASE}/<paper_id>/appeal")
    @only("instructor", "admin")
    def decide(cohort_id: str, lab_id: str, paper_id: str) -> AnyResponse:
        opened = _open(portal, cohort_id, lab_id)
        sheet = _appealed(opened, paper_id)
        if problems := hand_forms.decide(portal, sheet, questions_of(opened.rubric, sheet)):
            answer = _show_appeal(portal, opened, sheet, problems)
            answer.status_code = 422
            return answer
        flash(_("The appeal is decided; the trainee sees your marks and your answer."), "good")
        return redirect(url_for("hand.overview", cohort_id=cohort_id, lab_id=lab_id), 303)


def _files(blueprint: Blueprint, portal: Portal) -> None:
    @blueprint.get(f"{BASE}/<paper_id>/file/<int:number>")
    @only("instructor", "admin")
    def file(cohort_id: str, lab_id: str, paper_id: str, number: int) -> AnyResponse:
        opened = _open(portal, cohort_id, lab_id)
        _notebook, files = portal.services.submissions.hand.notebook(_sheet(opened, paper_id))
        kept = next((one for one in files if one.number == number), None)
        media_type = MEDIA_TYPES.get(_suffix(kept)) if kept else None
        if kept is None or media_type is None:
            return abort(404, _("There is no such file."))
        content = portal.services.submissions.hand.file(kept)
        answer = Response(content, mimetype=media_type, headers={"Content-Security-Policy": FILE_POLICY})
        # A film is scrubbed through: the browser asks for its parts.
        return answer.make_conditional(request, accept_ranges=True, complete_length=len(content))


def _open(portal: Portal, cohort_id: str, lab_id: str) -> Desk:
    return desk(portal, *led_lab(portal, cohort_id, lab_id))


def _asked(opened: Desk) -> Asked:
    """The question that the address names."""
    found = opened.asked(request.args.get("cell", ""), request.args.get("criterion", ""))
    return found or abort(404, _("This lab has no such question, or nobody has answered it yet."))


def _sheet(opened: Desk, paper_id: str) -> Sheet:
    return opened.sheet(paper_id) or abort(404, _("There is no such answer in this class."))


def _appealed(opened: Desk, paper_id: str) -> Sheet:
    found = next((one for one in opened.appeals if one.id == paper_id), None)
    return found or abort(404, _("There is no appeal here that you may decide."))


def _question_args(asked: Asked) -> dict[str, Any]:
    return {"cell": asked.question.grade_id, "criterion": asked.question.criterion}


def _show(portal: Portal, opened: Desk, sheet: Sheet, *, role: Role, asked: Asked, problems: Problems) -> Response:
    names = _question_args(asked)
    action = url_for(
        "hand.give", cohort_id=opened.cohort.id, lab_id=opened.lab.id, paper_id=sheet.id, role=role, **names
    )
    before = sheet.of(asked.question) if role == "moderation" else ()
    mine = next((one for one in sheet.of(asked.question, role) if one.reader == visitor().name), None)
    shown = {"sheet": sheet, "role": role, "asked": asked, "before": before, "mine": mine, "problems": problems}
    return _page("paper.html", desk=opened, action=action, **shown, **_answer(portal, sheet))


def _show_appeal(portal: Portal, opened: Desk, sheet: Sheet, problems: Problems) -> Response:
    asked = questions_of(opened.rubric, sheet)
    shown = {"sheet": sheet, "asked": asked, "problems": problems}
    return _page("appeal.html", desk=opened, **shown, **_answer(portal, sheet))


def _page(template: str, **shown: object) -> Response:
    answer = make_response(render_template(template, **shown))
    answer.headers["Content-Security-Policy"] = PAGE_POLICY
    return answer


def _answer(portal: Portal, sheet: Sheet) -> dict[str, object]:
    """The answer as it ran, and what else the learner's cells made that a browser can show."""
    notebook, files = portal.services.submissions.hand.notebook(sheet)
    media = [(one, MEDIA_TYPES[_suffix(one)].split("/")[0]) for one in files if _suffix(one) in MEDIA_TYPES]
    return {"cell": shown_cell(notebook, sheet.grade_id), "media": media}


def _suffix(kept: KeptFile) -> str:
    return PurePosixPath(kept.path).suffix.lower()
