"""What a learner may ask for at a start."""

import pytest

from hub.spawner.options import LabOptions, OptionsRefused


def test_the_portals_options_are_read() -> None:
    options = {"course": ["micro-drama"], "lab": "first-take", "profile": "cpu"}
    assert LabOptions.parse(options) == LabOptions("micro-drama", "first-take")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "start option 'course': got None"),
        ({"course": "micro-drama"}, "start option 'lab': got None"),
        ({"course": "../../etc", "lab": "x"}, "got '../../etc'"),
        ({"course": ["a", "b"], "lab": "x"}, "got ['a', 'b']"),
        ({"course": "a", "lab": "b", "image": "evil"}, "unknown start option: got ['image']"),
        ({"course": {"a": 1}, "lab": "b"}, "got {'a': 1}"),
    ],
)
def test_anything_else_is_refused_with_what_was_got(options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionsRefused, match="got") as refused:
        LabOptions.parse(options)
    assert says in str(refused.value)
