"""Stand-ins in the checker for the learner's objects that cannot cross as plain data.

A stand-in asks the box what the object has and does. It never lets the box answer a question that decides a test
(whether something equals, is less than, contains or starts with what the test expects) unless answering it is what the
lab teaches (:mod:`grader.check.lesson`).
"""

from __future__ import annotations

import inspect
import operator
import sys
import types
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from grader.check.link import Link

_MAX_ITERATED = 1_000_000
_SHOWN_DUNDERS = frozenset({"__name__", "__qualname__", "__module__", "__dict__", "__annotations__", "__defaults__"})
_DECIDING_METHODS = frozenset(
    {"allclose", "endswith", "eq", "equal", "equals", "isclose", "isdisjoint", "issubset", "issuperset", "startswith"}
)
_PARAMETER_KINDS = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
)
_CLAIMABLE = {
    "function": types.FunctionType,
    "type": type,
    "generator": types.GeneratorType,
    "method": types.MethodType,
}
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor", "lshift", "rshift")
_NUMBERS: dict[str, type] = {"int": int, "index": int, "float": float}


def make_proxy(link: Link, reference: dict[str, Any]) -> Any:
    """What stands for the learner's object with ``reference``: our own module, a class of ours, or a proxy."""
    kind = reference.get("k")
    if kind == "module":
        name = reference.get("m", "")
        if name.split(".")[0] in ("__main__", "grader") or name not in sys.modules:
            raise link.refuse(
                f"测试需要模块 {name}，但只有你自己的代码导入了它",
                f"the test needs the module {name}, which only your own code has imported",
            )
        return sys.modules[name]
    if kind == "exception":
        return link.exception_class(reference)
    classes = {"class": ClassProxy, "callable": CallableProxy}
    return classes.get(str(kind), Proxy)(link, reference)


class Proxy:
    """An object of the learner's."""

    __slots__ = ("__link", "__reference")

    def __init__(self, link: Link, reference: dict[str, Any]) -> None:
        object.__setattr__(self, "_Proxy__link", link)
        object.__setattr__(self, "_Proxy__reference", reference)

    @property  # type: ignore[misc]  # object's is writable, this one must not be
    def __class__(self) -> Any:  # what isinstance() may be told, and no more
        torch = sys.modules.get("torch")
        if torch is not None and self.__reference.get("torch") == "module":
            return torch.nn.Module
        return _CLAIMABLE.get(self.__reference.get("n", ""), type(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_Proxy__")) and name not in _SHOWN_DUNDERS:
            raise AttributeError(name)
        if name in _DECIDING_METHODS and not self.__taught(name):
            raise self.__refuse(f".{name}()")
        return known_as(self.__link.ask("attribute", (self,), name=name), name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__link.ask("set_attribute", (self, value), name=name)

    def __deepcopy__(self, _: object) -> NoReturn:
        raise self.__refuse("a copy")

    __copy__ = __reduce_ex__ = __deepcopy__  # all three make copies
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return self.__text("repr")

    def __str__(self) -> str:
        return self.__text("str")

    def __format__(self, specification: str) -> str:
        return str(self.__link.ask("operate", (self, specification), name="format"))

    def __text(self, operation: str) -> str:
        text = self.__link.ask("operate", (self,), name=operation)
        return text if type(text) is str else f"<{self.__reference.get('n')}>"

    def __taught(self, method: str) -> bool:
        return self.__link.lesson.teaches(self.__reference.get("n", ""), method)

    def __refuse(self, what: str) -> BaseException:
        name = self.__reference.get("n", "object")
        return self.__link.refuse(
            f"测试在 {what} 处需要普通数据（数字、文本、列表、字典、数组等），但你的代码给出的是 {name} 类型的对象",
            f"the test wanted plain data (a number, text, list, dict, array …) for {what}, "
            f"but your code gave an object of type {name}",
        )

    def __plain(self) -> list[Any]:
        """The object's value in a list when it is a subclass of plain data, else nothing."""
        found = self.__link.ask("plain", (self,))
        return found if type(found) is list and len(found) == 1 and not isinstance(found[0], Proxy) else []

    def __answer(self, operation: str, *others: Any, kind: type) -> Any:
        answer = self.__link.ask("operate", (self, *others), name=operation)
        if type(answer) is not kind:
            raise self.__refuse(operation)
        return answer

    def __bool__(self) -> bool:
        if isinstance(self, CallableProxy):
            return True
        if plain := self.__plain():
            return bool(plain[0])
        if not self.__link.lesson.has_class(self.__reference.get("n", "")):
            raise self.__refuse("true or false")
        return bool(self.__answer("bool", kind=bool))

    def __compare(self, operation: str, other: object) -> bool:
        if self is other:
            return operation in ("eq", "le", "ge")
        if type(other) is type(self) and self.__taught(f"__{operation}__"):
            return bool(self.__answer(operation, other, kind=bool))
        if plain := self.__plain():
            return bool(getattr(operator, operation)(plain[0], other))
        raise self.__refuse(_COMPARISONS[operation])

    def __combine(self, operation: str, left: Any, right: Any) -> Any:
        # Told what the test expects, a box could answer that nothing is missing from it: only where the lab teaches it.
        bare = operation.strip("_")
        if not self.__taught(f"__{bare}__") and not self.__taught(f"__r{bare}__"):
            raise self.__refuse(f"arithmetic ({bare})")
        return self.__link.ask("operate", (left, right), name=operation)

    def __contains__(self, item: object) -> bool:
        if self.__taught("__contains__"):
            return bool(self.__answer("contains", item, kind=bool))
        return any(one is item or one == item for one in self)

    def __iter__(self) -> Iterator[Any]:
        if plain := self.__plain():
            return iter(plain[0])
        if self.__reference.get("k") == "iterator":
            return self.__items(self)
        if self.__taught("__iter__") or self.__taught("__getitem__"):
            return self.__items(self.__link.ask("operate", (self,), name="iter"))
        raise self.__refuse("going through its items")

    def __items(self, iterator: Any) -> Iterator[Any]:
        for _ in range(_MAX_ITERATED):
            try:
                item = self.__link.ask("operate", (iterator,), name="next")
            except StopIteration:
                return
            yield item
        raise self.__refuse(f"going through at most {_MAX_ITERATED} items")

    def __next__(self) -> Any:
        return self.__link.ask("operate", (self,), name="next")

    def __len__(self) -> int:
        if plain := self.__plain():
            return len(plain[0])
        if not self.__taught("__len__"):
            if self.__reference.get("k") == "iterator" or self.__taught("__iter__"):
                # What Python says of an iterator; list() asks for a length and lives with this answer.
                raise TypeError(f"object of type {self.__reference.get('n')!r} has no len()")
            raise self.__refuse("len()")
        return int(self.__answer("len", kind=int))

    def __getitem__(self, key: Any) -> Any:
        return self.__link.ask("operate", (self, key), name="getitem")

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__link.ask("operate", (self, key, value), name="setitem")

    def __delitem__(self, key: Any) -> None:
        self.__link.ask("operate", (self, key), name="delitem")

    def __enter__(self) -> Any:
        return self.__link.ask("operate", (self,), name="enter")

    def __exit__(self, *_: object) -> None:
        self.__link.ask("operate", (self,), name="exit")


class CallableProxy(Proxy):
    """A function or other callable of the learner's."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the learner's function with plain data or other objects of the learner's."""
        return link_of(self).ask("call", (self, *args), kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        rows = link_of(self).ask("signature", (self,))
        parameters = [
            inspect.Parameter(name, _PARAMETER_KINDS[kind], default=default if has else inspect.Parameter.empty)
            for name, kind, has, default in rows
        ]
        return inspect.Signature(parameters)


class ClassProxy(CallableProxy):
    """A class of the learner's."""

    __slots__ = ()

    def __instancecheck__(self, instance: object) -> bool:
        return issubclass(type(instance), Proxy) and link_of(self).ask("is_instance", (instance, self)) is True

    def __subclasscheck__(self, other: type) -> bool:
        return issubclass(type(other), Proxy) and link_of(self).ask("is_subclass", (other, self)) is True


def link_of(proxy: Proxy) -> Link:
    """The link that ``proxy`` asks."""
    link: Link = object.__getattribute__(proxy, "_Proxy__link")
    return link


def number_of(value: object) -> int | None:
    """The number by which the box knows the object that ``value`` stands for, if it stands for one."""
    if not issubclass(type(value), Proxy):
        return None
    number: int = object.__getattribute__(value, "_Proxy__reference")["id"]
    return number


def known_as(value: Any, name: str) -> Any:
    """``value``; a proxy remembers by which ``name`` the test found it."""
    if issubclass(type(value), Proxy):
        object.__getattribute__(value, "_Proxy__reference")["found as"] = name
    return value


def name_of(value: object) -> str:
    """The name by which the test found a proxy, not what the box calls it."""
    if not issubclass(type(value), Proxy):
        return ""
    return str(object.__getattribute__(value, "_Proxy__reference").get("found as", ""))


def _define(name: str, method: Callable[..., Any]) -> None:
    setattr(Proxy, f"__{name}__", method)


def _add_operators() -> None:
    compare, combine, answer = (getattr(Proxy, f"_Proxy__{part}") for part in ("compare", "combine", "answer"))
    for name in _COMPARISONS:
        _define(name, lambda self, other, _name=name: compare(self, _name, other))
    for name in _BINARY:
        bare = name.strip("_")
        _define(bare, lambda self, other, _name=name: combine(self, _name, self, other))
        _define(f"r{bare}", lambda self, other, _name=name: combine(self, _name, other, self))
    for name in ("neg", "pos", "abs", "invert"):
        _define(name, lambda self, _name=name: link_of(self).ask("operate", (self,), name=_name))
    for name, kind in _NUMBERS.items():
        _define(name, lambda self, _name=name, _kind=kind: answer(self, _name, kind=_kind))
    for owner in (Proxy, CallableProxy, ClassProxy):
        # The learner's docstring, not the one of the stand-in's class.
        docstring = property(lambda self: link_of(self).ask("attribute", (self,), name="__doc__"))
        type.__setattr__(owner, "__doc__", docstring)


_add_operators()
