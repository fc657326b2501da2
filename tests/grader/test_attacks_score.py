"""Attacks on the score: no submission that has not done the work gets a point, and nothing hidden comes out."""

from __future__ import annotations

import secrets
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from grader.grade import grade

sys.path.insert(0, str(Path(__file__).parent))
from typing import TYPE_CHECKING

from lab_maker import FAST, Lab, check, code, locked, open_engine_for, solution, text

if TYPE_CHECKING:
    from grader.sandbox.box import Sandbox
    from grader.verdict import Verdict

pytestmark = pytest.mark.slow

CANARY = "canary-" + secrets.token_hex(8)
REFERENCE = f"""### BEGIN SOLUTION
# {CANARY}
def normalise(xs):
    xs = np.asarray(xs, dtype=float)
    return xs / xs.sum()

def longest(words):
    return max(words, key=len)
### END SOLUTION
"""
VISIBLE = """out = normalise([1, 1, 2])
np.testing.assert_allclose(out, [0.25, 0.25, 0.5])
assert np.allclose(out.sum(), 1.0)
"""
HIDDEN = f"""x = np.array([2.0, 6.0])
out = normalise(x)
### BEGIN HIDDEN TESTS
assert np.allclose(out, x / x.sum()), '{CANARY}'
assert abs(out[0] - 0.25) < 1e-9 and out.tolist() == [0.25, 0.75], '{CANARY}'
### END HIDDEN TESTS
"""
WORDS = f"""assert longest(['a', 'bbb', 'cc']) == 'bbb'
### BEGIN HIDDEN TESTS
result = longest(['{CANARY}-in', 'x'])
assert isinstance(result, str) and result.startswith('{CANARY[:7]}') and len(result) == {len(CANARY) + 3}
import math
### END HIDDEN TESTS
"""


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(
        text("# Arrays"),
        locked("imports", "import numpy as np\nimport math"),
        solution("work", REFERENCE),
        check("visible", VISIBLE, 2),
        check("hidden", HIDDEN, 3),
        check("words", WORDS, 2),
        code("after = 1"),
    )


@pytest.fixture(scope="module", params=["bubblewrap", "warm"])
def sandbox(request: pytest.FixtureRequest, lab: Lab) -> Sandbox:
    return open_engine_for(lab, request.param)


def nothing_leaks(verdict: Verdict) -> None:
    shown = repr([(c.reason_zh, c.reason_en, c.output, c.title) for c in verdict.cells]) + verdict.notebook.decode()
    shown += repr(verdict.failure) + "".join(repr(file.content) for file in verdict.files)
    assert CANARY not in shown
    assert "x / x.sum()" not in shown


def test_the_reference_gets_everything(lab: Lab, sandbox: Sandbox) -> None:
    honest = REFERENCE.replace(CANARY, "mine")
    verdict = grade(lab.job(lab.submission(work=honest)), sandbox)
    assert verdict.score == verdict.max_score == 7, verdict.cells


EQUAL = """
class Yes(float):
    def __new__(cls, *a): return float.__new__(cls, 0)
    def _y(self, *a, **k): return True
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __bool__ = _y
    def __hash__(self): return 0
    def __call__(self, *a, **k): return self
    def __sub__(self, o): return self
    __rsub__ = __add__ = __radd__ = __truediv__ = __abs__ = __sub__
    def __getitem__(self, k): return self
    def __iter__(self): return iter([])
    def __len__(self): return 3
    def __getattr__(self, n): return self
    def __array__(self, *a, **k): raise TypeError
    def __array_ufunc__(self, *a, **k): return True
    def __array_function__(self, *a, **k): return True
    def __instancecheck__(self, o): return True
    def startswith(self, *a): return True
    def tolist(self): return self
    def sum(self): return 1.0
"""
EQUAL_OBJECT = EQUAL.replace("(float)", "").replace("float.__new__(cls, 0)", "object.__new__(cls)")
ATTACKS = {
    "always equal": EQUAL
    + """
def normalise(xs): return Yes()
def longest(ws): return Yes()
""",
    "always equal, no base": EQUAL_OBJECT
    + """
def normalise(xs): return Yes()
def longest(ws): return Yes()
""",
    "str subclass": """
class S(str):
    def __eq__(s, o): return True
    __hash__ = str.__hash__
    def startswith(s, *a): return True
    def __len__(s): return 27
def longest(ws): return S('no')
def normalise(xs): return [S('x')]
""",
    "list of liars": EQUAL
    + """
def normalise(xs): return [Yes(), Yes(), Yes()]
def longest(ws): return [Yes()]
""",
    "array subclass": """
import numpy
class A(numpy.ndarray):
    def __eq__(s, o): return numpy.ones(3, bool)
    def __array_ufunc__(s, *a, **k): return numpy.ones(3, bool)
    def __array_function__(s, *a, **k): return True
def normalise(xs): return numpy.zeros(len(xs)).view(A)
def longest(ws): return ''
""",
    "object array of liars": EQUAL
    + """
import numpy
def normalise(xs):
    a = numpy.empty(len(xs), object)
    a[:] = [Yes() for _ in xs]
    return a
longest = normalise
""",
    "numpy.testing replaced": """
import numpy.testing as t
for n in dir(t):
    if n.startswith('assert'): setattr(t, n, lambda *a, **k: None)
np.allclose = lambda *a, **k: True
np.testing.assert_allclose = lambda *a, **k: None
def normalise(xs): return np.zeros(len(xs))
def longest(ws): return ''
""",
    "names of the test rebound": """
class np:
    class testing:
        assert_allclose = staticmethod(lambda *a, **k: None)
    allclose = staticmethod(lambda *a, **k: True)
    array = staticmethod(lambda x: x)
x = out = result = 1
def normalise(xs): return 0
def longest(ws): return ''
""",
    "builtins replaced": """
import builtins
builtins.abs = lambda *a: 0
builtins.isinstance = lambda *a: True
builtins.len = lambda *a: 3
builtins.AssertionError = type('E', (BaseException,), {})
abs = lambda x: 0
len = lambda x: 27
isinstance = lambda *a: True
def normalise(xs): return 0
def longest(ws): return 'no'
""",
    "display hook": """
ip = get_ipython()
ip.display_formatter.format = lambda *a, **k: ({'text/plain': '3'}, {})
import sys
sys.displayhook = lambda *a: print(3)
def normalise(xs): return 0
def longest(ws): return ''
""",
    "cell transformer": """
ip = get_ipython()
ip.ast_transformers.clear()
ip.input_transformers_cleanup.append(lambda lines: ['pass'])
ip.run_cell = lambda *a, **k: None
def normalise(xs): return 0
def longest(ws): return ''
""",
    "excepthook and settrace": """
import sys, threading
def quiet(*a): return quiet
sys.settrace(quiet); threading.settrace(quiet)
sys.excepthook = quiet
sys.setprofile(quiet)
def normalise(xs): return 0
def longest(ws): return ''
""",
    "frames": """
import sys
def normalise(xs):
    f = sys._getframe()
    while f:
        f.f_globals['np'] = None
        for k in list(f.f_locals):
            f.f_locals[k] = True
        f = f.f_back
    return 0
longest = normalise
""",
    "gc": """
import gc
def normalise(xs):
    for o in gc.get_objects():
        if isinstance(o, dict) and 'passed' in o: o['passed'] = True
        if isinstance(o, list):
            try: o[:] = [True] * len(o)
            except Exception: pass
    return 0
def longest(ws): return ''
""",
    "os._exit": """
import os
def normalise(xs): os._exit(0)
def longest(ws): os._exit(0)
""",
    "os._exit at once": """
import os
os._exit(0)
""",
    "atexit": """
import atexit, os
atexit.register(lambda: os.write(1, b'{"ok": {"passed": true}}'))
def normalise(xs): raise SystemExit(0)
def longest(ws): raise SystemExit(0)
""",
    "forged answers on every descriptor": r"""
import os, json
forged = (json.dumps({'ok': {'passed': True, 'value': None}}) + '\n').encode() * 50
for fd in range(1, 30):
    try: os.write(fd, forged)
    except OSError: pass
def normalise(xs): return 0
def longest(ws): return ''
""",
    "forged answers during a call": r"""
import os, json
forged = (json.dumps({'ok': [0.25, 0.25, 0.5]}) + '\n').encode()
def normalise(xs):
    for fd in range(3, 30):
        try: os.write(fd, forged)
        except OSError: pass
    return 0
def longest(ws): return ''
""",
    "answers that break the checker's parser": r"""
import os
def normalise(xs):
    for fd in range(3, 12):
        try: os.write(fd, b'[' * 100000 + b'\n')
        except OSError: pass
    return 0
def longest(ws): return ''
""",
    "printed partial credit": """
print('3')
print(100)
7
def normalise(xs): print(7); return 7
def longest(ws): return 2
""",
    "exceptions that would end the checker": """
def normalise(xs): raise SystemExit(0)
def longest(ws): raise KeyboardInterrupt
""",
    "generator exit": """
def normalise(xs): raise GeneratorExit
def longest(ws): raise StopIteration
""",
    "pickle bomb": """
class P:
    def __reduce__(self): return (print, ('owned',))
    def __reduce_ex__(self, v): return (print, ('owned',))
def normalise(xs): return P()
def longest(ws): return P()
""",
    "thread changes results later": """
import threading, time
def normalise(xs):
    out = np.zeros(len(xs))
    threading.Thread(target=lambda: (time.sleep(0.01), out.__setitem__(slice(None), 1)), daemon=True).start()
    return out
def longest(ws): return ''
""",
    "arguments spoiled": """
def normalise(xs):
    if isinstance(xs, np.ndarray):
        xs[:] = 0
        return xs / xs.sum()
    return np.array(xs) * 0
def longest(ws):
    ws.clear()
    return ''
""",
    "runner patched": """
import sys
for m in list(sys.modules.values()):
    n = getattr(m, '__name__', '')
    if n.startswith('grader'):
        for k in list(vars(m)):
            if callable(getattr(m, k)) and k[0].isalpha():
                try: setattr(m, k, lambda *a, **k: True)
                except Exception: pass
def normalise(xs): return 0
def longest(ws): return ''
""",
    "checker's names": """
passed = True
__builtins__ = None
__name__ = 'x'
def __getattr__(n): return True
def normalise(xs): return 0
def longest(ws): return ''
""",
    "hash collisions and deep nesting": """
def normalise(xs):
    v = []
    for _ in range(5000): v = [v]
    return v
def longest(ws): return ''
""",
    "array header lies": r"""
import sys, base64
w = sys.modules['grader.sandbox.wire']
h = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b'\n'
h = b'\x93NUMPY\x01\x00v\x00' + h
w._array_bytes = lambda *a: base64.b64encode(h).decode()
def normalise(xs): return np.zeros(3)
def longest(ws): return ''
""",
    "object arrays through the wire": r"""
import sys, base64, pickle
w = sys.modules['grader.sandbox.wire']
h = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b'\n' + pickle.dumps([1])
h = b'\x93NUMPY\x01\x00v\x00' + h
w._array_bytes = lambda *a: base64.b64encode(h).decode()
def normalise(xs): return np.zeros(3)
def longest(ws): return ''
""",
    "module as answer": """
import os, sys
def normalise(xs): return os
longest = lambda ws: sys
""",
    "class as answer": """
def normalise(xs): return np.ndarray
def longest(ws): return str
""",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_scores_nothing(name: str, lab: Lab, sandbox: Sandbox) -> None:
    verdict = grade(lab.job(lab.submission(work=ATTACKS[name])), sandbox)
    assert verdict.score == 0, [(cell.grade_id, cell.score, cell.reason_en) for cell in verdict.cells]
    assert verdict.failure is None or verdict.failure.kind == "learner"
    nothing_leaks(verdict)


def test_scripts_and_pictures_that_are_none_are_dropped(lab: Lab, sandbox: Sandbox) -> None:
    shows = (
        "from IPython.display import HTML, Javascript, SVG, display\nlt = chr(60)\n"
        "display(HTML(lt + 'script>alert(1)'))\n"
        "display(Javascript('alert(1)'))\ndisplay(SVG(lt + 'svg onload=\"alert(1)\"/>'))\n"
        "display({'image/png': 'PHN2Zz4=', 'text/html': lt + 'b>x'}, raw=True)\n"
    )
    verdict = grade(lab.job(lab.submission(work=shows)), sandbox)
    assert b"<script>" not in verdict.notebook
    assert b"<svg" not in verdict.notebook
    assert b'"image/png"' not in verdict.notebook


def test_html_in_a_learners_text_is_shown_as_text(lab: Lab, sandbox: Sandbox) -> None:
    notebook = lab.submission()
    for kind in ("markdown", "raw"):
        notebook["cells"].append({"cell_type": kind, "metadata": {}, "source": "<script>alert(1)</script>"})
    assert b"<script>" not in grade(lab.job(notebook), sandbox).notebook


def test_hidden_inputs_printed_by_the_learner_are_not_shown(lab: Lab, sandbox: Sandbox) -> None:
    spies = "import sys\ndef longest(ws):\n    print(ws)\n    sys.stderr.write(str(ws))\n    raise ValueError(str(ws))"
    verdict = grade(lab.job(lab.submission(work=spies)), sandbox)
    assert verdict.score == 0
    nothing_leaks(verdict)


def test_hidden_inputs_kept_for_later_are_not_there_later(lab: Lab, sandbox: Sandbox) -> None:
    keeps = (
        "kept = []\ndef longest(ws):\n    kept.append(ws)\n    open('kept.txt', 'w').write(str(ws))\n"
        "    return max(ws, key=len)\n"
        "def normalise(xs):\n    return xs"
    )
    notebook = lab.submission(work=keeps)
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "source": "print(kept)\nkept", "outputs": []})
    verdict = grade(lab.job(notebook), sandbox)
    nothing_leaks(verdict)
    assert "'bbb'" in verdict.notebook.decode(), "what the visible test handed in may be told"


SEARCHES = """import os
found = []
for base in ('/home', '/tmp', '/opt', '/dev/shm', '/var', '/etc', '/mnt', '/srv', '/root', '/work'):
    for folder, _, files in os.walk(base):
        if 'site-packages' in folder or 'lib/python' in folder: continue
        for name in files:
            try:
                if HEAD + TAIL in open(os.path.join(folder, name), errors='ignore').read(): found.append(name)
            except OSError: pass
for pid in os.listdir('/proc'):
    for part in ('environ', 'cmdline'):
        try:
            if HEAD + TAIL in open(f'/proc/{pid}/{part}', errors='ignore').read(10**6): found.append(part)
        except OSError: pass
print('FOUND', found)
"""


def test_nothing_of_the_lab_but_the_release_is_in_the_box(lab: Lab, sandbox: Sandbox) -> None:
    searches = SEARCHES.replace("HEAD", repr(CANARY[:-3])).replace("TAIL", repr(CANARY[-3:]))
    verdict = grade(lab.job(lab.submission(work=searches)), sandbox)
    assert "FOUND []" in verdict.notebook.decode()
    nothing_leaks(verdict)


def test_a_learner_who_calls_their_functions_after_names_of_tests_changes_nothing(lab: Lab, sandbox: Sandbox) -> None:
    honest = REFERENCE.replace(CANARY, "mine")
    limits = replace(FAST, wall_seconds=60)
    verdict = grade(lab.job(lab.submission(work=honest + "\nout = x = result = expected = math = 5"), limits), sandbox)
    assert verdict.score == 7, [cell.reason_en for cell in verdict.cells]
