"""Ten answers to one lab written apart, and copies of each in disguise: the first stay unflagged, the second do not."""

from __future__ import annotations

import ast
import builtins
import itertools
import json
import random
import re
import time
from pathlib import Path

import pytest

from grader.similarity.compare import FEWEST, THRESHOLD, alike, matches
from grader.similarity.fingerprint import MOST_BYTES, MOST_CHARS, every_run, fingerprints
from grader.similarity.tokens import code_tokens, prose_tokens

DATA = Path(__file__).parent / "data" / "similarity"
CELL = re.compile(r"^# %% .*\n", re.MULTILINE)
ASKED = {"timecode", "merge_cuts", "spoken_words", "schedule"}


def notebook(*cells: str, kind: str = "code") -> bytes:
    return json.dumps({"cells": [{"cell_type": kind, "source": cell} for cell in cells], "nbformat": 4}).encode()


def cells_of(name: str) -> list[str]:
    return CELL.split((DATA / f"{name}.txt").read_text(encoding="utf-8"))[1:]


SKELETON = notebook(*cells_of("skeleton"))
APART = {file.stem: cells_of(file.stem) for file in sorted(DATA.glob("?.txt"))}


class _Disguise(ast.NodeTransformer):
    """Renames what the writer named; heavily, also rewrites ``a += b`` and puts dead statements between."""

    def __init__(self, rng: random.Random, *, heavy: bool) -> None:
        self.rng, self.heavy, self.names = rng, heavy, {}

    def rename(self, name: str) -> str:
        if name in ASKED or hasattr(builtins, name):
            return name
        return self.names.setdefault(name, f"{self.rng.choice('abcxyz')}{len(self.names)}_{self.rng.randrange(99)}")

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.rename(node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self.rename(node.arg))

    def visit_keyword(self, node: ast.keyword) -> ast.keyword:
        return ast.keyword(node.arg, self.visit(node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        if not self.heavy:
            return node
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        return ast.Assign([node.target], ast.BinOp(read, node.op, node.value), lineno=1)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.name = self.rename(node.name)
        if self.heavy:
            dead = ast.parse(f"unused{self.rng.randrange(9)} = None").body
            node.body = [part for one in node.body for part in ([*dead, one] if self.rng.random() < 0.4 else [one])]
        return node


def disguise(cells: list[str], seed: int, *, heavy: bool) -> list[str]:
    rng = random.Random(seed)  # noqa: S311 -- a disguise, not a secret
    change = _Disguise(rng, heavy=heavy)
    made = [ast.unparse(ast.fix_missing_locations(change.visit(ast.parse(cell)))) for cell in cells]
    rng.shuffle(made)
    return [f"# my own idea\n{cell}" for cell in made]


def test_answers_written_apart_are_not_flagged() -> None:
    found = alike({name: notebook(*cells) for name, cells in APART.items()}, every_run(SKELETON), threshold=0)
    likest = max(pair.likeness for pair in found)
    assert len(list(itertools.combinations(APART, 2))) == 45
    assert likest < 0.75 * THRESHOLD, found[0]


@pytest.mark.parametrize(("heavy", "least"), [(False, 0.8), (True, 1.2 * THRESHOLD)])
def test_every_disguised_copy_is_flagged_and_nothing_else(*, heavy: bool, least: float) -> None:
    for seed, (name, cells) in enumerate(APART.items()):
        cohort = {one: notebook(*its) for one, its in APART.items()}
        cohort["copy"] = notebook(*disguise(cells, seed, heavy=heavy))
        (pair,) = alike(cohort, every_run(SKELETON))
        assert {pair.left, pair.right} == {name, "copy"}
        assert pair.likeness >= least, pair


def test_a_copy_of_part_of_an_answer_is_flagged() -> None:
    cohort = {name: notebook(*cells) for name, cells in APART.items()}
    for name, other in (("a", "j"), ("f", "g"), ("c", "h")):
        taken = disguise(APART[name], 3, heavy=False)
        mixed = {**cohort, "copy": notebook(*taken[:3], *APART[other][:1])}
        assert {(pair.left, pair.right) for pair in alike(mixed, every_run(SKELETON))} >= {
            tuple(sorted((name, "copy")))
        }


def test_what_the_lab_gave_and_what_many_have_says_nothing() -> None:
    skeleton = cells_of("skeleton")
    untouched = {f"learner{n}": notebook(*skeleton) for n in range(5)}
    assert alike(untouched, every_run(SKELETON)) == ()
    idiom = APART["a"][0] + APART["a"][1]
    same_idiom = {name: notebook(idiom, *cells) for name, cells in APART.items() if name != "a"}
    assert alike(same_idiom, every_run(SKELETON)) == ()


def test_a_short_answer_is_not_judged() -> None:
    short = notebook("def timecode(seconds, fps=24):\n    return str(round(seconds * fps))")
    assert 0 < len(fingerprints(short).places) < FEWEST
    assert alike({"one": short, "two": short}, frozenset()) == ()


def test_texts_are_compared_word_by_word_whatever_the_script() -> None:
    ours = (
        "雨夜，便利店门口。她推开门，手里的伞还在滴水，柜台后没有人，只有电话在响。" * 1
        + "她接起电话，里面是她自己的声音。"
    )
    theirs = "清晨的码头，渔船正在靠岸。老人数着箱子，发现多了一只，箱盖上写着他儿子的名字。" + "他不敢打开。"
    copied = ours.replace("，", ",").replace("。", ". ").replace("她", "她")
    essays = {"one": ours, "two": theirs, "three": copied}
    (pair,) = alike({name: notebook(text, kind="markdown") for name, text in essays.items()}, frozenset())
    assert (pair.left, pair.right, pair.likeness) == ("one", "three", 1.0)


def test_matching_parts_are_found_on_both_sides() -> None:
    cells = APART["b"]
    copy = disguise(cells, 1, heavy=False)
    left, right = fingerprints(notebook(*cells)), fingerprints(notebook(*copy))
    found = matches(left, right)
    assert {one.left.cell for one in found} == set(range(len(cells)))
    for one in found:
        ours = left.cells[one.left.cell][one.left.start : one.left.end]
        theirs = right.cells[one.right.cell][one.right.start : one.right.end]
        assert [t.text for t in code_tokens(ours)][-1] == [t.text for t in code_tokens(theirs)][-1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[" * 100_000,
        json.dumps({"cells": 3}).encode(),
        json.dumps({"cells": [3, {"source": {"a": 1}}, {"cell_type": ["x"], "source": [1, None]}]}).encode(),
        notebook("(" * 150_000),
        notebook('"""' * 50_000),
        notebook("'" * 150_000),
        notebook("\\" * 150_000),
        notebook("a." * 75_000),
        notebook("1_" * 75_000),
        notebook("r" * 150_000 + '"'),
        notebook("\ud800 \x00 def"),
        notebook("x = 1\n" * 100_000),
        b" " * (MOST_BYTES + 1),
    ],
)
def test_no_notebook_breaks_or_stalls_the_comparison(content: bytes) -> None:
    honest = {name: notebook(*cells) for name, cells in list(APART.items())[:3]}
    begun = time.process_time()
    assert alike({**honest, "hostile": content}, every_run(SKELETON)) == ()
    assert time.process_time() - begun < 10
    assert sum(map(len, fingerprints(content).cells)) <= MOST_CHARS


def test_names_literals_and_layout_make_no_difference() -> None:
    one = code_tokens("total = [1, 2, 3]  # sum\nprint(f'{total}', clip.fps)")
    two = code_tokens('s=[ 10,20 , 30,40 ]\n\nprint ( "sum",  film.fps )')
    assert [t.text for t in one] == [t.text for t in two]
    assert [t.text for t in code_tokens("len(x)")] != [t.text for t in code_tokens("max(x)")]
    assert [t.text for t in prose_tokens("Show, don't TELL！")] == ["show", "don", "t", "tell"]
