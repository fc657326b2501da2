"""Named checks on films learners made: a right film passes, a wrong one is told why, a hostile one breaks nothing."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grader.grade import grade
from grader.sandbox.box import BoxPlan, Sandbox, open_sandbox
from grader.sandbox.warm import WarmSandbox

sys.path.insert(0, str(Path(__file__).parent))
from lab_maker import FAST, Lab, check, locked, solution, text

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
MAKE = """import av, numpy as np
from fractions import Fraction

STYLE = b'''[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \\
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
'''

def make(path, frames=24, fps=8, size=(90, 160), loud=0.1, cut=12, words=(), flash=(), codec='libx264'):
    with av.open(path, "w", format="mp4") as made:
        seen, heard, said = made.add_stream(codec, rate=fps), made.add_stream("aac", rate=48000), None
        seen.width, seen.height, seen.pix_fmt = *size, "yuv420p"
        if words:
            said = made.add_stream("mov_text")
            said.codec_context.subtitle_header = STYLE
        for number in range(frames):
            grey = 255 if number in flash else 40 if number < cut else 200
            picture = np.full((size[1], size[0], 3), grey, np.uint8)
            made.mux(seen.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        made.mux(seen.encode())
        wave = loud * np.sin(2 * np.pi * 1000 * np.arange(48000 * frames // fps) / 48000)
        sound = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype("float32"), format="fltp", layout="stereo")
        sound.sample_rate, sound.pts = 48000, 0
        made.mux(heard.encode(sound))
        made.mux(heard.encode())
        for number, line in enumerate(words):
            packet = av.Packet(len(line.encode()).to_bytes(2, "big") + line.encode())
            packet.stream, packet.time_base, packet.duration = said, Fraction(1, 1000), 900
            packet.pts = packet.dts = 1000 * number
            made.mux(packet)
"""
CHECKS = {
    "duration": "checks.duration('film.mp4', 3.0)",
    "rate": "checks.frame_rate('film.mp4', 8)",
    "frames": "checks.frame_count('film.mp4', 24)",
    "size": "checks.picture_size('film.mp4', 90, 160)",
    "bytes": "checks.file_size('film.mp4', 500_000)",
    "cuts": "checks.cuts('film.mp4', 1, at=[1.5])",
    "move": "checks.camera_move('film.mp4', 'static')",
    "flicker": "checks.flicker('film.mp4', 0.05)",
    "loudness": "checks.loudness('film.mp4', -20, peak=-6)",
    "subtitles": "checks.subtitles('film.mp4', ['你好', 'again'], longest=1)",
    "beside": "checks.subtitles('film.srt', ['你好'])",
    "raw": "from labs.measure import read_frames\nassert read_frames('film.mp4').shape == (24, 160, 90, 3)",
    "labels": "from labs.label import read_labels\nassert len(read_labels('film.mp4').problems) == 2",
    "credit": "try:\n    checks.frame_rate('film.mp4', 24)\nexcept AssertionError:\n    points = 0.5\npoints",
}
RIGHT = (
    "make('film.mp4', words=['你好', 'again'])\n"
    "open('film.srt', 'w').write('1\\n00:00:00,500 --> 00:00:01,000\\n你好\\n')"
)
WRONG = "make('film.mp4', frames=40, fps=10, size=(64, 64), loud=0.5, cut=99, words=['no'], flash=(5, 9, 20))"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    opened = open_sandbox()
    assert isinstance(opened, WarmSandbox)
    assert opened.warm_up(BoxPlan("opener", FAST, preload=("labs.checks",)), 300)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(
        locked("setup", f"from labs import checks\n{MAKE}"),
        solution("work", f"### BEGIN SOLUTION\n{RIGHT}\n### END SOLUTION"),
        *(check(name, source) for name, source in CHECKS.items()),
    )


def test_a_right_film_holds_and_a_wrong_one_is_told_what_was_got(sandbox: Sandbox, lab: Lab) -> None:
    right = {cell.grade_id: cell for cell in grade(lab.job(lab.submission(work=RIGHT)), sandbox).cells}
    assert {name: cell.score for name, cell in right.items()} == {
        name: 0.5 if name == "credit" else 1 for name in CHECKS
    }, [cell.reason_en for cell in right.values() if not cell.score]
    wrong = {cell.grade_id: cell for cell in grade(lab.job(lab.submission(work=WRONG)), sandbox).cells}
    assert {name for name, cell in wrong.items() if cell.score} == {"bytes", "move", "labels", "credit"}
    assert "running time in seconds: got 4.000, expected 3 ± 0.1" in wrong["duration"].reason_en
    assert "片长（秒）是 4.000，应为 3 ± 0.1" in wrong["duration"].reason_zh
    assert "width and height: got (64, 64), expected (90, 160)" in wrong["size"].reason_en
    assert "no such file: film.srt" in wrong["beside"].reason_en


BOMB = """import zlib, struct
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
head = struct.pack('>IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0)
parts = chunk(b'IHDR', head), chunk(b'IDAT', zlib.compress(bytes(10**6))), chunk(b'IEND', b'')
open('film.mp4', 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n' + b''.join(parts))
"""
FLIPPED = """import random
random.seed(1)
make('film.mp4')
data = bytearray(open('film.mp4', 'rb').read())
for _ in range(len(data) // 20):
    data[random.randrange(40, len(data))] ^= 255
open('film.mp4', 'wb').write(data)
"""
MANY = r"""open('film.srt', 'w').write('\n\n'.join(f'{n}\n00:00:00,000 --> 00:00:00,001\nx' for n in range(6000)))"""
PLAYLIST = r"""open('film.mp4', 'w').write('#EXTM3U\n#EXTINF:3,\nother.mp4\n#EXT-X-ENDLIST\n')"""
SDP = r"""open('film.mp4', 'w').write('v=0\nc=IN IP4 127.0.0.1\nm=video 4000 RTP/AVP 96\na=rtpmap:96 H264/90000\n')"""
HOSTILE = {
    "no file": "",
    "text": "open('film.mp4', 'w').write('not a film')",
    "truncated": "make('film.mp4'); d = open('film.mp4', 'rb').read(); open('film.mp4', 'wb').write(d[:len(d) // 2])",
    "flipped": FLIPPED,
    "link": "import os\nmake('other.mp4'); os.symlink('other.mp4', 'film.mp4')",
    "pipe and folder": "import os\nos.mkfifo('film.mp4'); os.mkdir('film.srt')",
    "playlist": f"make('other.mp4'); {PLAYLIST}",
    "concat": r"make('other.mp4'); open('film.mp4', 'w').write('ffconcat version 1.0\nfile other.mp4\n')",
    "sdp": SDP,
    "huge picture": "make('film.mp4', frames=1, size=(8192, 4320))",
    "a frame bomb": "make('film.mp4', frames=10_100, fps=1000, size=(16, 16), codec='mpeg4')",
    "a picture bomb": BOMB,
    "many subtitles": MANY,
    "words never seen": "open('film.srt', 'w').write('1\\n00:00:01,000 --> 00:00:01,000\\n你好\\n')",
    "no text": "open('film.srt', 'wb').write(b'\\xff\\xfe' * 1000)",
}


@pytest.fixture(scope="module")
def strict() -> Lab:
    return Lab(
        locked("setup", f"from labs import checks\n{MAKE}"),
        solution("work", "### BEGIN SOLUTION\npass\n### END SOLUTION"),
        check("film", "checks.duration('film.mp4', 3, within=100)\nchecks.flicker('film.mp4', 1)"),
        check("subtitles", "checks.subtitles('film.srt', ['你好'])"),
        check("after", "assert 1 + 1 == 2"),
    )


def test_hostile_files_score_nothing_and_the_tests_after_them_go_on(sandbox: Sandbox, strict: Lab) -> None:
    with ThreadPoolExecutor(2) as pool:
        verdicts = pool.map(lambda work: grade(strict.job(strict.submission(work=work)), sandbox), HOSTILE.values())
    for name, verdict in zip(HOSTILE, verdicts, strict=True):
        scores = {cell.grade_id: cell for cell in verdict.cells}
        assert verdict.failure is None, (name, verdict.failure)
        assert (scores["film"].score, scores["subtitles"].score, scores["after"].score) == (0, 0, 1), (name, scores)
        assert scores["film"].reason_zh != scores["film"].reason_en, name


TAKEN_OVER = {
    "ends": "import os; os._exit(0)",
    "aborts": "import os; os.abort()",
    "forks": "import os\nwhile True:\n    try: os.fork()\n    except OSError: os._exit(1)",
    "fills": "x = []\nwhile True: x.append(bytearray(10**8))",
    "talks": "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'{\"ok\": 3}\\n')\n    except OSError: pass",
}


def test_a_taken_over_decoder_costs_only_what_it_was_to_measure(sandbox: Sandbox) -> None:
    """Films that do to the opener what they like: it is made to run them as Python."""
    ask = "sys.modules['reelwright_measurer'].measure('runpy', 'run_path', {0!r}, (), {{}}, checks.MeasureError)"
    write = "\n".join(f"open({name!r}, 'w').write({source!r})" for name, source in TAKEN_OVER.items())
    lab = Lab(
        locked("setup", f"import sys\nfrom labs import checks\n{MAKE}"),
        solution("work", f"### BEGIN SOLUTION\n{RIGHT}\n### END SOLUTION"),
        check("before", "checks.duration('film.mp4', 3)"),
        *(check(name, f"{ask.format(name)}\nassert 'os' not in dir()") for name in TAKEN_OVER),
        check("film", "checks.duration('film.mp4', 3)\nchecks.frame_count('film.mp4', 24)"),
    )
    cells = {cell.grade_id: cell for cell in grade(lab.job(lab.submission(work=f"{RIGHT}\n{write}")), sandbox).cells}
    assert {name for name, cell in cells.items() if cell.score} <= {"before", "film", "talks"}, cells
    assert cells["before"].score == 1
    assert "ended early" in cells["ends"].reason_en
    assert any(words in cells["fills"].reason_en for words in ("memory", "MemoryError", "ended early"))


def test_the_checker_itself_decodes_no_film(sandbox: Sandbox) -> None:
    lab = Lab(
        locked("setup", f"import av\nfrom labs import checks\n{MAKE}"),
        solution("work", f"### BEGIN SOLUTION\n{RIGHT}\n### END SOLUTION"),
        check("own", "av.open('film.mp4')"),
    )
    (cell,) = grade(lab.job(lab.submission(work=RIGHT)), sandbox).cells
    assert cell.score == 0
    assert "tests may not decode films themselves" in cell.reason_en


def test_a_picture_a_cell_shows_is_drawn_anew_or_left_out(sandbox: Sandbox) -> None:
    lab = Lab(text("t"), solution("work", "### BEGIN SOLUTION\npass\n### END SOLUTION"), check("t", "assert True"))
    shown = (
        "from IPython.display import Image, display\nimport io\nfrom PIL import Image as P\n"
        "b = io.BytesIO(); P.new('RGB', (3, 2), 'red').save(b, 'PNG', pnginfo=None)\n"
        "display(Image(data=b.getvalue() + b'<script>trailing'))\n"
        "display(Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + os.urandom(99), format='png'))"
    )
    verdict = grade(lab.job(lab.submission(work=f"import os\n{shown}")), sandbox)
    assert verdict.notebook.count(b'"image/png"') == 1
    assert os.fsencode("PHNjcmlwdD50cmFpbGluZw") not in verdict.notebook
