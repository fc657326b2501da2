"""The part of a start that is the same on every engine: options checked, lease opened before launch, times recorded.

An engine mixes :class:`LeasedLab` in front of a JupyterHub spawner and says how to launch, whether the lab is alive
and what its witness saw. Nothing here measures time: start and end come from the engine.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from uuid import UUID, uuid4

from jupyterhub.spawner import Spawner

from hub.compute.lease import (
    MINUTE_US,
    AllowanceExhausted,
    LeaseRequest,
    NoPriceError,
    UnknownDeviceError,
    format_yuan,
)
from hub.door.refusal import StartRefused
from hub.spawner.endings import words_for
from hub.spawner.options import LabOptions, OptionsRefused
from labs.authoring import AUTHOR_VARIABLE
from labs.label.rule import RULE_VARIABLE
from labs.model.profile import CHOSEN_VARIABLE, PROFILES_VARIABLE, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.platform import Platform
    from hub.spawner.witness import Ending


class Engine(Protocol):
    """What an engine adds to :class:`LeasedLab`."""

    async def launch(self, lease_id: UUID) -> tuple[str, int, int]:
        """Start the lab; returns host, port and the engine's start time (microseconds UTC)."""

    def ending(self, lease_id: UUID) -> Ending | None:
        """How the lab of this lease ended, or None while it runs."""

    async def halt(self, lease_id: UUID, *, now: bool) -> None:
        """End the lab and return when it is gone."""


class LeasedLab(Spawner):
    """A spawner whose every session is a lease in the ledger."""

    platform: ClassVar[Platform]
    source: ClassVar[str]
    """Who says when a lab began and ended, as the ledger records it."""

    lease_id: UUID | None = None
    is_seen: bool = True
    """Whether the last look saw the lab: an engine that does not answer has seen nothing, and proves no time."""
    endings: ClassVar[dict[str, str]] = {}
    """How each learner's last lab ended, since this hub began: their spawner object ends with it."""

    async def start(self: Any) -> tuple[str, int]:
        """Open the lease, launch, record the engine's own start time; a failed launch voids the lease."""
        self.endings.pop(self.user.name, None)
        request = await asyncio.to_thread(self._lease_request)
        await asyncio.to_thread(self._open, request)
        try:
            host, port, started_us = await self.launch(request.id)
        except BaseException as error:
            await asyncio.to_thread(self.platform.ledger.void, request.id, f"launch failed: {error}")
            raise
        self.lease_id = request.id
        await asyncio.to_thread(self.platform.ledger.record_started, request.id, started_us, self.source)
        return host, port

    async def stop(self: Any, now: bool = False) -> None:  # noqa: FBT001, FBT002 -- JupyterHub's signature
        """End the lab, then settle its lease with the time the engine saw."""
        if self.lease_id is None:
            return
        await self.halt(self.lease_id, now=now)
        await self.poll()

    async def poll(self: Any) -> int | None:
        """None while the lab runs; its exit status (and a settled lease) once it has ended."""
        if self.lease_id is None:
            return 0
        ending = await asyncio.to_thread(self.ending, self.lease_id)
        if ending is None:
            if self.is_seen:
                now_us = time.time_ns() // 1000
                await asyncio.to_thread(self.platform.ledger.heartbeat, self.lease_id, now_us, self.source)
            return None
        self.endings[self.user.name] = ending.reason
        await asyncio.to_thread(
            self.platform.ledger.record_ended,
            self.lease_id, ending.at_us, self.source, ending.reason, ending.uncertainty_us,
        )  # fmt: skip
        return ending.exit_status

    def why_ended(self: Any, locale: str) -> str:
        """Why this learner's last lab ended by itself; empty when it was stopped, or when this hub did not see it."""
        words = words_for(self.endings.get(self.user.name, ""))
        return words[0 if locale == "zh_CN" else 1] if words else ""

    def get_state(self) -> dict[str, Any]:
        """What the hub keeps over a restart: the lease, never an engine's id."""
        state: dict[str, Any] = super().get_state()
        if self.lease_id is not None:
            state["lease_id"] = str(self.lease_id)
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up the lease of a lab that outlived the hub."""
        super().load_state(state)
        self.lease_id = UUID(state["lease_id"]) if "lease_id" in state else None

    def clear_state(self) -> None:
        """Forget the lease; the ledger has it."""
        super().clear_state()
        self.lease_id = None

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Say what is happening, in both languages, to the person who waits."""
        yield {"progress": 20, "message": "已登记本次算力使用 · Your compute session is registered"}
        await asyncio.sleep(1)
        yield {"progress": 50, "message": "正在打开实验环境并取回作业 · Opening the lab and fetching your assignment"}

    def person_environment(self) -> dict[str, str]:
        """The learner's language, and the time zone of their site, as our toolkit reads them."""
        person = self.platform.people.person(self.user.name)
        own_site = self.platform.config.site
        site = self.platform.people.site(person.site if person else own_site.id)
        locale = (person.locale if person else None) or own_site.locale
        told = {"REELWRIGHT_LOCALE": locale, "REELWRIGHT_TZ": site.timezone if site else "UTC"}
        is_author = bool(self.platform.people.courses_led_by(self.user.name))
        return {**told, AUTHOR_VARIABLE: "1"} if is_author else told

    def _lease_request(self) -> LeaseRequest:
        options = self._options()
        name, people = self.user.name, self.platform.people
        course = self.platform.course(options.course)
        cohort = next((c for c in people.cohorts_of(name) if c.course == options.course), None)
        is_instructor = name in people.instructors(options.course)
        if cohort is None and not is_instructor:
            why = (f"您不在课程 {options.course} 中。", f"You are not in the course {options.course}.")
            raise StartRefused(why, label="not-enrolled", link=self.platform.portal_url)
        try:
            lab = self.platform.lab_or_draft(course.id, options.lab) if is_instructor else course.lab(options.lab)
        except KeyError as error:
            why = (f"没有名为 {options.lab} 的实验。", f"There is no lab called {options.lab}.")
            raise StartRefused(why, label="unknown-lab", link=self.platform.portal_url) from error
        now_us = time.time_ns() // 1000
        self._in_window(options, lab.due_after_days, now_us, is_learner=cohort is not None)
        cohort_id = str(cohort.id) if cohort else ""
        return LeaseRequest(
            id=uuid4(), learner=name, course=options.course, lab=options.lab,
            cohort=cohort_id, site=cohort.site if cohort else self.platform.config.site.id,
            profile=lab.profile, requested_us=now_us,
            longest_us=self._longest_us(lab.profile, options.course, cohort_id, now_us),
        )  # fmt: skip

    def _longest_us(self, profile: str, course: str, cohort: str, now_us: int) -> int:
        """The profile's longest session; a class that is on now is not cut short by it."""
        longest_us = self.platform.config.profiles[profile].longest_session_minutes * MINUTE_US
        on_now = (
            each.until_us - now_us
            for each in self.platform.ledger.classes.of(course)
            if each.cohort == cohort and each.from_us <= now_us < each.until_us
        )
        return max(longest_us, *on_now, 0)

    def take_env(self: Any) -> dict[str, str]:
        """How takes are made and films labelled here, as the toolkit in the lab reads it."""
        config = self.platform.config
        options = self._options()
        machine = config.profiles[self.platform.lab_or_draft(options.course, options.lab).profile]
        return {
            PROFILES_VARIABLE: written(config.takes),
            CHOSEN_VARIABLE: machine.take,
            RULE_VARIABLE: config.label.model_dump_json(),
        }

    def _options(self) -> LabOptions:
        try:
            return LabOptions.parse(self.user_options)
        except OptionsRefused as error:
            why = (f"无法按这样的选项启动：{error}。", f"A lab cannot be started like this: {error}.")
            remedy = ("请从课程页面启动实验。", "Start it from your course page.")
            link = self.platform.portal_url
            raise StartRefused(why, label="options", remedy=remedy, link=link, status_code=400) from error

    def _in_window(self, options: LabOptions, due_after_days: int, now_us: int, *, is_learner: bool) -> None:
        if not is_learner:
            return
        window = self.platform.people.deadline(options.course, options.lab, self.user.name, due_after_days)
        if window is None or now_us < window[0]:
            why = (f"课程 {options.course} 尚未开始。", f"The course {options.course} has not begun yet.")
            raise StartRefused(why, label="window", link=self.platform.portal_url)

    def _open(self, request: LeaseRequest) -> None:
        ledger, course = self.platform.ledger, self.platform.course(request.course)
        ledger.grant(request.learner, request.course, course.allowance.micro_yuan, "enrolment", request.requested_us)
        try:
            ledger.open(request)
        except AllowanceExhausted as error:
            raise _allowance_refusal(error, self.platform.portal_url) from error
        except UnknownDeviceError as error:
            why = (f"价目表中没有此设备：{error}", f"No tariff knows this device: {error}")
            raise StartRefused(why, label="unknown-device", status_code=503) from error
        except NoPriceError as error:
            why = (f"此环境尚未定价：{error}", f"This profile has no price yet: {error}")
            raise StartRefused(why, label="no-price", status_code=503) from error


def _allowance_refusal(error: AllowanceExhausted, link: str) -> StartRefused:
    balance, needed = format_yuan(error.balance_uy), format_yuan(error.needed_uy)
    return StartRefused(
        (
            f"{error.says.zh}：本次最长使用需要 {needed} 元。",
            f"{error.says.en}: it may use {needed} yuan.",
        ),
        label="allowance",
        balance=(f"剩余 {balance} 元", f"{balance} yuan left"),
        remedy=(error.remedy.zh, error.remedy.en),
        link=link,
        status_code=409,
    )
