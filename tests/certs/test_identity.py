from __future__ import annotations

import pytest

from certs.credential.identity import commit, opens

NUMBER = "11010119900307123X"


def test_number_and_opening_together_open_it_and_nothing_else_does() -> None:
    sealed = commit(NUMBER)
    assert opens(sealed.sha256, NUMBER, sealed.opening)
    assert not opens(sealed.sha256, "110101199003071230", sealed.opening)
    assert not opens(sealed.sha256, NUMBER, commit(NUMBER).opening)


def test_how_it_is_typed_does_not_matter() -> None:
    sealed = commit(NUMBER)
    assert opens(sealed.sha256, "110101 19900307 123x", f" {sealed.opening.upper()} ")
    assert opens(sealed.sha256, "１１０１０１-19900307-123x", sealed.opening)


def test_the_same_number_never_looks_the_same() -> None:
    assert commit(NUMBER).sha256 != commit(NUMBER).sha256


@pytest.mark.parametrize("opening", ["", "x", "0" * 31, "g" * 32, "0" * 64])
def test_what_is_no_opening_opens_nothing(opening: str) -> None:
    assert not opens(commit(NUMBER).sha256, NUMBER, opening)


@pytest.mark.parametrize("number", ["", " - ", "1" * 65])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="identity number"):
        commit(number)
    assert not opens("0" * 64, number, "0" * 32)
