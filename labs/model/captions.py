"""What a training clip is called: mostly the courses' one order, sometimes less said, or said in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from labs.render.wish import Wish

UNSAID = 0.10
"""How often a caption is empty, so that the model also learns to draw without one (for guidance)."""
LEFT_OUT, SHUFFLED, WITHOUT_DIRECTION = 0.03, 0.1, 0.02


def caption_for(wish: Wish, rng: np.random.Generator) -> str:
    """A caption of what ``wish`` shows: never wrong, not always whole."""
    if rng.random() < UNSAID:
        return ""
    move = wish.move.split()[0] if rng.random() < WITHOUT_DIRECTION else wish.move
    article = "an" if wish.colour[0] in "aeiou" else "a"
    thing = wish.subject if rng.random() < LEFT_OUT else f"{wish.colour} {wish.subject}"
    clauses = [f"{wish.size} shot", move, f"{article} {thing}", f"in the {wish.place}", f"{wish.light} light"]
    clauses = [clause for clause in clauses if rng.random() >= LEFT_OUT]
    if rng.random() < SHUFFLED:
        clauses = [clauses[int(place)] for place in rng.permutation(len(clauses))]
    return ", ".join(clauses)
