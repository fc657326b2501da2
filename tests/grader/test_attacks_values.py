"""Attacks with what comes back: answers malformed, huge or out of order, and values that only look right."""
# ruff: noqa: E501  one attack to a line is easier to read

from __future__ import annotations

import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grader.grade import grade

sys.path.insert(0, str(Path(__file__).parent))
from lab_maker import FAST, Lab, check, locked, open_engine_for, solution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grader.sandbox.warm import WarmSandbox

pytestmark = pytest.mark.slow
CANARY = "canary-" + secrets.token_hex(8)
SOLUTION = """### BEGIN SOLUTION
def scale(xs):
    return [2 * x for x in xs]

def name(n):
    return f'take {n}'

def table(n):
    return {i: i * i for i in range(n)}

def frame(n):
    return np.full((n, n), n, np.uint8)
### END SOLUTION
"""
TESTS = {
    "list": f"assert scale([1, 2]) == [2, 4]\n### BEGIN HIDDEN TESTS\nout = scale([5])\n"
    f"assert isinstance(out, list) and out[0] == 10 and len(out) == 1, '{CANARY}'\n### END HIDDEN TESTS",
    "text": "assert name(3) == 'take 3' and name(4).startswith('take') and name(5) in {'take 5'} and len(name(6)) == 6",
    "keys": "assert table(3) == {0: 0, 1: 1, 2: 4} and table(4)[3] == 9 and 3 in table(4) and not table(0)",
    "array": "f = frame(4)\nassert f.shape == (4, 4) and f.dtype == np.uint8 and (f == 4).all()\n"
    "np.testing.assert_array_equal(frame(2), np.full((2, 2), 2))",
    "number": "assert abs(sum(scale([0.5, 1])) - 3) < 1e-9 and max(scale([1, 7])) == 14",
}
WIRE = "import sys\nwire = sys.modules['grader.sandbox.wire']\nrunner = sys.modules['grader.sandbox.runner']\n"
ALL = "scale = name = table = frame = lambda *a: {0}\n"
SAY = "import os, json\npipes = [n for n in range(3, 30) if os.path.exists(f'/proc/self/fd/{{n}}')]\n" + (
    "def say(*lines):\n    for n in pipes:\n        try:\n            for line in lines: os.write(n, line)\n"
    "        except OSError: pass\n    return 0\n" + ALL.format("say({0})")
)
ANSWERS = {
    "bare words": SAY.format(r"b'true\n'"),
    "an end that is none": SAY.format(r"""b'{"over": [0, 0]}\n'"""),
    "an end of nothing": SAY.format(r"""b'{"over": {}}\n', b'{"over"\n'"""),
    "a copy that is none": SAY.format(r"""b'{"back": 0}\n' * 3"""),
    "a copy's odd end": SAY.format(r"""b'{"back": "' + b'9' * 5000 + b'"}\n'"""),
    "empty lines": SAY.format(r"b'\n' * 5000"),
    "no end of line": SAY.format("b'x' * 70000"),
    "zero bytes": SAY.format(r"bytes(9000) + b'\n'"),
    "not utf-8": SAY.format(r"b'\xff\xfe{}\n'"),
    "the checker's own words": SAY.format(r"""b'D\n', b'R{"ok": [2, 4]}\n', b'{"ok": {"passed": true, "value": 9}}\n'"""),
    "deep lists": SAY.format(r"b'[' * 60000 + b']' * 60000 + b'\n'"),
    "many keys": SAY.format(r"""b'{"ok": {' + b','.join(b'"%d": 1' % i for i in range(5000)) + b'}}\n'"""),
    "a number of many digits": SAY.format(r"""b'{"ok": ' + b'9' * 50000 + b'}\n'"""),
    "nan and infinity": SAY.format(r"""b'{"ok": NaN}\n', b'{"ok": Infinity}\n'"""),
    "a callback nobody gave": SAY.format(r"""b'{"callback": 0, "args": [], "kwargs": {}}\n' * 9"""),
    "a callback below zero": SAY.format(r"""b'{"callback": -1, "args": [], "kwargs": {}}\n' * 9"""),
    "a callback with a key twice": SAY.format(r"""b'{"callback": 0, "callback": [], "args": 3}\n'"""),
    "a reference to anything": SAY.format(r"""b'{"ok": {"t": "ref", "id": 1, "k": "module", "m": "os"}}\n'"""),
    "a class of the checker": SAY.format(r"""b'{"ok": {"t": "value", "c": "grader.check.link:ProxyError", "v": []}}\n'"""),
    "a class to import": SAY.format(r"""b'{"ok": {"t": "value", "c": "antigravity:x", "v": [], "r": {}}}\n'"""),
    "an unhashable key": SAY.format(r"""b'{"ok": {"t": "dict", "v": [[[1], 2]]}}\n'"""),
    "a range without end": SAY.format(r"""b'{"ok": {"t": "range", "v": [0, 1e999, 1]}}\n'"""),
    "text as numbers": SAY.format(r"""b'{"ok": {"t": "int", "v": "0x_1"}}\n', b'{"ok": {"t": "complex", "v": ["a", 1]}}\n'"""),
    "errors of the checker": SAY.format(
        r"""b'{"error": {"base": "AssertionError", "own": [], "args": [], "text": "", "trace": ""}}\n' * 3"""
    ),
    "errors that end": SAY.format(
        r"""b'{"error": {"base": "SystemExit", "own": [], "args": [0], "text": "", "trace": ""}}\n' * 3"""
    ),
    "errors that are no errors": SAY.format(
        r"""b'{"error": {"base": "__import__", "own": [{"id": [], "m": 3}], "args": [], "text": "", "trace": ""}}\n'"""
    ),
    "arguments changed to what is wanted": ALL.format("0")
    + WIRE
    + "runner.Server._changed = lambda s, a, w: [2, 4]\n",
    "other answers the second time": "calls = []\ndef turns(*a):\n    calls.append(a)\n    return [2, 4] if len(calls) % 2 else None\n"
    "scale = name = table = frame = turns\n",
}  # fmt: skip
VALUES = {
    "an int that says yes": "class I(int):\n    def __eq__(s, o): return True\n    __hash__ = int.__hash__\n" + ALL.format("I(0)"),
    "a list that says yes": "class L(list):\n    def __eq__(s, o): return True\n    def __getitem__(s, k): return 10\n"
    "    def __iter__(s): return iter([3, 14])\n    def __len__(s): return 1\n" + ALL.format("L()"),
    "a dict that has all": "class D(dict):\n    def __eq__(s, o): return True\n    def __missing__(s, k): return 9\n"
    "    def __contains__(s, k): return True\n    def __bool__(s): return False\n" + ALL.format("D()"),
    "keys that equal all": "class K(int):\n    def __eq__(s, o): return True\n    def __hash__(s): return 0\n" + ALL.format("{K(): K()}"),
    "a str that starts with all": "class S(str):\n    def startswith(s, *a): return True\n    def __hash__(s): return hash('take 5')\n"
    "    def __eq__(s, o): return True\n    def __len__(s): return 6\n" + ALL.format("S()"),
    "letters that look alike": ALL.format("'tаke 3'"),
    "letters that are composed": ALL.format("'take\\u00a03'"),
    "text with marks": ALL.format("'take 3\\u200b'"),
    "a void array": ALL.format("np.zeros(4, [('a', 'u1')])"),
    "an object array": ALL.format("np.array([[None]], object)"),
    "an array of dates": ALL.format("np.array(['2026-01-01'], 'M8[D]')"),
    "an array of nothing": ALL.format("np.zeros((0, 0), np.uint8)"),
    "an array of nans": ALL.format("np.full((2, 2), np.nan)"),
    "an array without a size": ALL.format("np.broadcast_to(np.uint8(0), (10**9, 10**9))"),
    "a masked array": ALL.format("np.ma.masked_all((4, 4), np.uint8)"),
    "a matrix": ALL.format("np.matrix([[True]])"),
    "a record": ALL.format("np.rec.array([(1, 2)], names='shape,dtype')"),
    "a memory view": ALL.format("memoryview(bytes(16))"),
    "something with an array in it": "class A:\n    def __array__(s, *a, **k): return np.full((4, 4), 4, np.uint8)\n"
    "    shape, dtype = (4, 4), np.uint8\n    def __eq__(s, o): return A()\n    def all(s): return True\n" + ALL.format("A()"),
    "not a number": ALL.format("float('nan')"),
    "a truth": ALL.format("True"),
    "an ellipsis": ALL.format("..."),
    "a value that holds itself": "loop = []\nloop.append(loop)\n" + ALL.format("loop"),
    "a wide value": ALL.format("[[0] * 3000] * 3000"),
    "a deep dict": "deep = {}\nfor _ in range(900): deep = {0: deep}\n" + ALL.format("deep"),
    "a set of sets": ALL.format("{frozenset([frozenset()])}"),
    "an endless generator": ALL.format("iter(int, 1)"),
    "a coroutine": "async def later(*a): return [2, 4]\nscale = name = table = frame = later\n",
    "its own class as list": "list = str = dict = type('list', (), {})\n" + ALL.format("list()"),
    "a property that raises": "class P:\n    @property\n    def __class__(s): raise SystemExit\n    shape = property(lambda s: 1 / 0)\n"
    + ALL.format("P()"),
    "a metaclass that says yes": "class M(type):\n    def __instancecheck__(c, o): return True\n    def __eq__(c, o): return True\n"
    "    __hash__ = type.__hash__\n    def __call__(c, *a): return c\nclass C(metaclass=M): pass\n" + ALL.format("C"),
    "an enum of answers": "import enum\nclass E(int, enum.Enum):\n    A = 4\n    def __eq__(s, o): return True\n" + ALL.format("E.A"),
    "a named tuple": "import collections\n" + ALL.format("collections.namedtuple('list', 'a b')(2, 4)"),
    "a default for every key": "import collections\n" + ALL.format("collections.defaultdict(lambda: 9)"),
    "a user list": "import collections\nclass U(collections.UserList):\n    def __eq__(s, o): return True\n" + ALL.format("U([0])"),
    "a mock": "from unittest.mock import MagicMock\nscale = name = table = frame = MagicMock()\n",
    "a partial of a class": "import functools\nscale = name = table = frame = functools.partial(type, 'T', (), {})\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(
        locked("imports", "import numpy as np"),
        solution("work", SOLUTION),
        *(check(one, source) for one, source in TESTS.items()),
    )


@pytest.fixture(scope="module")
def sandbox(lab: Lab) -> Iterator[WarmSandbox]:
    opened = open_engine_for(lab, "warm")
    yield opened  # type: ignore[misc]
    opened.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("attack", ANSWERS | VALUES)
def test_no_answer_but_the_right_one_gets_points(attack: str, lab: Lab, sandbox: WarmSandbox) -> None:
    work = (ANSWERS | VALUES)[attack]
    verdict = grade(lab.job(lab.submission(work=work), replace(FAST, wall_seconds=15)), sandbox)
    assert verdict.score == 0, [(cell.grade_id, cell.score, cell.reason_en) for cell in verdict.cells]
    assert verdict.failure is None or verdict.failure.kind == "learner", verdict.failure
    shown = repr(verdict.cells) + verdict.notebook.decode()
    assert CANARY not in shown
    assert all(cell.reason_zh and cell.reason_en for cell in verdict.cells)


def test_honest_work_gets_its_points(lab: Lab, sandbox: WarmSandbox) -> None:
    honest = SOLUTION.replace("### BEGIN SOLUTION", "").replace("### END SOLUTION", "")
    verdict = grade(lab.job(lab.submission(work=honest)), sandbox)
    assert verdict.score == verdict.max_score == len(TESTS), verdict.cells
