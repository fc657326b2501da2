"""Plain data crosses whole; anything hostile on the wire is an error and nothing else."""

from __future__ import annotations

import base64
import io
import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.sandbox.wire import Decoder, Encoder, TooBig, WireError

hashable = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
values = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.sets(hashable, max_size=4)
    ),
    max_leaves=12,
)


def refuse(value: Any) -> Any:
    raise TypeError(type(value).__name__)


def there_and_back(value: Any) -> Any:
    line = json.dumps(Encoder(refuse, always_refer=False).encode(value))
    return Decoder(refuse, may_import=False).decode(json.loads(line))


@settings(max_examples=200, deadline=None)
@given(values)
def test_plain_data_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12).reshape(3, 4).T,
        np.array(3.5),
        np.zeros((0, 3)),
        np.array(["a", "電"]),
        np.array([True, False]),
        np.array(["2026-01-01"], dtype="datetime64[D]"),
        np.asfortranarray(np.ones((2, 3), "f4")),
    ],
)
def test_arrays_come_back_equal(array: Any) -> None:
    back = there_and_back(array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


def npy(header: bytes, body: bytes) -> str:
    head = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117) + b"\n"
    return base64.b64encode(head + body).decode()


OBJECTS = io.BytesIO()
np.save(OBJECTS, np.array([{}], dtype=object), allow_pickle=True)
HOSTILE = [
    {"t": "array", "v": npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }", b"")},
    {"t": "array", "v": npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", pickle.dumps([1]))},
    {"t": "array", "v": npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", b"")},
    {"t": "array", "v": npy(b"__import__('os').getpid()", b"")},
    {"t": "array", "v": base64.b64encode(OBJECTS.getvalue()).decode()},
    {"t": "array", "v": "not base64"},
    {"t": "array", "v": 3},
    {"t": "scalar", "v": ""},
    {"t": "int", "v": "0x" + "f" * 200_000},
    {"t": "int", "v": 3.5},
    {"t": "dict", "v": [[[], 1]]},
    {"t": "dict", "v": [[1]]},
    {"t": "set", "v": [[1]]},
    {"t": "range", "v": [0, 1, 0]},
    {"t": "complex", "v": ["1", 2]},
    {"t": "bytes", "v": "é"},
    {"t": "value", "c": "os:system", "v": []},
    {"t": "value", "c": "subprocess:Popen", "v": "x"},
    {"t": "value", "c": "grader.verdict:Limits", "v": []},
    {"t": "tensor", "d": "save", "v": ""},
    {"t": "pickle", "v": "gASVAAAA"},
    {"t": 3},
    {},
    {"v": 1},
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_data_is_an_error(data: Any) -> None:
    def resolve(reference: Any) -> Any:
        raise WireError("unknown")

    with pytest.raises((WireError, KeyError)):
        Decoder(resolve, may_import=False).decode(data)


def test_too_deep_and_too_many_are_refused() -> None:
    deep: list = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(TooBig):
        Encoder(refuse, always_refer=False).encode(deep)
    with pytest.raises(TooBig):
        Decoder(refuse, may_import=False).decode(deep)
    with pytest.raises(TooBig):
        Encoder(refuse, always_refer=False).encode([0] * 5_000_000)


class Liar(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


def test_subclasses_of_plain_types_are_not_taken_for_plain() -> None:
    with pytest.raises(TypeError, match="Liar"):
        there_and_back(Liar("x"))
