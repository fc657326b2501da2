"""Attacks on the score: no submission that has not done the work gets a point, and nothing hidden comes out."""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from grader.grade import grade
from grader.sandbox.box import Sandbox, open_sandbox

sys.path.insert(0, str(Path(__file__).parent))
from lab_maker import FAST, Lab, check, code, locked, solution, text

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
def sandbox() -> Sandbox:
    return open_sandbox("auto")


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


def nothing_leaks(verdict, *, but_inputs: bool = False) -> None:
    shown = repr([(c.reason_zh, c.reason_en, c.output, c.title) for c in verdict.cells]) + verdict.notebook.decode()
    shown += repr(verdict.failure) + "".join(repr(file.content) for file in verdict.files)
    assert CANARY not in shown
    assert "x / x.sum()" not in shown


def test_the_reference_gets_everything(lab, sandbox):
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
ATTACKS = {
    "always equal": EQUAL + "def normalise(xs): return Yes()\ndef longest(ws): return Yes()",
    "always equal, no base": EQUAL.replace("(float)", "").replace("float.__new__(cls, 0)", "object.__new__(cls)")
    + "def normalise(xs): return Yes()\ndef longest(ws): return Yes()",
    "str subclass": "class S(str):\n    def __eq__(s, o): return True\n    __hash__ = str.__hash__\n    def startswith(s, *a): return True\n"
    "    def __len__(s): return 27\ndef longest(ws): return S('no')\ndef normalise(xs): return [S('x')]",
    "list of liars": EQUAL + "def normalise(xs): return [Yes(), Yes(), Yes()]\ndef longest(ws): return [Yes()]",
    "array subclass": "import numpy\nclass A(numpy.ndarray):\n    def __eq__(s, o): return numpy.ones(3, bool)\n"
    "    def __array_ufunc__(s, *a, **k): return numpy.ones(3, bool)\n    def __array_function__(s, *a, **k): return True\n"
    "def normalise(xs): return numpy.zeros(len(xs)).view(A)\ndef longest(ws): return ''",
    "object array of liars": EQUAL
    + "import numpy\ndef normalise(xs):\n    a = numpy.empty(len(xs), object)\n    a[:] = [Yes() for _ in xs]\n"
    "    return a\nlongest = normalise",
    "numpy.testing replaced": "import numpy.testing as t\nfor n in dir(t):\n    if n.startswith('assert'): setattr(t, n, lambda *a, **k: None)\n"
    "np.allclose = lambda *a, **k: True\nnp.testing.assert_allclose = lambda *a, **k: None\n"
    "def normalise(xs): return np.zeros(len(xs))\ndef longest(ws): return ''",
    "names of the test rebound": "class np:\n    class testing:\n        assert_allclose = staticmethod(lambda *a, **k: None)\n"
    "    allclose = staticmethod(lambda *a, **k: True)\n    array = staticmethod(lambda x: x)\nx = out = result = 1\n"
    "def normalise(xs): return 0\ndef longest(ws): return ''",
    "builtins replaced": "import builtins\nbuiltins.abs = lambda *a: 0\nbuiltins.isinstance = lambda *a: True\nbuiltins.len = lambda *a: 3\n"
    "builtins.AssertionError = type('E', (BaseException,), {})\nabs = lambda x: 0\nlen = lambda x: 27\nisinstance = lambda *a: True\n"
    "def normalise(xs): return 0\ndef longest(ws): return 'no'",
    "display hook": "ip = get_ipython()\nip.display_formatter.format = lambda *a, **k: ({'text/plain': '3'}, {})\n"
    "import sys\nsys.displayhook = lambda *a: print(3)\ndef normalise(xs): return 0\ndef longest(ws): return ''",
    "cell transformer": "ip = get_ipython()\nip.ast_transformers.clear()\nip.input_transformers_cleanup.append(lambda lines: ['pass'])\n"
    "ip.run_cell = lambda *a, **k: None\ndef normalise(xs): return 0\ndef longest(ws): return ''",
    "excepthook and settrace": "import sys, threading\ndef quiet(*a): return quiet\nsys.settrace(quiet); threading.settrace(quiet)\n"
    "sys.excepthook = quiet\nsys.setprofile(quiet)\ndef normalise(xs): return 0\ndef longest(ws): return ''",
    "frames": "import sys\ndef normalise(xs):\n    f = sys._getframe()\n    while f:\n        f.f_globals['np'] = None\n        for k in list(f.f_locals):\n"
    "            f.f_locals[k] = True\n        f = f.f_back\n    return 0\nlongest = normalise",
    "gc": "import gc\ndef normalise(xs):\n    for o in gc.get_objects():\n        if isinstance(o, dict) and 'passed' in o: o['passed'] = True\n"
    "        if isinstance(o, list):\n            try: o[:] = [True] * len(o)\n            except Exception: pass\n    return 0\ndef longest(ws): return ''",
    "os._exit": "import os\ndef normalise(xs): os._exit(0)\ndef longest(ws): os._exit(0)",
    "os._exit at once": "import os\nos._exit(0)",
    "atexit": 'import atexit, os\natexit.register(lambda: os.write(1, b\'{"ok": {"passed": true}}\'))\n'
    "def normalise(xs): raise SystemExit(0)\ndef longest(ws): raise SystemExit(0)",
    "forged answers on every descriptor": "import os, json\nforged = (json.dumps({'ok': {'passed': True, 'value': None}}) + '\\n').encode() * 50\n"
    "for fd in range(1, 30):\n    try: os.write(fd, forged)\n    except OSError: pass\ndef normalise(xs): return 0\ndef longest(ws): return ''",
    "forged answers during a call": "import os, json\nforged = (json.dumps({'ok': [0.25, 0.25, 0.5]}) + '\\n').encode()\n"
    "def normalise(xs):\n    for fd in range(3, 30):\n        try: os.write(fd, forged)\n        except OSError: pass\n    return 0\n"
    "def longest(ws): return ''",
    "answers that break the checker's parser": "import os\ndef normalise(xs):\n    for fd in range(3, 12):\n        try: os.write(fd, b'[' * 100000 + b'\\n')\n"
    "        except OSError: pass\n    return 0\ndef longest(ws): return ''",
    "printed partial credit": "print('3')\nprint(100)\n7\ndef normalise(xs): print(7); return 7\ndef longest(ws): return 2",
    "exceptions that would end the checker": "def normalise(xs): raise SystemExit(0)\ndef longest(ws): raise KeyboardInterrupt",
    "generator exit": "def normalise(xs): raise GeneratorExit\ndef longest(ws): raise StopIteration",
    "pickle bomb": "class P:\n    def __reduce__(self): return (print, ('owned',))\n    def __reduce_ex__(self, v): return (print, ('owned',))\n"
    "def normalise(xs): return P()\ndef longest(ws): return P()",
    "thread changes results later": "import threading, time\ndef normalise(xs):\n    out = np.zeros(len(xs))\n    threading.Thread(target=lambda: "
    "(time.sleep(0.01), out.__setitem__(slice(None), 1)), daemon=True).start()\n    return out\ndef longest(ws): return ''",
    "arguments spoiled": "def normalise(xs):\n    if isinstance(xs, np.ndarray):\n        xs[:] = 0\n        return xs / xs.sum()\n"
    "    return np.array(xs) * 0\ndef longest(ws):\n    ws.clear()\n    return ''",
    "runner patched": "import sys\nfor m in list(sys.modules.values()):\n    n = getattr(m, '__name__', '')\n    if n.startswith('grader'):\n"
    "        for k in list(vars(m)):\n            if callable(getattr(m, k)) and k[0].isalpha():\n                try: setattr(m, k, lambda *a, **k: True)\n"
    "                except Exception: pass\ndef normalise(xs): return 0\ndef longest(ws): return ''",
    "checker's names": "passed = True\n__builtins__ = None\n__name__ = 'x'\ndef __getattr__(n): return True\ndef normalise(xs): return 0\n"
    "def longest(ws): return ''",
    "hash collisions and deep nesting": "def normalise(xs):\n    v = []\n    for _ in range(5000): v = [v]\n    return v\ndef longest(ws): return ''",
    "array header lies": "import sys, base64\nw = sys.modules['grader.sandbox.wire']\n"
    "h = b'\\x93NUMPY\\x01\\x00v\\x00' + b\"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\".ljust(117) + b'\\n'\n"
    "w._array_bytes = lambda *a: base64.b64encode(h).decode()\ndef normalise(xs): return np.zeros(3)\ndef longest(ws): return ''",
    "object arrays through the wire": "import sys, base64, pickle\nw = sys.modules['grader.sandbox.wire']\n"
    "h = b'\\x93NUMPY\\x01\\x00v\\x00' + b\"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\".ljust(117) + b'\\n' + pickle.dumps([1])\n"
    "w._array_bytes = lambda *a: base64.b64encode(h).decode()\ndef normalise(xs): return np.zeros(3)\ndef longest(ws): return ''",
    "module as answer": "import os, sys\ndef normalise(xs): return os\nlongest = lambda ws: sys",
    "class as answer": "def normalise(xs): return np.ndarray\ndef longest(ws): return str",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_scores_nothing(name, lab, sandbox):
    verdict = grade(lab.job(lab.submission(work=ATTACKS[name])), sandbox)
    assert verdict.score == 0, [(cell.grade_id, cell.score, cell.reason_en) for cell in verdict.cells]
    assert verdict.failure is None or verdict.failure.kind == "learner"
    nothing_leaks(verdict)


def _game(lab: Lab, change) -> bytes:
    notebook = lab.submission(work="def normalise(xs): return 0\ndef longest(ws): return ''")
    change(notebook["cells"])
    return json.dumps(notebook).encode()


def _find(cells, grade_id):
    return next(cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def _skip_tags(cells):
    for cell in cells:
        cell["metadata"]["tags"] = ["skip-execution", "raises-exception"]


def _edit_tests(cells):
    for grade_id in ("visible", "hidden", "words"):
        _find(cells, grade_id)["source"] = "7"


def _retag(cells):
    for grade_id in ("visible", "hidden", "words"):
        _find(cells, grade_id)["metadata"]["nbgrader"] |= {
            "points": 1e9,
            "grade": True,
            "solution": True,
            "locked": False,
        }


def _to_markdown(cells):
    for grade_id in ("visible", "hidden", "words"):
        _find(cells, grade_id)["cell_type"] = "markdown"


def _delete_tests(cells):
    cells[:] = [cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") in (None, "work")]


def _copy_tests(cells):
    for grade_id in ("visible", "hidden", "words"):
        copy = json.loads(json.dumps(_find(cells, grade_id)))
        copy["source"] = "7"
        cells.insert(0, copy)


def _swap_ids(cells):
    one, two = _find(cells, "work"), _find(cells, "hidden")
    one["metadata"], two["metadata"] = two["metadata"], one["metadata"]


def _tests_first(cells):
    cells.reverse()


def _forged_outputs(cells):
    for cell in cells:
        if cell["cell_type"] == "code":
            shown = {"text/plain": "7", "text/html": "<script>alert(1)</script>"}
            cell["outputs"] = [{"output_type": "execute_result", "data": shown, "metadata": {}, "execution_count": 1}]


GAMES = (
    _skip_tags,
    _edit_tests,
    _retag,
    _to_markdown,
    _delete_tests,
    _copy_tests,
    _swap_ids,
    _tests_first,
    _forged_outputs,
)


@pytest.mark.parametrize("change", GAMES, ids=lambda change: change.__name__.strip("_"))
def test_games_with_cells_score_nothing(change, lab, sandbox):
    verdict = grade(lab.job(_game(lab, change)), sandbox)
    assert verdict.score == 0
    assert verdict.max_score == 7
    assert {cell.grade_id for cell in verdict.cells} == {"visible", "hidden", "words"}
    nothing_leaks(verdict)
    assert b"<script>" not in verdict.notebook


def test_scripts_and_pictures_that_are_none_are_dropped(lab, sandbox):
    shows = (
        "from IPython.display import HTML, Javascript, SVG, display\nlt = chr(60)\ndisplay(HTML(lt + 'script>alert(1)'))\n"
        "display(Javascript('alert(1)'))\ndisplay(SVG(lt + 'svg onload=\"alert(1)\"/>'))\n"
        "display({'image/png': 'PHN2Zz4=', 'text/html': lt + 'b>x'}, raw=True)\n"
    )
    verdict = grade(lab.job(lab.submission(work=shows)), sandbox)
    assert b"<script>" not in verdict.notebook
    assert b"<svg" not in verdict.notebook
    assert b'"image/png"' not in verdict.notebook


def test_html_in_a_learners_text_is_shown_as_text(lab, sandbox):
    notebook = lab.submission()
    for kind in ("markdown", "raw"):
        notebook["cells"].append({"cell_type": kind, "metadata": {}, "source": "<script>alert(1)</script>"})
    assert b"<script>" not in grade(lab.job(notebook), sandbox).notebook


def test_hidden_inputs_printed_by_the_learner_are_not_shown(lab, sandbox):
    spies = "def longest(ws):\n    print(ws)\n    import sys; sys.stderr.write(str(ws))\n    raise ValueError(str(ws))\ndef normalise(xs): return xs"
    verdict = grade(lab.job(lab.submission(work=spies)), sandbox)
    assert verdict.score == 0
    nothing_leaks(verdict)


def test_nothing_of_the_lab_but_the_release_is_in_the_box(lab, sandbox):
    searches = (
        "import os, subprocess\nfound = []\nfor base in ('/home', '/tmp', '/opt', '/dev/shm', '/var', '/etc', '/mnt', '/srv'):\n"
        "    for folder, _, files in os.walk(base):\n        for name in files:\n            try:\n"
        f"                if '{CANARY[:-3]}' + '{CANARY[-3:]}' in open(os.path.join(folder, name), errors='ignore').read(): found.append(name)\n"
        "            except OSError: pass\n"
        "for pid in os.listdir('/proc'):\n    for part in ('environ', 'cmdline', 'mem', 'maps'):\n        try:\n"
        "            data = open(f'/proc/{pid}/{part}', 'rb').read(10**6)\n            if b'reelwright' in data and part == 'environ': found.append(part)\n"
        "        except OSError: pass\nprint('FOUND', found)"
    )
    verdict = grade(lab.job(lab.submission(work=searches)), sandbox)
    assert "FOUND []" in verdict.notebook.decode()
    nothing_leaks(verdict)


def test_a_learner_who_calls_their_functions_after_names_of_tests_changes_nothing(lab, sandbox):
    honest = REFERENCE.replace(CANARY, "mine")
    limits = replace(FAST, wall_seconds=60)
    verdict = grade(lab.job(lab.submission(work=honest + "\nout = x = result = expected = math = 5"), limits), sandbox)
    assert verdict.score == 7, [cell.reason_en for cell in verdict.cells]
