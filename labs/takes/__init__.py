"""Takes: a prompt and a seed become a clip, its MP4 and its provenance record."""

from labs.takes.again import Rerun, all_same, rerun, rerun_sample
from labs.takes.generate import generate, unknown_words
from labs.takes.take import Take, TakeError

__all__ = ["Rerun", "Take", "TakeError", "all_same", "generate", "rerun", "rerun_sample", "unknown_words"]
