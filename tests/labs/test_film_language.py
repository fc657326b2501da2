"""The measures of film language, held against previs clips whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from labs.measure import camera_path, look_at
from labs.measure.accuracy import accuracies
from labs.measure.figure import outlines
from labs.measure.film_language import MEASURED
from labs.measure.outlines import drawn_outlines


@pytest.mark.slow
def test_the_measures_are_right_on_films_of_known_truth() -> None:
    found = accuracies(50, seed=11)
    assert {axis: found[axis] for axis in MEASURED if found[axis] < 0.98} == {}


def test_the_outlines_are_those_that_previs_draws() -> None:
    stored = outlines()
    for name, drawn in drawn_outlines().items():
        assert np.abs(stored[name] * 255 - drawn).max() <= 1, f"{name}: run python -m labs.measure.outlines"


def test_a_known_shift_and_zoom_are_found() -> None:
    rng = np.random.default_rng(0)
    coarse = rng.random((40, 40))
    world = np.kron(coarse, np.ones((12, 12)))
    steps = 9
    # The window slides 3 pixels a frame to the right and 1 down: the camera pans.
    frames = np.stack([world[50 + t : 290 + t, 50 + 3 * t : 185 + 3 * t] for t in range(steps)])
    path = camera_path((np.repeat(frames[..., None], 3, axis=-1) * 255).astype(np.uint8))
    assert path.right == pytest.approx(3 * (steps - 1) / 135, rel=0.1)
    assert path.down == pytest.approx((steps - 1) / 135, rel=0.2)
    assert abs(path.zoom) < 0.02


def test_nothing_is_seen_in_noise_and_in_a_grey_wall() -> None:
    grey = np.full((9, 160, 90, 3), 120, np.uint8)
    seen = look_at(grey)
    assert (seen.subject, seen.size, seen.colour, seen.move) == (None, None, None, "static")
    noise = np.random.default_rng(0).integers(0, 255, (9, 160, 90, 3)).astype(np.uint8)
    assert look_at(noise).move == "static"
    assert camera_path(grey[:1]).move == "static"
