"""Honest notebooks: what an instructor writes for stock nbgrader means the same here."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from grader.grade import grade
from grader.sandbox.box import Sandbox, open_sandbox

sys.path.insert(0, str(Path(__file__).parent))
from typing import TYPE_CHECKING

from lab_maker import Lab, check, code, essay, essay_code, locked, solution, text

if TYPE_CHECKING:
    from grader.verdict import Verdict


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return open_sandbox(warm=False)


def scores(verdict: Verdict) -> dict[str, float]:
    return {cell.grade_id: cell.score for cell in verdict.cells}


def full_marks(lab: Lab, sandbox: Sandbox, **answers: str) -> Verdict:
    verdict = grade(lab.job(lab.submission(**answers)), sandbox)
    assert verdict.failure is None
    assert verdict.score == verdict.max_score, [(c.grade_id, c.reason_en) for c in verdict.cells]
    return verdict


SQUARES = """def squares(n):
    ### BEGIN SOLUTION
    if n < 1:
        raise ValueError("n must be positive")
    return [i * i for i in range(1, n + 1)]
    ### END SOLUTION
"""
USES = """orig = squares
del squares
try:
    total(1)
except NameError:
    pass
else:
    raise AssertionError("total does not use squares")
finally:
    squares = orig
assert total(3) == 14
"""


@pytest.fixture(scope="module")
def squares_lab() -> Lab:
    return Lab(
        text("# Squares"),
        code("import numpy as np"),
        solution("squares", SQUARES),
        check(
            "first",
            "assert squares(3) == [1, 4, 9], 'three squares'\n### BEGIN HIDDEN TESTS\n"
            "assert squares(4) == [1, 4, 9, 16], 'canary-hidden'\n### END HIDDEN TESTS\n",
            2,
        ),
        check("raises", "try:\n    squares(0)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError('none')"),
        solution("total", "def total(n):\n    ### BEGIN SOLUTION\n    return sum(squares(n))\n    ### END SOLUTION\n"),
        check("uses", USES),
        check("array", "np.testing.assert_allclose(np.array(squares(3)) / 2, [0.5, 2, 4.5])"),
        essay("why"),
    )


HONEST = {
    "squares": "def squares(n):\n    if n < 1: raise ValueError\n    return [i * i for i in range(1, n + 1)]",
    "total": "def total(n):\n    return sum(squares(n))",
}


def test_honest_work_gets_every_automatic_point(squares_lab: Lab, sandbox: Sandbox) -> None:
    verdict = grade(squares_lab.job(squares_lab.submission(**HONEST)), sandbox)
    assert verdict.failure is None
    assert scores(verdict) == {"first": 2, "raises": 1, "uses": 1, "array": 1, "why": 0}
    assert verdict.max_score == 10
    assert [cell.kind for cell in verdict.cells][-1] == "manual"
    assert verdict.cells[0].title == "Squares"


def test_blank_release_gets_nothing(squares_lab: Lab, sandbox: Sandbox) -> None:
    verdict = grade(squares_lab.job(squares_lab.release), sandbox)
    assert verdict.score == 0
    assert verdict.failure is None


def test_hidden_failure_says_nothing_of_the_hidden_test(squares_lab: Lab, sandbox: Sandbox) -> None:
    almost = {**HONEST, "squares": "def squares(n):\n    if n < 1: raise ValueError\n    return [1, 4, 9][:n]"}
    verdict = grade(squares_lab.job(squares_lab.submission(**almost)), sandbox)
    first = verdict.cells[0]
    assert first.score == 0
    assert "hidden check" in first.reason_en
    assert "隐藏检查" in first.reason_zh
    everything = verdict.notebook.decode() + repr(verdict.cells)
    assert "canary-hidden" not in everything
    assert "16" not in first.reason_en + first.reason_zh + first.output


def test_visible_failure_shows_the_line_and_the_message(squares_lab: Lab, sandbox: Sandbox) -> None:
    wrong = {**HONEST, "squares": "def squares(n):\n    return [0]"}
    first = grade(squares_lab.job(squares_lab.submission(**wrong)), sandbox).cells[0]
    assert "assert squares(3) == [1, 4, 9]" in first.reason_en
    assert "three squares" in first.reason_zh


def test_learners_exception_is_shown_with_its_place(squares_lab: Lab, sandbox: Sandbox) -> None:
    wrong = {**HONEST, "squares": "def squares(n):\n    return undefined_thing"}
    first = grade(squares_lab.job(squares_lab.submission(**wrong)), sandbox).cells[0]
    assert "undefined_thing" in first.reason_en
    assert "in squares" in first.reason_en
    assert "/opt/" not in first.reason_en


def test_graded_notebook_is_valid_and_shows_reasons_and_outputs(squares_lab: Lab, sandbox: Sandbox) -> None:
    nbformat = pytest.importorskip("nbformat")
    answers = {**HONEST, "total": "def total(n):\n    return sum(squares(n))\nprint('made by me')\ntotal(2)"}
    verdict = grade(squares_lab.job(squares_lab.submission(**answers)), sandbox)
    notebook = nbformat.reads(verdict.notebook.decode(), as_version=4)
    nbformat.validate(notebook)
    shown = json.dumps(notebook)
    assert "made by me" in shown
    assert "All checks held." in shown
    assert "BEGIN HIDDEN" not in shown


PLAIN = {
    "none": "None",
    "bool": "True",
    "int": "10**40",
    "float": "float('inf')",
    "complex": "1+2j",
    "text": "'電影 🎬'",
    "bytes": "b'\\x00\\xff'",
    "nested": "{'a': [1, (2, 3), {4}], ('k', 1): {'b': None}, 'f': frozenset([1])}",
    "range": "range(1, 10, 2)",
    "counter": "__import__('collections').Counter('abca')",
    "ordered": "__import__('collections').OrderedDict(a=1)",
    "path": "__import__('pathlib').Path('a/b')",
    "array": "__import__('numpy').arange(6).reshape(2, 3)[:, ::-1]",
    "scalar": "__import__('numpy').float32(1.5)",
}


def test_plain_data_arrives_as_exact_types(sandbox: Sandbox) -> None:
    tests = [
        check(
            name,
            f"import numpy as np\nexpected = {value}\ngot = make({name!r})\nassert type(got) is type(expected)\n"
            "assert np.array_equal(got, expected) if isinstance(got, np.ndarray) else got == expected",
        )
        for name, value in PLAIN.items()
    ]
    body = "def make(name):\n    return {" + ", ".join(f"{k!r}: {v}" for k, v in PLAIN.items()) + "}[name]"
    lab = Lab(solution("make", f"### BEGIN SOLUTION\n{body}\n### END SOLUTION"), *tests)
    full_marks(lab, sandbox, make=body)


CLASSES = """class Clip:
    'A piece of film.'
    count = 0

    def __init__(self, seconds, title='untitled'):
        self.seconds, self.title = seconds, title
        Clip.count += 1

    def cut(self, at):
        if not 0 < at < self.seconds:
            raise CutError('outside', at)
        return Clip(at, self.title), Clip(self.seconds - at, self.title)

    def __len__(self):
        return int(self.seconds)

    def __add__(self, other):
        return Clip(self.seconds + other.seconds, self.title)

    def __repr__(self):
        return f'Clip({self.seconds})'

    @property
    def frames(self):
        return self.seconds * 24


class CutError(ValueError):
    pass


def clips():
    for n in range(3):
        yield Clip(n + 1)
"""
CLASS_TEST = """import inspect
clip = Clip(10, title='dawn')
assert isinstance(clip, Clip) and not isinstance(3, Clip)
assert clip.title == 'dawn' and clip.frames == 240 and len(clip) == 10
first, second = clip.cut(4)
assert (first.seconds, second.seconds) == (4, 6)
assert (first + second).seconds == 10
assert str(clip) == 'Clip(10)' and f'{clip}' == 'Clip(10)'
try:
    clip.cut(99)
    raise AssertionError('no error')
except CutError as error:
    assert isinstance(error, ValueError) and error.args == ('outside', 99)
assert [one.seconds for one in clips()] == [1, 2, 3]
assert hasattr(clip, 'title') and not hasattr(clip, 'colour')
clip.title = 'dusk'
assert clip.title == 'dusk'
assert list(inspect.signature(Clip).parameters) == ['seconds', 'title']
assert Clip.__doc__ == 'A piece of film.' and Clip.__name__ == 'Clip'
import pytest
with pytest.raises(CutError):
    clip.cut(-1)
with pytest.raises(ValueError, match='outside'):
    clip.cut(-1)
with pytest.raises(AttributeError):
    clip.colour
"""


def test_classes_instances_generators_and_own_exceptions(sandbox: Sandbox) -> None:
    lab = Lab(solution("clip", f"### BEGIN SOLUTION\n{CLASSES}\n### END SOLUTION"), check("class", CLASS_TEST))
    full_marks(lab, sandbox, clip=CLASSES)


IN_PLACE = """def double(xs):
    for i in range(len(xs)):
        xs[i] *= 2

def pop_first(xs):
    return xs.pop(0)

def biggest(xs):
    return max(xs)

def apply(f, xs):
    return [f(x) for x in xs]

def slope(f, x, h=1e-6):
    return (f(x + h) - f(x - h)) / (2 * h)
"""
IN_PLACE_TEST = """import math
data = [1, 2, 3]
assert double(data) is None
assert data == [2, 4, 6]
assert pop_first(data) == 2
assert data == [4, 6]
biggest(data)
assert data == [4, 6]
assert apply(lambda x: x + 1, [1, 2]) == [2, 3]
assert abs(slope(math.sin, 0.0) - 1) < 1e-6
def raises(x):
    raise KeyError(x)
try:
    apply(raises, [1])
    raise AssertionError('no error')
except KeyError:
    pass
"""


def test_arguments_changed_in_place_and_functions_handed_in(sandbox: Sandbox) -> None:
    lab = Lab(solution("f", f"### BEGIN SOLUTION\n{IN_PLACE}\n### END SOLUTION"), check("place", IN_PLACE_TEST))
    full_marks(lab, sandbox, f=IN_PLACE)
    spoils = IN_PLACE.replace("return max(xs)", "xs.sort(reverse=True); xs.pop(); return 6")
    verdict = grade(lab.job(lab.submission(f=spoils)), sandbox)
    assert verdict.score == 0


def test_state_of_the_notebook_is_seen_in_order(sandbox: Sandbox) -> None:
    lab = Lab(
        locked("given", "import math\nSCALE = 3\ndef tolerance():\n    return 1e-9"),
        solution("one", "### BEGIN SOLUTION\nx = SCALE * 2\nresult = x\n### END SOLUTION"),
        check("t-one", "result = x + 0\nassert result == 6 and math.isclose(x, 6, rel_tol=tolerance())"),
        solution("two", "### BEGIN SOLUTION\nx = x + 1\nresult = x * 10\n### END SOLUTION"),
        check("t-two", "assert x == 7\nassert result == 70"),
    )
    full_marks(lab, sandbox, one="x = SCALE * 2\nresult = x", two="x = x + 1\nresult = x * 10")


def test_partial_credit_is_the_number_a_test_ends_with(sandbox: Sandbox) -> None:
    lab = Lab(
        solution("n", "### BEGIN SOLUTION\nn = 3\n### END SOLUTION"),
        check("part", "points = 0\nif n > 1:\n    points += 1.5\npoints", 4),
        check("numpy", "import numpy as np\nnp.float64(0.5)", 1),
        check("word", "'done'", 1),
        check("flag", "n == 3", 1),
        check("too-much", "n * 100", 2),
        check("negative", "-1", 2),
    )
    verdict = grade(lab.job(lab.submission(n="n = 3")), sandbox)
    expected = {"part": 1.5, "numpy": 0.5, "word": 1, "flag": 1, "too-much": 0, "negative": 0}
    assert scores(verdict) == expected


def test_tests_read_the_files_a_notebook_wrote(sandbox: Sandbox) -> None:
    lab = Lab(
        solution("w", "### BEGIN SOLUTION\nopen('shots.json','w').write('[1,2]')\n### END SOLUTION"),
        check("file", "import json\nwith open('shots.json') as file:\n    assert json.load(file) == [1, 2]"),
        check("given", "assert open('given.txt').read() == 'as released'"),
        files={"given.txt": b"as released"},
    )
    answer = "import os; os.makedirs('out', exist_ok=True); open('out/clip.bin','wb').write(bytes(70000))\n"
    answer += "open('shots.json','w').write('[1,2]'); open('given.txt','w').write('forged')"
    verdict = full_marks(lab, sandbox, w=answer)
    assert {file.path: file.bytes for file in verdict.files} == {"shots.json": 5, "out/clip.bin": 70000}


def test_lab_modules_and_submitted_files_can_be_used(sandbox: Sandbox) -> None:
    lab = Lab(
        locked("imports", "from helper import expected"),
        solution("s", "### BEGIN SOLUTION\nfrom mine import value\nanswer = value\n### END SOLUTION"),
        check("t", "assert answer == expected()"),
        files={"helper.py": b"def expected():\n    return 42\n"},
    )
    job = lab.job(lab.submission(s="from mine import value\nanswer = value"), **{"mine.py": b"value = 42\n"})
    verdict = grade(job, sandbox)
    assert verdict.score == 1, verdict.cells


def test_a_cell_that_fails_does_not_stop_the_next(sandbox: Sandbox) -> None:
    lab = Lab(
        solution("a", "### BEGIN SOLUTION\na = 1\n### END SOLUTION"),
        check("ta", "assert a == 1"),
        solution("b", "### BEGIN SOLUTION\nb = 2\n### END SOLUTION"),
        check("tb", "assert b == 2"),
    )
    verdict = grade(lab.job(lab.submission(a="import sys\nsys.exit(1)", b="b = 2")), sandbox)
    assert scores(verdict) == {"ta": 0, "tb": 1}
    assert verdict.failure is None


def test_magics_shell_lines_and_pictures(sandbox: Sandbox) -> None:
    lab = Lab(
        locked("setup", "%matplotlib inline\nimport math"),
        solution("s", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"),
        check("t", "%time\nassert math.floor(x) == 1"),
    )
    drawn = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n!echo from the shell\n%time x = 1"
    verdict = full_marks(lab, sandbox, s=drawn)
    assert '"image/png"' in verdict.notebook.decode()
    assert "from the shell" in verdict.notebook.decode()


def test_hand_graded_code_shows_its_output(sandbox: Sandbox) -> None:
    lab = Lab(essay_code("scene", ""))
    verdict = grade(lab.job(lab.submission(scene="print('INT. KITCHEN')")), sandbox)
    assert verdict.cells[0].kind == "manual"
    assert "INT. KITCHEN" in verdict.cells[0].output


def test_a_test_that_writes_to_stderr_fails_as_in_nbgrader(sandbox: Sandbox) -> None:
    lab = Lab(
        solution("s", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"),
        check("t", "import sys\nprint('too small', file=sys.stderr)"),
    )
    cell = grade(lab.job(lab.submission(s="x = 1")), sandbox).cells[0]
    assert cell.score == 0
    assert "too small" in cell.reason_en


def test_toolkit_values_cross_as_themselves(sandbox: Sandbox) -> None:
    lab = Lab(
        locked("imports", "from shots import Shot, Size"),
        solution(
            "s", "### BEGIN SOLUTION\ndef closer(shot):\n    return Shot(shot.name, Size.CLOSE)\n### END SOLUTION"
        ),
        check("t", "assert closer(Shot('a', Size.WIDE)) == Shot('a', Size.CLOSE)"),
        files={
            "shots.py": b"import enum\nfrom dataclasses import dataclass\nclass Size(enum.Enum):\n    WIDE = 1\n"
            b"    CLOSE = 2\n@dataclass(frozen=True)\nclass Shot:\n    name: str\n    size: Size\n"
        },
    )
    full_marks(lab, sandbox, s="def closer(shot):\n    return Shot(shot.name, Size.CLOSE)")


VECTOR = """from dataclasses import dataclass

class Vector:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)
    def __mul__(self, k):
        return Vector(self.x * k, self.y * k)
    __rmul__ = __mul__
    def __eq__(self, other):
        return isinstance(other, Vector) and (self.x, self.y) == (other.x, other.y)
    def __lt__(self, other):
        return self.x < other.x
    def __len__(self):
        return 2
    def __iter__(self):
        return iter((self.x, self.y))
    def __contains__(self, item):
        return item in (self.x, self.y)

@dataclass
class Point:
    x: int

class Other:
    pass
"""
VECTOR_TEST = """assert Vector(1, 2) + Vector(3, 4) == Vector(4, 6)
assert Vector(1, 2) * 3 == Vector(3, 6) and 2 * Vector(1, 1) == Vector(2, 2)
assert Vector(1, 2) != Vector(2, 1) and Vector(1, 0) < Vector(2, 0)
assert sorted([Vector(2, 0), Vector(1, 0)])[0].x == 1
assert len(Vector(1, 2)) == 2 and list(Vector(1, 2)) == [1, 2] and 2 in Vector(1, 2)
assert Point(3) == Point(3) and repr(Point(3)) == 'Point(x=3)'
"""


def test_special_methods_the_lab_teaches_are_the_learners_to_answer(sandbox: Sandbox) -> None:
    lab = Lab(
        solution("v", f"### BEGIN SOLUTION\n{VECTOR}\n### END SOLUTION"),
        check("taught", VECTOR_TEST),
        check("not-taught", "assert Other() == Other() or True"),
    )
    verdict = grade(lab.job(lab.submission(v=VECTOR)), sandbox)
    assert scores(verdict) == {"taught": 1, "not-taught": 0}, verdict.cells
    assert "type Other" in verdict.cells[1].reason_en


def test_what_the_learners_code_prints_can_be_tested(sandbox: Sandbox) -> None:
    test = (
        "import io, contextlib\nseen = io.StringIO()\nwith contextlib.redirect_stdout(seen):\n    greet('Ana')\n"
        "assert seen.getvalue() == 'Hello, Ana\\n'\ngreet('you')"
    )
    lab = Lab(solution("g", "### BEGIN SOLUTION\ndef greet(n):\n    pass\n### END SOLUTION"), check("t", test))
    verdict = full_marks(lab, sandbox, g="def greet(n):\n    print('Hello,', n)")
    assert verdict.cells[0].output == "Hello, you\n"


def test_seeding_in_a_test_reaches_the_learners_generators(sandbox: Sandbox) -> None:
    body = "import random\nimport numpy as np\ndef roll():\n    return random.random(), float(np.random.rand())"
    test = (
        "import random\nimport numpy\nrandom.seed(7)\nnumpy.random.seed(3)\nfirst = roll()\nrandom.seed(7)\n"
        "numpy.random.seed(3)\nassert first == roll() == (random.random(), numpy.random.rand()) or False"
    )
    test = test.replace("assert first == roll() == ", "random.seed(7); numpy.random.seed(3)\nassert first == ")
    lab = Lab(solution("r", f"### BEGIN SOLUTION\n{body}\n### END SOLUTION"), check("t", test))
    full_marks(lab, sandbox, r=body)


def test_kinds_of_callables_can_be_asked_for(sandbox: Sandbox) -> None:
    test = (
        "import inspect, types\nassert isinstance(f, types.FunctionType) and inspect.isclass(C) and callable(f) and f\n"
        "assert list(keys()) == ['a'] and sorted(keys()) == ['a'] and list(map(str, gen())) == ['0', '1']\n"
        "assert inspect.isgenerator(gen())"
    )
    body = "def f(): pass\nclass C: pass\ndef keys(): return {'a': 1}.keys()\ndef gen():\n    yield 0\n    yield 1"
    lab = Lab(solution("k", f"### BEGIN SOLUTION\n{body}\n### END SOLUTION"), check("t", test))
    full_marks(lab, sandbox, k=body)


def test_a_submission_that_is_no_notebook_scores_nothing_and_says_why(squares_lab: Lab, sandbox: Sandbox) -> None:
    verdict = grade(squares_lab.job(b"%PDF-1.7"), sandbox)
    assert verdict.failure is not None
    assert verdict.failure.kind == "learner"
    assert "%PDF" in verdict.failure.reason_en
    assert scores(verdict) == {"first": 0, "raises": 0, "uses": 0, "array": 0, "why": 0}


def test_what_is_our_fault_is_never_the_learners(squares_lab: Lab, sandbox: Sandbox) -> None:
    broken = replace(squares_lab.version, source=b"not a notebook")
    job = replace(squares_lab.job(squares_lab.submission(**HONEST)), lab_version=broken)
    assert grade(job, sandbox).failure.kind == "infrastructure"
    no_models = replace(squares_lab.version, read_only=(("/there/is/none", "/models"),))
    job = replace(squares_lab.job(squares_lab.submission(**HONEST)), lab_version=no_models)
    verdict = grade(job, sandbox)
    assert verdict.failure.kind == "infrastructure"
    assert "/there" in verdict.failure.reason_en


@pytest.mark.slow
def test_torch_tensors_and_modules(sandbox: Sandbox) -> None:
    body = (
        "import torch\nclass Net(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.layer = torch.nn.Linear(3, 2)\n    def forward(self, x):\n        return self.layer(x)\n"
        "def draw():\n    return torch.rand(2)\n"
    )
    test = (
        "import torch\nnet = Net()\nx = torch.ones(4, 3)\ny = net(x)\nassert y.shape == (4, 2)\n"
        "assert sum(p.numel() for p in net.parameters()) == 8\n"
        "assert torch.allclose(y, x @ net.layer.weight.T + net.layer.bias, atol=1e-6)\n"
        "assert isinstance(net, torch.nn.Module)\ntorch.manual_seed(1)\nexpected = torch.rand(2)\n"
        "torch.manual_seed(1)\nassert torch.equal(draw(), expected)"
    )
    lab = Lab(solution("net", f"### BEGIN SOLUTION\n{body}\n### END SOLUTION"), check("t", test))
    full_marks(lab, sandbox, net=body)
