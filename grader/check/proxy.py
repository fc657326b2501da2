"""Stand-ins in the checker for the learner's objects that cannot cross as plain data.

A stand-in asks the box what the object has and does. It never lets the box answer a question that decides a test:
whether something equals, is less than, contains or starts with what the test expects.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor", "lshift", "rshift")


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

    @staticmethod
    def reference_of(proxy: Proxy) -> int:
        """The number by which the box knows the object."""
        number: int = object.__getattribute__(proxy, "_Proxy__reference")["id"]
        return number

    @staticmethod
    def type_name_of(proxy: Proxy) -> str:
        """The name of the object's class, as the box says."""
        return str(object.__getattribute__(proxy, "_Proxy__reference").get("n", "object"))

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_Proxy__")) and name not in _SHOWN_DUNDERS:
            raise AttributeError(name)
        if name in _DECIDING_METHODS:
            raise self.__refuse(f".{name}()")
        return known_as(self.__link.ask("attribute", (self,), name=name), name)

    def __deepcopy__(self, _: object) -> NoReturn:
        raise self.__refuse("a copy")

    __copy__ = __reduce_ex__ = __deepcopy__  # all three make copies

    def __setattr__(self, name: str, value: Any) -> None:
        self.__link.ask("set_attribute", (self, value), name=name)

    def __repr__(self) -> str:
        return self.__text("repr")

    def __str__(self) -> str:
        return self.__text("str")

    def __format__(self, specification: str) -> str:
        return str(self.__link.ask("operate", (self, specification), name="format"))

    def __text(self, operation: str) -> str:
        text = self.__link.ask("operate", (self,), name=operation)
        return text if type(text) is str else f"<{Proxy.type_name_of(self)}>"

    __hash__ = object.__hash__

    def __refuse(self, what: str) -> BaseException:
        return self.__link.refuse(
            f"测试在 {what} 处需要普通数据（数字、文本、列表、字典、数组等），但你的代码给出的是 "
            f"{Proxy.type_name_of(self)} 类型的对象",
            f"the test wanted plain data (a number, text, list, dict, array …) for {what}, "
            f"but your code gave an object of type {Proxy.type_name_of(self)}",
        )

    def __plain(self, what: str) -> Any:
        found = self.__link.ask("plain", (self,))
        if type(found) is not list or len(found) != 1 or isinstance(found[0], Proxy):
            raise self.__refuse(what)
        return found[0]

    def __bool__(self) -> bool:
        return bool(self.__plain("true or false"))

    def __eq__(self, other: object) -> bool:
        return bool(self.__plain("==") == other)

    def __ne__(self, other: object) -> bool:
        return bool(self.__plain("!=") != other)

    def __lt__(self, other: Any) -> bool:
        return bool(self.__plain("<") < other)

    def __le__(self, other: Any) -> bool:
        return bool(self.__plain("<=") <= other)

    def __gt__(self, other: Any) -> bool:
        return bool(self.__plain(">") > other)

    def __ge__(self, other: Any) -> bool:
        return bool(self.__plain(">=") >= other)

    def __contains__(self, item: object) -> bool:
        # Compared here, item by item: the box must not learn what is looked for and answer yes.
        return any(one is item or one == item for one in self)

    def __iter__(self) -> Iterator[Any]:
        iterator = self.__link.ask("operate", (self,), name="iter")
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
        return self.__number("len", int)

    def __int__(self) -> int:
        return self.__number("int", int)

    def __index__(self) -> int:
        return self.__number("index", int)

    def __float__(self) -> float:
        return self.__number("float", float)

    def __number(self, operation: str, kind: type) -> Any:
        number = self.__link.ask("operate", (self,), name=operation)
        if type(number) is not kind:
            raise self.__refuse(operation)
        return number

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

    def _combine(self, operation: str, left: Any, right: Any) -> Any:
        """Let the box combine two of its own objects; with a value of the test it could answer what is expected."""
        if isinstance(left, Proxy) and isinstance(right, Proxy):
            return self.__link.ask("operate", (left, right), name=operation)
        raise self.__refuse(f"arithmetic ({operation.strip('_')})")


class CallableProxy(Proxy):
    """A function or other callable of the learner's."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the learner's function with plain data or other objects of the learner's."""
        return _link_of(self).ask("call", (self, *args), kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        rows = _link_of(self).ask("signature", (self,))
        parameters = [
            inspect.Parameter(name, _PARAMETER_KINDS[kind], default=default if has else inspect.Parameter.empty)
            for name, kind, has, default in rows
        ]
        return inspect.Signature(parameters)


class ClassProxy(CallableProxy):
    """A class of the learner's."""

    __slots__ = ()

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, Proxy) and _link_of(self).ask("is_instance", (instance, self)) is True

    def __subclasscheck__(self, other: type) -> bool:
        return isinstance(other, Proxy) and _link_of(self).ask("is_subclass", (other, self)) is True


def known_as(value: Any, name: str) -> Any:
    """``value``; a proxy remembers by which ``name`` the test found it."""
    if isinstance(value, Proxy):
        object.__getattribute__(value, "_Proxy__reference")["found as"] = name
    return value


def name_of(proxy: Proxy) -> str:
    """The name by which the test found ``proxy``, not what the box calls it."""
    return str(object.__getattribute__(proxy, "_Proxy__reference").get("found as", ""))


def _link_of(proxy: Proxy) -> Link:
    link: Link = object.__getattribute__(proxy, "_Proxy__link")
    return link


def _add_operators() -> None:
    for name in _BINARY:
        bare = name.strip("_")
        setattr(Proxy, f"__{bare}__", lambda self, other, _name=name: self._combine(_name, self, other))
        setattr(Proxy, f"__r{bare}__", lambda self, other, _name=name: self._combine(_name, other, self))
    for name in ("neg", "pos", "abs", "invert"):
        setattr(Proxy, f"__{name}__", lambda self, _name=name: _link_of(self).ask("operate", (self,), name=_name))

    for kind in (Proxy, CallableProxy, ClassProxy):
        # The learner's docstring, not the one of the stand-in's class.
        kind.__doc__ = property(lambda self: _link_of(self).ask("attribute", (self,), name="__doc__"))  # type: ignore[assignment]


_add_operators()
