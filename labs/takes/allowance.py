"""Refuses a take that the running session cannot pay, before anything is drawn.

What it costs is reckoned from the profile's usual seconds and the price of the learner's machine; what may be spent is
what is held for the rest of the session. Takes of a take server are held against the allowance by that server.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from labs.budget import TakePlan, measured_rate, require_allowance
from labs.exchange.answers import IntakeError
from labs.exchange.client import TOKEN_VARIABLE, URL_VARIABLE, Intake

if TYPE_CHECKING:
    from labs.model import ModelFolder
    from labs.model.profile import TakeProfile
    from labs.provenance.record import Parameters


def require_payable(folder: ModelFolder, profile: TakeProfile, asked: Parameters) -> None:
    """Hold a take against what the running session may still cost; away from the platform nothing is refused.

    Raises:
        BudgetError: it does not fit; the message says how many frames would.
    """
    held = _held()
    if held is None:
        return
    hour_uy, held_uy = held
    clip = folder.manifest.clip
    usual = TakePlan(1, clip.frames, clip.steps, clip.width, clip.height)
    wanted = TakePlan(1, asked.frames, asked.steps, asked.width, asked.height)
    require_allowance(wanted, measured_rate(usual, profile.seconds, hour_uy), held_uy, frame_step=clip.frame_step)


def _held() -> tuple[int, int] | None:
    """The price of an hour and what the session may still cost, in micro-yuan; None where nobody can say."""
    if not (os.environ.get(URL_VARIABLE) and os.environ.get(TOKEN_VARIABLE)):
        return None
    try:
        with Intake.from_environment() as intake:
            session = intake.session(0)
    except IntakeError:
        # The hub may be restarting, and a lab goes on without it: the session's own end still bounds what is spent.
        return None
    if session.hour_uy is None or session.held_uy is None:
        return None
    return session.hour_uy, session.held_uy
