from __future__ import annotations

import numpy as np
import pytest

from labs.measure import consistency, shake, smoothness
from labs.measure.truths import truths
from labs.render import sketch


@pytest.mark.slow
def test_the_measures_of_whole_films_are_right_on_known_truth() -> None:
    found = truths(2, seed=5)
    assert found.pop("loudness_error_lu") < 0.1
    assert min(found.values()) >= 0.75, found
    assert found["cuts"] == found["labels"] == found["captions"] == 1


def test_an_even_pan_is_smooth_and_a_trembling_hand_is_not() -> None:
    pan = sketch("full shot, pan left, a red car in the sea, day light", 4)
    rolled = np.stack([np.roll(frame, (number * 7) % 5 - 2, axis=1) for number, frame in enumerate(pan)])
    assert smoothness(pan) > 0.9
    assert smoothness(rolled) < 0.8
    assert shake(pan[:2]) == 0
    assert consistency([pan]) == 1
