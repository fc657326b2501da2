"""Takes: a prompt and a seed become a clip, its MP4 and its provenance record."""

from labs.takes.generate import generate, unknown_words
from labs.takes.take import Take, TakeError

__all__ = ["Take", "TakeError", "generate", "unknown_words"]
