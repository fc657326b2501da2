"""Attacks on the host, on neighbours and on time: every box is bounded, sees nothing, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import secrets
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from grader.grade import grade
from grader.sandbox.box import Sandbox, SandboxUnavailable
from grader.sandbox.warm import WarmSandbox

sys.path.insert(0, str(Path(__file__).parent))
from typing import TYPE_CHECKING

from lab_maker import ENGINES, FAST, Lab, check, code, open_engine_for, solution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grader.verdict import Limits, Verdict

pytestmark = pytest.mark.slow
MARK = secrets.token_hex(8)
TIGHT = replace(FAST, wall_seconds=10, cpu_seconds=5, memory_mb=400, processes=40, disk_mb=16, output_bytes=20_000)
BOMBS_AT_ONCE = 6


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab(
        solution("early", "### BEGIN SOLUTION\nearly = 1\n### END SOLUTION"),
        check("before", "assert early == 1"),
        solution("work", "### BEGIN SOLUTION\nwork = lambda: 1\n### END SOLUTION"),
        check("after", "assert work() == 1"),
        code("last = 1"),
        environment={"BOX_MARK": MARK},
    )


@pytest.fixture(scope="module", params=ENGINES)
def sandbox(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Sandbox]:
    try:
        opened = open_engine_for(lab, request.param)
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    yield opened
    if isinstance(opened, WarmSandbox):
        opened.close()


@pytest.fixture(autouse=True)
def nothing_left_behind(sandbox: Sandbox) -> Iterator[None]:
    before = marked()
    yield
    assert marked() == before


def marked() -> dict[str, str]:
    """Processes on this host that carry the mark of this module's boxes; warm parents do, too."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if MARK.encode() in (entry / "environ").read_bytes():
                    found[entry.name] = (entry / "cmdline").read_bytes().decode()
            except OSError:
                continue
    return found


def run(lab: Lab, sandbox: Sandbox, work: str, limits: Limits = TIGHT) -> Verdict:
    return grade(lab.job(lab.submission(early="early = 1", work=work), limits), sandbox)


BOMBS = {
    "endless loop": "while True: pass",
    "endless loop in a test": """
def work():
    while True: pass
""",
    "sleep": """
import time
time.sleep(1000)
""",
    "memory": """
x = []
while True: x.append(bytearray(10**7))
""",
    "memory in a test": """
def work():
    x = []
    while True: x.append(bytearray(10**7))
""",
    "fork bomb": """
import os
while True:
    try: os.fork()
    except OSError: pass
""",
    "threads": """
import threading, time
while True: threading.Thread(target=time.sleep, args=(999,)).start()
""",
    "output": "while True: print('x' * 100000)",
    "output through the shell": "!yes | head -c 300000000",
    "disk": """
with open('big', 'wb') as f:
    while True: f.write(bytes(10**6))
""",
    "many files": "for i in range(10**6): open(f'f{i}', 'w').close()",
    "shared memory": """
with open('/dev/shm/x', 'wb') as f:
    while True: f.write(bytes(10**6))
""",
    "huge answer": "def work(): return 'x' * (100 << 20)",
    "endless iterator": """
import itertools
def work(): return itertools.count()
""",
    "recursion": "def work(): return work()",
    "segfault": """
import ctypes
ctypes.string_at(0)
""",
    "closes every descriptor": """
import os
os.closerange(0, 100)
""",
    "kills its process group": """
import os, signal
os.kill(-1, signal.SIGKILL)
""",
    "stops itself": """
import os, signal
os.kill(os.getpid(), signal.SIGSTOP)
""",
}


NAMED = {
    # Side by side on few processors, the time of day may come first.
    "endless loop": "time than this lab allows|longer than this lab allows",
    "endless loop in a test": "time than this lab allows|longer than this lab allows",
    "sleep": "longer than this lab allows",
    "memory": "more memory",
    "threads": "processes or threads",
    "disk": "disk space",
}
"""Which limit a learner is told of."""


def test_bombs_are_bounded_and_cost_only_their_own_points(lab: Lab, sandbox: Sandbox) -> None:
    def explode(name: str) -> tuple[str, float, Verdict]:
        started = time.monotonic()
        verdict = run(lab, sandbox, BOMBS[name])
        return name, time.monotonic() - started, verdict

    with ThreadPoolExecutor(BOMBS_AT_ONCE) as pool:
        for name, seconds, verdict in pool.map(explode, BOMBS):
            assert seconds < TIGHT.wall_seconds + 60, name
            assert verdict.failure is None or verdict.failure.kind == "learner", name
            by_id = {cell.grade_id: cell for cell in verdict.cells}
            assert by_id["before"].score == 1, (name, by_id)
            assert by_id["after"].score == 0, (name, by_id)
            assert by_id["after"].reason_zh, name
            assert re.search(NAMED.get(name, ""), by_id["after"].reason_en), (name, by_id["after"].reason_en)
            assert len(verdict.notebook) < 500_000, name
            assert sum(file.bytes for file in verdict.files) <= TIGHT.disk_mb << 20, name


LOOKS = {
    "network": """
import socket
for host in ('127.0.0.1', '1.1.1.1', '10.0.0.1', '172.17.0.1'):
    for port in (22, 53, 80, 8000, 8081):
        try:
            socket.create_connection((host, port), 0.2); print('OPEN', host, port)
        except OSError: pass
""",
    "raw and machine sockets": """
import socket
for family in (16, 17, 38, 40):
    try: socket.socket(family, socket.SOCK_RAW); print('OPEN', family)
    except OSError: pass
""",
    "environment": """
import os
for pid in os.listdir('/proc'):
    try: data = open(f'/proc/{pid}/environ').read()
    except OSError: continue
    for word in ('TOKEN', 'SECRET', 'PASSWORD', 'OUTSIDE_MARK', 'JUPYTERHUB'):
        if word in data: print('OPEN', word)
""",
    "other processes": """
import os
pids = [p for p in os.listdir('/proc') if p.isdigit()]
if len(pids) > 5: print('OPEN', pids)
""",
    "host files": """
import os
for path in ('/etc/shadow', '/etc/passwd', '/root/.ssh', '/var', '/sys', '/run', '/home/../var/lib', '/boot'):
    if os.path.exists(path): print('OPEN', path)
""",
    "writing outside": """
import os, sys, numpy
for folder in ('/', '/usr', '/etc', '/dev', '/opt', os.path.dirname(numpy.__file__), sys.prefix):
    try: open(folder + '/owned', 'w'); print('OPEN', folder)
    except OSError: pass
""",
    "privileges": r"""
import os, ctypes
libc = ctypes.CDLL(None, use_errno=True)
for what in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.chroot('/'),
             lambda: os.mknod('disk', 0o60600, os.makedev(254, 0)), lambda: os.nice(-5),
             lambda: os.chown('/usr', 1, 1)):
    try: what(); print('OPEN')
    except OSError: pass
for call in (lambda: libc.unshare(0x10000000), lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, None),
             lambda: libc.ptrace(0, 0, 0, 0),
             lambda: libc.syscall(321, 0, 0, 0), lambda: libc.setns(3, 0), lambda: libc.syscall(250, 0, 0, 0)):
    if call() == 0: print('OPEN')
status = open('/proc/self/status').read()
if 'CapEff:\t0000000000000000' not in status or 'NoNewPrivs:\t1' not in status or 'Seccomp:\t2' not in status:
    print('OPEN', status)
if os.getuid() == 0: print('OPEN root')
""",
    "devices": """
import os
for name in os.listdir('/dev'):
    known = 'core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero console'.split()
    if name not in known: print('OPEN', name)
""",
    "limits raised": """
import resource
for kind in (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_DATA):
    try: resource.setrlimit(kind, (-1, -1)); print('OPEN', kind)
    except (OSError, ValueError): pass
""",
}


def test_the_box_shows_and_allows_nothing(lab: Lab, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTSIDE_MARK", "SECRET")

    def look(name: str) -> tuple[str, Verdict]:
        return name, run(lab, sandbox, LOOKS[name] + "\nprint('looked')\nwork = lambda: 1", FAST)

    with ThreadPoolExecutor(BOMBS_AT_ONCE) as pool:
        for name, verdict in pool.map(look, LOOKS):
            notebook = verdict.notebook.decode()
            assert "looked\\n" in notebook, (name, notebook[-1500:])
            assert "OPEN\\n" not in notebook.replace("print('OPEN')\\n", "").replace("print('OPEN'); ", ""), name
            assert '"OPEN' not in notebook, (name, notebook[-1500:])
            assert verdict.score == 2, name


ODD_FILES = """import os, socket
os.symlink('/etc/hostname', 'link')
os.symlink('/proc/self/environ', 'environ.txt')
os.symlink('..', 'up')
os.mkfifo('pipe')
socket.socket(socket.AF_UNIX).bind('socket')
os.makedirs('a/' * 30)
open('a' * 200, 'w').close()
open('back\\\\slash', 'w').write('x')
open('new\\nline', 'w').write('x')
open(b'\\xff\\xfe', 'w').write('x')
open('.hidden', 'w').write('x')
open('numpy.py', 'w').write('raise SystemExit')
open('sitecustomize.py', 'w').write('raise SystemExit')
with open('sparse', 'wb') as f: f.truncate(10 << 20)
open('real.txt', 'w').write('real')
work = lambda: 1
"""


def test_links_pipes_sockets_and_odd_names_are_not_followed(lab: Lab, sandbox: Sandbox) -> None:
    verdict = run(lab, sandbox, ODD_FILES, FAST)
    assert verdict.score == 2
    paths = {file.path: file.content for file in verdict.files}
    assert paths["real.txt"] == b"real"
    assert not {"link", "environ.txt", "pipe", "socket", "new\nline"} & paths.keys()
    assert all(not path.startswith(("/", "..")) and "/../" not in path for path in paths)


RACES = """import os, time
os.makedirs('a/b')
open('film.txt', 'w').write('mine'); open('a/b/cut.txt', 'w').write('mine')
if os.fork() == 0:
    end = time.time() + 5
    while time.time() < end:
        for make in (lambda n: os.symlink('/etc/group', n), os.mkfifo, os.mkdir, lambda n: open(n, 'w').write('mine')):
            try: make('next'); os.rename('next', 'film.txt')
            except OSError:
                try: os.rmdir('film.txt')
                except OSError: pass
                try: os.unlink('next')
                except OSError: pass
        try: os.rename('a/b', 'a/c'); os.symlink('/etc', 'a/b'); os.unlink('a/b'); os.rename('a/c', 'a/b')
        except OSError: pass
    os._exit(0)
work = lambda: 1
"""


def test_files_that_change_under_the_hand_are_handed_over_whole_or_not_at_all(lab: Lab, sandbox: Sandbox) -> None:
    verdict = run(lab, sandbox, RACES, FAST)
    assert verdict.score == 2, verdict
    assert {file.content for file in verdict.files} <= {b"mine", b""}


def test_the_runner_cannot_hand_over_paths_outside_the_folder(lab: Lab, sandbox: Sandbox) -> None:
    lies = (
        "import sys\nb = sys.modules['grader.sandbox.box_files']\n"
        "names = ['../../etc/x', '/etc/y', 'a/../../z', 'ok']\n"
        "b.list_files = lambda f: [[n, 3, 'm'] for n in names] + [['big', 10**15, 'm'], 7, [1], {}]\n"
        "b.read_file = lambda f, p, o, s: 'YWJj'\nwork = lambda: 1"
    )
    verdict = run(lab, sandbox, lies, FAST)
    assert {file.path: file.content for file in verdict.files} == {"ok": b"abc"}


def test_a_learners_module_does_not_reach_the_checker(sandbox: Sandbox) -> None:
    lab = Lab(
        solution("work", "### BEGIN SOLUTION\nwork = 1\n### END SOLUTION"),
        check("t", "import statistics, json\nassert json.loads('1') == 2"),
    )
    spoof = "for name in ('statistics', 'json', 'pytest'):\n    open(name + '.py', 'w').write('loads = lambda x: 2')"
    assert grade(lab.job(lab.submission(work=spoof)), sandbox).score == 0


def test_a_test_that_unpickles_is_stopped(sandbox: Sandbox) -> None:
    lab = Lab(
        solution("work", "### BEGIN SOLUTION\nwork = 1\n### END SOLUTION"),
        check("t", "import pickle\npickle.load(open('p', 'rb'))"),
    )
    evil = (
        "import pickle, os\nclass E:\n    def __reduce__(self): return os.getpid, ()\npickle.dump(E(), open('p', 'wb'))"
    )
    cell = grade(lab.job(lab.submission(work=evil)), sandbox).cells[0]
    assert cell.score == 0
    assert "unpickle" in cell.reason_en


LINGERS = """import os, sys, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for s in range(1, 32):
                try:
                    import signal; signal.signal(s, signal.SIG_IGN)
                except (OSError, ValueError): pass
            time.sleep(600)
        os._exit(0)
import subprocess
subprocess.Popen(["sleep", "600"], start_new_session=True)
work = lambda: 1
"""


def test_processes_that_linger_end_with_the_box(lab: Lab, sandbox: Sandbox) -> None:
    assert run(lab, sandbox, LINGERS, FAST).score == 2


def test_a_neighbour_is_not_disturbed(lab: Lab, sandbox: Sandbox) -> None:
    """A bomb beside an honest submission: the honest one keeps its points."""
    bomb = threading.Thread(target=lambda: run(lab, sandbox, BOMBS["fork bomb"], replace(TIGHT, wall_seconds=5)))
    bomb.start()
    try:
        verdict = grade(lab.job(lab.submission(early="early = 1", work="work = lambda: 1"), FAST), sandbox)
        assert verdict.score == 2, verdict
    finally:
        bomb.join()


def test_control_groups_are_removed(lab: Lab, sandbox: Sandbox) -> None:
    before = set(_groups())
    run(lab, sandbox, "work = lambda: 1", FAST)
    assert not [
        group for group in set(_groups()) - before if group.exists() and not (group / "cgroup.procs").read_text()
    ]


def _groups() -> list[Path]:
    return [
        Path(folder) / name
        for folder, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if "reelwright-box" in name
    ]
