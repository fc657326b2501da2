"""Plain data between a box and the checker: values become JSON and are built anew on the other side.

Only exact types of Python, numpy arrays without objects, torch tensors (as arrays), paths, and dataclasses and enums
of installed modules cross by value. Everything else crosses as a reference that means nothing outside its own process.
Nothing is ever unpickled. Both ends import this file; it trusts nothing it decodes.
"""

from __future__ import annotations

import base64
import binascii
import collections
import dataclasses
import enum
import importlib
import io
import pathlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 60
MAX_ITEMS = 4_000_000
_SMALL_INT = 1 << 63
_MAX_INT_DIGITS = 100_000
_ARRAY_KINDS = "biufcSUmM"
_MAX_ARRAY_HEADER = 4096
_TENSOR_TYPES = ("bfloat16", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
_NO_TOOLKIT = ("__main__", "builtins", "__mp_main__")

Json = Any


class WireError(Exception):
    """What arrived is not what this end speaks; the message says what it was."""


class TooBig(WireError):  # noqa: N818  said of the value
    """A value is nested too deeply or holds too many items to cross."""


class Encoder:
    """Turns one value into JSON; ``refer`` answers what to send for something that is not plain data.

    With ``always_refer`` values of toolkit classes carry a reference too, for a receiver that lacks the class.
    """

    def __init__(self, refer: Callable[[Any], dict[str, Json]], *, always_refer: bool) -> None:
        self._refer = refer
        self._always_refer = always_refer
        self._items = 0

    def encode(self, value: Any, depth: int = 0) -> Json:
        """``value`` as JSON.

        Raises:
            TooBig: it is too deep or too large.
        """
        self._items += 1
        if depth > MAX_DEPTH or self._items > MAX_ITEMS:
            raise TooBig(f"a {type(value).__name__} nested deeper than {MAX_DEPTH} or of more than {MAX_ITEMS} items")
        kind = type(value)
        if value is None or kind is bool or kind is str or kind is float:
            return value
        if kind is int:
            return value if abs(value) < _SMALL_INT else {"t": "int", "v": hex(value)}
        if kind is list:
            return [self.encode(item, depth + 1) for item in value]
        return self._tagged(kind, value, depth)

    def _tagged(self, kind: type, value: Any, depth: int) -> Json:  # noqa: PLR0911  one a kind of value
        if kind in _SEQUENCES:
            return {"t": _SEQUENCES[kind], "v": [self.encode(item, depth + 1) for item in value]}
        if kind in _MAPPINGS:
            pairs = [[self.encode(key, depth + 1), self.encode(item, depth + 1)] for key, item in value.items()]
            return {"t": _MAPPINGS[kind], "v": pairs}
        if kind in (bytes, bytearray):
            return {"t": kind.__name__, "v": base64.b64encode(value).decode()}
        if kind is complex:
            return {"t": "complex", "v": [value.real, value.imag]}
        if kind is range:
            return {"t": "range", "v": [value.start, value.stop, value.step]}
        if kind is pathlib.PosixPath:
            return {"t": "path", "v": str(value)}
        return self._of_a_library(kind, value, depth)

    def _of_a_library(self, kind: type, value: Any, depth: int) -> Json:
        numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
        if numpy is not None and (kind is numpy.ndarray or (isinstance(value, numpy.generic) and _own(kind, "numpy"))):
            if value.dtype.kind in _ARRAY_KINDS:
                return {"t": "array" if kind is numpy.ndarray else "scalar", "v": _array_bytes(numpy, value)}
        elif torch is not None and kind in (torch.Tensor, torch.nn.Parameter):
            if (name := str(value.dtype).removeprefix("torch.")) in _TENSOR_TYPES:
                plain = value.detach().cpu()
                plain = plain.float() if name == "bfloat16" else plain
                return {"t": "tensor", "d": name, "v": _array_bytes(numpy, plain.numpy())}
        elif _known_value_type(kind):
            return self._of_a_toolkit(kind, value, depth)
        return self._refer(value)

    def _of_a_toolkit(self, kind: type, value: Any, depth: int) -> Json:
        sent: dict[str, Json] = {"t": "value", "c": f"{kind.__module__}:{kind.__qualname__}"}
        if self._always_refer:
            sent["r"] = self._refer(value)
        if issubclass(kind, enum.Enum):
            return {**sent, "v": value.name}
        names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]  # checked by the caller
        return {**sent, "v": [[name, self.encode(getattr(value, name), depth + 1)] for name in names]}


_SEQUENCES: dict[type, str] = {
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
    collections.deque: "deque",
}
_MAPPINGS: dict[type, str] = {
    dict: "dict",
    collections.OrderedDict: "ordered",
    collections.Counter: "counter",
    collections.defaultdict: "dict",
}
_BUILD_SEQUENCE: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": collections.deque,
}
_BUILD_MAPPING: dict[str, Callable[[dict[Any, Any]], Any]] = {
    "dict": dict,
    "ordered": collections.OrderedDict,
    "counter": collections.Counter,
}


class Decoder:
    """Builds values anew; ``resolve`` answers what a reference stands for on this side."""

    def __init__(self, resolve: Callable[[dict[str, Json]], Any], *, may_import: bool) -> None:
        self._resolve = resolve
        self._may_import = may_import
        self._items = 0

    def decode(self, data: Json, depth: int = 0) -> Any:
        """The value that ``data`` describes.

        Raises:
            WireError: it describes none.
        """
        self._items += 1
        if depth > MAX_DEPTH or self._items > MAX_ITEMS:
            raise TooBig(f"a value nested deeper than {MAX_DEPTH} or of more than {MAX_ITEMS} items")
        if data is None or isinstance(data, bool | int | float | str):
            return data
        if isinstance(data, list):
            return [self.decode(item, depth + 1) for item in data]
        if not isinstance(data, dict) or not isinstance(data.get("t"), str):
            raise WireError(f"got {str(data)[:80]}, expected tagged data")
        try:
            return self._tagged(data["t"], data, depth)
        except (KeyError, TypeError, ValueError, binascii.Error, OverflowError, MemoryError) as error:
            raise WireError(f"a {data['t'][:20]} that cannot be built: {type(error).__name__}") from error

    def _tagged(self, tag: str, data: dict[str, Json], depth: int) -> Any:
        if tag in _BUILD_SEQUENCE:
            return _BUILD_SEQUENCE[tag]([self.decode(item, depth + 1) for item in data["v"]])
        if tag in _BUILD_MAPPING:
            pairs = {self.decode(key, depth + 1): self.decode(item, depth + 1) for key, item in data["v"]}
            return _BUILD_MAPPING[tag](pairs)
        if tag in _BUILD_SIMPLE:
            return _BUILD_SIMPLE[tag](data["v"])
        if tag == "tensor":
            return _tensor(data["v"], data["d"])
        if tag == "value":
            return self._toolkit_value(data, depth)
        return self._resolve(data)

    def _toolkit_value(self, data: dict[str, Json], depth: int) -> Any:
        kind = self._known_class(data["c"])
        if kind is None:
            return self._resolve(data["r"])
        if issubclass(kind, enum.Enum):
            return kind[data["v"]]
        names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]  # known by now
        values = {name: self.decode(item, depth + 1) for name, item in data["v"]}
        if sorted(values) != sorted(names):
            raise WireError(f"{data['c'][:80]} with fields {sorted(values)[:20]}, expected {sorted(names)[:20]}")
        made = object.__new__(kind)
        for name, item in values.items():
            object.__setattr__(made, name, item)
        return made

    def _known_class(self, dotted: str) -> type | None:
        module_name, _, class_name = dotted.partition(":")
        if module_name.split(".")[0] in (*_NO_TOOLKIT, "grader"):
            return None
        if self._may_import:
            importlib.import_module(module_name)
        found = getattr(sys.modules.get(module_name), class_name, None)
        return found if isinstance(found, type) and _known_value_type(found) else None


def _own(kind: type, package: str) -> bool:
    return kind.__module__.split(".")[0] == package


def _known_value_type(kind: type) -> bool:
    """Whether ``kind`` is a dataclass or enum that a module other than the notebook defines at its top level."""
    if not (dataclasses.is_dataclass(kind) or (isinstance(kind, enum.EnumMeta) and not issubclass(kind, int | str))):
        return False
    module = sys.modules.get(kind.__module__)
    return kind.__module__ not in _NO_TOOLKIT and getattr(module, kind.__qualname__, None) is kind


def _array_bytes(numpy: Any, value: Any) -> str:
    stream = io.BytesIO()
    numpy.lib.format.write_array(stream, numpy.asarray(value), allow_pickle=False)
    return base64.b64encode(stream.getvalue()).decode()


def _array(text: str) -> Any:
    """An array from ``.npy`` bytes; the header is checked against the bytes before anything is allocated."""
    numpy = importlib.import_module("numpy")
    raw = base64.b64decode(text, validate=True)
    stream = io.BytesIO(raw)
    version = numpy.lib.format.read_magic(stream)
    read = {
        (1, 0): numpy.lib.format.read_array_header_1_0,
        (2, 0): numpy.lib.format.read_array_header_2_0,
    }[version]
    shape, fortran, dtype = read(stream, max_header_size=_MAX_ARRAY_HEADER)
    count = 1
    for size in shape:
        count *= int(size)
    body = raw[stream.tell() :]
    if dtype.kind not in _ARRAY_KINDS or dtype.itemsize == 0 or count * dtype.itemsize != len(body):
        raise ValueError("header and bytes disagree")
    flat = numpy.frombuffer(body, dtype="u1" if dtype.kind == "b" else dtype)
    flat = flat != 0 if dtype.kind == "b" else flat
    return flat.reshape(shape, order="F" if fortran else "C").copy()


def _tensor(text: str, dtype: str) -> Any:
    if dtype not in _TENSOR_TYPES:
        raise ValueError(dtype)
    torch = importlib.import_module("torch")
    return torch.from_numpy(_array(text)).to(getattr(torch, dtype))


def _int(text: str) -> int:
    if len(text) > _MAX_INT_DIGITS:
        raise ValueError("too many digits")
    return int(text, 16)


def _real(value: Json) -> float:
    if not isinstance(value, int | float):
        raise TypeError(type(value).__name__)
    return float(value)


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


_BUILD_SIMPLE: dict[str, Callable[[Json], Any]] = {
    "int": lambda v: _int(_text(v)),
    "bytes": lambda v: base64.b64decode(_text(v), validate=True),
    "bytearray": lambda v: bytearray(base64.b64decode(_text(v), validate=True)),
    "complex": lambda v: complex(_real(v[0]), _real(v[1])),
    "range": lambda v: range(int(v[0]), int(v[1]), int(v[2])),
    "path": lambda v: pathlib.PosixPath(_text(v)),
    "array": _array,
    "scalar": lambda v: _array(v)[()],
}
