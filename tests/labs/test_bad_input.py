"""What a learner gets wrong, in a real kernel: each says in their language what to do, and is no wall of traceback."""

from __future__ import annotations

import re
import shutil
import time
from typing import TYPE_CHECKING, Any

import av
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

if TYPE_CHECKING:
    from pathlib import Path

SETUP = """
import os
from labs.edit import assemble, cut_timeline
from labs.measure import look_at, probe, read_frames
from labs.script import parse, read
from labs.shots import read_timeline
from labs.takes import generate

DIRECT = '{"big": {"where": "direct"}}'
"""
CASES = {
    "missing": (
        "os.environ['REELWRIGHT_MODELS'] = 'nowhere'\ngenerate('a red ball', 1, 'a.mp4')",
        "没有模型文件夹 .*请告诉教师",
        "no model folder .*tell your instructor",
    ),
    "altered": (
        "os.environ['REELWRIGHT_MODELS'] = 'altered'\ngenerate('a red ball', 1, 'a.mp4')",
        "被改动过.*请告诉教师",
        "was altered.*tell your instructor",
    ),
    "unknown words": (
        "os.environ['REELWRIGHT_MODELS'] = MODELS\n_ = generate('cinematic 神秘 ball', 1, 'a.mp4', frames=9, steps=1)",
        "不认识、没有画进去的词：cinematic, 神秘",
        "does not know, and drew without: cinematic, 神秘",
    ),
    "frames": (
        "generate('a red ball', 1, 'a.mp4', frames=48)",
        "帧数：得到 48，应为 8 的倍数加 1，最多 49",
        "got 48, expected a multiple of 8 plus one, at most 49",
    ),
    "allowance": ("generate('a red ball', 1, 'a.mp4', frames=49)", "每条最多 25 帧", "use at most 25 frames"),
    "screenplay": ("parse('内景 电梯 - 夜\\n\\n门合上。')", "请写成“.内景 电梯 - 夜”", "write '.内景 电梯 - 夜'"),
    "no scene": ("parse('门合上。')", "至少一行以点开头的标题", "expected at least one, such as"),
    "not utf-8": ("read('gbk.fountain')", "请另存为 UTF-8", "save the file as UTF-8"),
    "timeline": ("read_timeline('broken.otio')", "请用 write_timeline 重新写出", "write it again with write_timeline"),
    "assembling": ("assemble('broken.otio', 'b.mp4')", "请用 write_timeline 重新写出", "again with write_timeline"),
    "no picture": ("read_frames('sound.mp4')", "没有视频流；请重新导出", "no video stream; export it again"),
    "no gpu": (
        "os.environ['REELWRIGHT_TAKES'] = DIRECT\ngenerate('a ball', 1, 'a.mp4', profile='big')",
        "需要 GPU，而这个实验环境没有；请启动带 GPU 的实验",
        "needs a GPU and this lab has none; start a lab that has one",
    ),
    "no profile": (
        "generate('a ball', 1, 'a.mp4', profile='huge')", "可用的有 big", "expected one of: big"
    ),
}  # fmt: skip
MOST_LINES = 6


@pytest.fixture
def folder(tmp_path: Path, models_dir: Path) -> Path:
    """A lab's folder with a broken timeline, a film without a picture, a script in GBK, and an altered model."""
    (tmp_path / "broken.otio").write_text('{"OTIO_SCHEMA": "Timeline.1", "tracks":')
    (tmp_path / "gbk.fountain").write_bytes(".内景 电梯 - 夜\n".encode("gbk"))
    shutil.copytree(models_dir, tmp_path / "altered")
    weights = next((tmp_path / "altered" / "house" / "transformer").glob("*.safetensors"))
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0\0")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return tmp_path


def test_each_mistake_says_what_to_do(
    intake: Any, folder: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELWRIGHT_MODELS", str(models_dir))
    now_us = time.time_ns() // 1000
    # An hour costs 3.6 yuan, a usual take lasts 3 s: 5000 micro-yuan pay 5 s of drawing.
    intake.session = {
        "course": "micro-drama", "lab": "first-take",
        "now_us": now_us, "started_us": now_us, "ends_us": now_us + 5_000_000,
        "why": "longest", "is_noticed": False, "cost_uy": 0, "left_uy": 0, "hour_uy": 3_600_000, "held_uy": 5_000,
    }  # fmt: skip
    cells = [SETUP + f"MODELS = {str(models_dir)!r}"]
    for locale in ("zh_CN", "en"):
        cells.append(f"os.environ['REELWRIGHT_LOCALE'] = {locale!r}")
        cells += [source for source, *_ in CASES.values()]
        cells.append("os.environ.pop('REELWRIGHT_TAKES')")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    client = NotebookClient(
        notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": str(folder)}}, kernel_name="python3"
    )
    client.execute()
    said = [_said(cell) for cell in notebook.cells]
    for start, place in ((2, 1), (4 + len(CASES), 2)):
        for number, (name, case) in enumerate(CASES.items(), start):
            assert re.search(case[place], said[number]), (name, said[number])
            assert said[number].count("\n") <= MOST_LINES, said[number]
    assert "line 2:  generate(" in said[4 + len(CASES)], "the learner's own line is shown"
    assert "site-packages" not in "".join(said)


def _said(cell: Any) -> str:
    """All that stands under a cell, without colours."""
    told = [output.get("text", "") + "\n".join(output.get("traceback", [])) for output in cell.outputs]
    return re.sub(r"\x1b\[[\d;]*m", "", "".join(told))
