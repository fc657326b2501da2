"""The editing table: clips become a film with sound and captions; every step is noted in the lab's chain.

::

    cut         which piece of which clip, as an OpenTimelineIO timeline, and the film made from it
    sound       mono sound at 48 kHz: made, mixed, brought to a loudness, put under a picture
    captions    lines with their times: checked, written as SRT, drawn into the picture, found again
"""

from labs.edit.captions import Caption, CaptionRule, burn_captions, caption_problems, read_srt, write_srt
from labs.edit.cut import Cut, EditError, assemble, cut_timeline, read_cuts
from labs.edit.sound import add_sound, mix, read_sound, room_tone, to_loudness, tone

__all__ = [
    "Caption",
    "CaptionRule",
    "Cut",
    "EditError",
    "add_sound",
    "assemble",
    "burn_captions",
    "caption_problems",
    "cut_timeline",
    "mix",
    "read_cuts",
    "read_sound",
    "read_srt",
    "room_tone",
    "to_loudness",
    "tone",
    "write_srt",
]
