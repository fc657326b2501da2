"""The checker's end of the talk with the learner's box: asks, and builds its own values from untrusted answers."""

from __future__ import annotations

import builtins
import copy
import json
import sys
from typing import TYPE_CHECKING, Any

from grader.check.proxy import make_proxy, number_of
from grader.sandbox.pipe import ASK
from grader.sandbox.wire import Decoder, Encoder, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from grader.check.lesson import Lesson
    from grader.sandbox.pipe import Pipe

_MAX_CALLBACKS = 100_000
_MAX_NAME = 200
_MAX_PRINTED = 100_000
_MUTED = ("这里不能询问你的代码", "your code is not asked here")
_UNREADABLE = ("你的代码的回答无法读取", "the answer of your code could not be read")


class ProxyError(BaseException):
    """A test asked of the learner's object what only the checker may decide, or the box can answer no more.

    Not an ``Exception``: a test's own ``except Exception`` must not turn it into a passed test. ``zh`` and ``en`` tell
    the learner why.
    """

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


class LearnerFault(Exception):  # noqa: N818  stands for exceptions that must not act in the checker
    """The learner's code raised something like SystemExit that would end the checker if it were raised here."""


class Link:
    """One conversation with one box, through the process that started both."""

    def __init__(self, pipe: Pipe, lesson: Lesson) -> None:
        self._pipe = pipe
        self.lesson = lesson
        self._functions: list[Callable[..., Any]] = []
        self._exception_classes: dict[int, type[Exception]] = {}
        self._exception_numbers: dict[type, int] = {}
        self.problem: ProxyError | None = None
        """The first refusal of the running test; a test that swallows it still fails."""
        self.dead = False
        self.muted = False
        """Ask nothing: what runs now may not depend on the learner."""
        self.may_change: Callable[[Any, Any], bool] = lambda _function, _argument: False
        """Whether a function that returned something may also have changed this argument of the test."""

    def state(self) -> tuple[Any, ...]:
        """What of the learner's objects is known, to go back to."""
        return copy.deepcopy(self.lesson), dict(self._exception_classes), dict(self._exception_numbers)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Know of the learner's objects what was known; a copy of their process gives numbers of its own."""
        self.lesson, classes, numbers = state
        self._exception_classes, self._exception_numbers = dict(classes), dict(numbers)
        self.dead = False

    def ask(self, op: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None, **more: Any) -> Any:
        """The box's answer to ``op`` as a value of our own.

        Raises:
            ProxyError: it cannot be asked or answered that way.
            Exception: what the learner's code raised, as the same builtin class.
        """
        if self.muted:
            raise ProxyError(*_MUTED)
        sent = {"op": op, "args": [self._encode(one) for one in args], **more}
        if kwargs:
            sent["kwargs"] = {name: self._encode(one) for name, one in kwargs.items()}
        answer = self._exchange(sent)
        if "error" in answer:
            raise self._learner_error(answer["error"])
        value = self._decode(answer["ok"])
        if op == "call" and isinstance(answer.get("args"), list):
            for given, changed in zip(args[1:], answer["args"], strict=False):
                if changed is not None and (value is None or self.may_change(args[0], given)):
                    self._write_back(given, changed)
        return value

    def refuse(self, zh: str, en: str) -> ProxyError:
        """Note why the running test fails, and answer the error to raise."""
        error = ProxyError(zh, en)
        self.problem = self.problem or error
        return error

    def exception_class(self, reference: dict[str, Any]) -> type[Exception]:
        """A class of our own that stands for an exception class of the learner's."""
        return self._mirror(reference, _harmless(reference.get("b")))

    def _exchange(self, sent: dict[str, Any]) -> dict[str, Any]:
        for _ in range(_MAX_CALLBACKS):
            self._pipe.send(sent, ASK)
            answer = self._parse(self._pipe.receive_line())
            if isinstance(printed := answer.get("printed"), str):
                sys.stdout.write(printed[:_MAX_PRINTED])
            if "callback" not in answer:
                return answer
            sent = self._call_back(answer)
        raise self.refuse(
            f"你的代码调用测试给出的函数超过 {_MAX_CALLBACKS} 次",
            f"your code called a function of the test more than {_MAX_CALLBACKS} times",
        )

    def _parse(self, line: bytes) -> dict[str, Any]:
        if line[:1] == b"D":
            self.dead = True
            raise self.refuse("运行你的代码的进程已经结束", "the process that ran your code has ended")
        try:
            answer = json.loads(line[1:])
        except (ValueError, RecursionError) as error:
            raise self.refuse(*_UNREADABLE) from error
        if isinstance(answer, dict) and isinstance(answer.get("refused"), str):
            raise self.refuse(*_uncheckable(answer["refused"][:400]))
        if not isinstance(answer, dict) or not {"ok", "error", "callback"} & answer.keys():
            raise self.refuse(*_UNREADABLE)
        return answer

    def _call_back(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Call the function of the test that the learner's code was given; its result goes back in."""
        try:
            function = self._functions[answer["callback"]]
            args = [self._decode(one) for one in answer["args"]]
            kwargs = {str(name): self._decode(one) for name, one in answer["kwargs"].items()}
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise self.refuse("你的代码调用了没有给它的函数", "your code called a function it was not given") from error
        try:
            return {"op": "returned", "ok": self._encode(function(*args, **kwargs))}
        except Exception as error:  # noqa: BLE001  goes back to where the learner's code can catch it
            return {"op": "returned", "error": type(error).__name__, "text": str(error)[:1000]}

    def _encode(self, value: Any) -> Any:
        try:
            return Encoder(self._refer, always_refer=False).encode(value)
        except (WireError, RecursionError) as error:
            raise self.refuse(
                f"测试不能把这个值交给你的代码：{error}", f"the test cannot hand this to your code: {error}"
            ) from error

    def _refer(self, value: Any) -> dict[str, Any]:
        number = number_of(value)
        if number is None and issubclass(type(value), type):
            number = self._exception_numbers.get(value)
        if number is not None:
            return {"t": "ref", "id": number}
        if callable(value):
            self._functions.append(value)
            return {"t": "function", "id": len(self._functions) - 1}
        raise self.refuse(
            f"测试不能把 {type(value).__name__} 对象交给你的代码，只能传普通数据（请告诉老师）",
            f"the test cannot hand a {type(value).__name__} to your code, only plain data (tell your instructor)",
        )

    def _decode(self, data: Any) -> Any:
        try:
            return Decoder(self._resolve, may_import=False).decode(data)
        except (WireError, RecursionError) as error:
            raise self.refuse(*_uncheckable(str(error))) from error

    def _resolve(self, data: dict[str, Any]) -> Any:
        if data.get("t") != "ref" or type(data.get("id")) is not int:
            raise WireError("an unknown kind of value")
        clean: dict[str, Any] = {
            key: str(data[key])[:_MAX_NAME] for key in ("n", "k", "m", "b", "torch") if key in data
        }
        return make_proxy(self, {"id": data["id"], **clean})

    def _learner_error(self, data: Any) -> BaseException:
        try:
            kind = _harmless(data["base"])
            for reference in reversed(data["own"]):
                kind = self._mirror(reference, kind)
            args = self._decode(data["args"]) or [str(data["text"])]
            trace = str(data["trace"])
        except (KeyError, TypeError, AttributeError) as error:
            raise self.refuse(*_UNREADABLE) from error
        try:
            made = kind(*args)
        except Exception:  # noqa: BLE001  some builtin exceptions want particular arguments
            made = LearnerFault(str(data["text"]))
        made.add_note(trace)
        return made

    def _mirror(self, reference: dict[str, Any], parent: type[Exception]) -> type[Exception]:
        number = reference["id"]
        if number not in self._exception_classes:
            name = str(reference.get("m", "Error"))[:_MAX_NAME] or "Error"
            mirror = type(name, (parent,), {"__module__": "learner"})
            self._exception_classes[number], self._exception_numbers[mirror] = mirror, number
        return self._exception_classes[number]

    def _write_back(self, given: Any, changed: Any) -> None:
        """Do to the test's own list, dict, set or array what the learner's function did to its copy."""
        value = self._decode(changed)
        if type(value) is not type(given):
            return
        numpy = sys.modules.get("numpy")
        if isinstance(given, list | bytearray):
            given[:] = value
        elif isinstance(given, dict | set):
            given.clear()
            given.update(value)
        elif numpy is not None and isinstance(given, numpy.ndarray) and given.shape == value.shape:
            given[...] = value


def _harmless(name: Any) -> type[Exception]:
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    return kind if isinstance(kind, type) and issubclass(kind, Exception) else LearnerFault


def _uncheckable(detail: str) -> tuple[str, str]:
    return f"你的代码返回的内容无法检查：{detail}", f"what your code returned cannot be checked: {detail}"
