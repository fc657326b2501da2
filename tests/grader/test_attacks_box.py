"""Attacks on the host, on neighbours and on time: every box is bounded, sees nothing, and leaves nothing behind."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from grader.grade import grade
from grader.sandbox.box import Sandbox, SandboxUnavailable, open_sandbox

sys.path.insert(0, str(Path(__file__).parent))
from lab_maker import FAST, Lab, check, code, solution

pytestmark = pytest.mark.slow
MARK = secrets.token_hex(8)
TIGHT = replace(FAST, wall_seconds=12, cpu_seconds=6, memory_mb=400, processes=40, disk_mb=16, output_bytes=20_000)


@pytest.fixture(scope="module", params=["bubblewrap", "unshare"])
def sandbox(request) -> Sandbox:
    try:
        return open_sandbox(request.param)
    except SandboxUnavailable as error:
        pytest.skip(str(error))


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


def left_behind() -> list[str]:
    """Processes on this host that carry the mark of this module's boxes."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if MARK.encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().decode())
            except OSError:
                continue
    return found


def run(lab: Lab, sandbox: Sandbox, work: str, limits=TIGHT):
    verdict = grade(lab.job(lab.submission(early="early = 1", work=work), limits), sandbox)
    assert left_behind() == []
    return verdict


BOMBS = {
    "endless loop": ("while True: pass", ("time", "died")),
    "endless loop in a test": ("def work():\n    while True: pass", ("time", "died")),
    "sleep": ("import time\ntime.sleep(1000)", ("time",)),
    "memory": ("x = []\nwhile True: x.append(bytearray(10**7))", ()),
    "memory in a test": ("def work():\n    x = []\n    while True: x.append(bytearray(10**7))", ()),
    "fork bomb": ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", ()),
    "threads": ("import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(999,)).start()", ()),
    "output": ("while True: print('x' * 100000)", ()),
    "output through the shell": ("!yes | head -c 300000000", ()),
    "disk": ("with open('big', 'wb') as f:\n    while True: f.write(bytes(10**6))", ()),
    "many files": ("for i in range(10**6): open(f'f{i}', 'w').close()", ()),
    "shared memory": ("with open('/dev/shm/x', 'wb') as f:\n    while True: f.write(bytes(10**6))", ()),
    "huge answer": ("def work(): return 'x' * (100 << 20)", ()),
    "endless iterator": ("import itertools\ndef work(): return itertools.count()", ()),
    "recursion": ("def work(): return work()", ()),
    "segfault": ("import ctypes\nctypes.string_at(0)", ("died",)),
    "closes every descriptor": ("import os\nos.closerange(0, 100)", ("died",)),
    "kills its process group": ("import os, signal\nos.kill(-1, signal.SIGKILL)", ("died",)),
    "stops itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", ("time",)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_bounded_and_costs_only_its_own_points(name, lab, sandbox):
    started = time.monotonic()
    verdict = run(lab, sandbox, BOMBS[name][0])
    assert time.monotonic() - started < TIGHT.wall_seconds + 60
    assert verdict.failure is None or verdict.failure.kind == "learner"
    by_id = {cell.grade_id: cell for cell in verdict.cells}
    assert by_id["before"].score == 1
    bound = (
        "memory",
        "fork bomb",
        "output",
        "output through the shell",
        "disk",
        "many files",
        "shared memory",
        "threads",
    )
    assert by_id["after"].score == 0, by_id["after"]
    assert by_id["after"].reason_zh
    assert by_id["after"].reason_en
    assert name in bound or by_id["after"].reason_en != "All checks held."
    assert len(verdict.notebook) < 500_000
    assert sum(file.bytes for file in verdict.files) <= TIGHT.disk_mb << 20


LOOKS = {
    "network": "import socket\nfor host in ('127.0.0.1', '1.1.1.1', '10.0.0.1', '172.17.0.1'):\n    for port in (22, 53, 80, 8000, 8081):\n"
    "        try:\n            socket.create_connection((host, port), 0.2); print('OPEN', host, port)\n        except OSError: pass",
    "raw and machine sockets": "import socket\nfor family in (16, 17, 38, 40):\n    try: socket.socket(family, socket.SOCK_RAW); print('OPEN', family)\n"
    "    except OSError: pass",
    "environment": "import os\nfor pid in os.listdir('/proc'):\n    try: data = open(f'/proc/{pid}/environ').read()\n    except OSError: continue\n"
    "    for word in ('TOKEN', 'SECRET', 'PASSWORD', 'OUTSIDE_MARK', 'JUPYTERHUB'):\n        if word in data: print('OPEN', word)",
    "other processes": "import os\npids = [p for p in os.listdir('/proc') if p.isdigit()]\nif len(pids) > 5: print('OPEN', pids)",
    "host files": "import os\nfor path in ('/etc/shadow', '/etc/passwd', '/root/.ssh', '/var', '/sys', '/run', '/home/../var/lib', '/boot'):\n"
    "    if os.path.exists(path): print('OPEN', path)",
    "writing outside": "import os, sys, numpy\nfor folder in ('/', '/usr', '/etc', '/dev', '/opt', os.path.dirname(numpy.__file__), sys.prefix):\n"
    "    try: open(folder + '/owned', 'w'); print('OPEN', folder)\n    except OSError: pass",
    "privileges": "import os, ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nfor what in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.chroot('/'),\n"
    "             lambda: os.mknod('disk', 0o60600, os.makedev(254, 0)), lambda: os.nice(-5), lambda: os.chown('/usr', 1, 1)):\n"
    "    try: what(); print('OPEN')\n    except OSError: pass\n"
    "for call in (lambda: libc.unshare(0x10000000), lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, None), lambda: libc.ptrace(0, 0, 0, 0),\n"
    "             lambda: libc.syscall(321, 0, 0, 0), lambda: libc.setns(3, 0), lambda: libc.syscall(250, 0, 0, 0)):\n    if call() == 0: print('OPEN')\n"
    "status = open('/proc/self/status').read()\nif 'CapEff:\\t0000000000000000' not in status or 'NoNewPrivs:\\t1' not in status or 'Seccomp:\\t2' not in status:\n"
    "    print('OPEN', status)\nif os.getuid() == 0: print('OPEN root')",
    "devices": "import os\nfor name in os.listdir('/dev'):\n    if name not in 'core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero console'.split(): print('OPEN', name)",
    "limits raised": "import resource\nfor kind in (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_DATA):\n"
    "    try: resource.setrlimit(kind, (-1, -1)); print('OPEN', kind)\n    except (OSError, ValueError): pass",
}


@pytest.mark.parametrize("name", LOOKS)
def test_the_box_shows_and_allows_nothing(name, lab, sandbox, monkeypatch):
    monkeypatch.setenv("OUTSIDE_MARK", "SECRET")
    verdict = run(lab, sandbox, LOOKS[name] + "\nprint('looked')\nwork = lambda: 1", FAST)
    notebook = verdict.notebook.decode()
    assert "looked\\n" in notebook, notebook[-1500:]
    assert "OPEN\\n" not in notebook.replace("print('OPEN')\\n", "").replace("print('OPEN'); ", "")
    assert '"OPEN' not in notebook
    assert verdict.score == 2


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


def test_links_pipes_sockets_and_odd_names_are_not_followed(lab, sandbox):
    verdict = run(lab, sandbox, ODD_FILES, FAST)
    assert verdict.score == 2
    paths = {file.path: file.content for file in verdict.files}
    assert paths["real.txt"] == b"real"
    assert not {"link", "environ.txt", "pipe", "socket", "new\nline"} & paths.keys()
    assert all(not path.startswith(("/", "..")) and "/../" not in path for path in paths)


def test_the_runner_cannot_hand_over_paths_outside_the_folder(lab, sandbox):
    lies = (
        "import sys\nb = sys.modules['grader.sandbox.box_files']\n"
        "b.list_files = lambda f: [['../../etc/x', 3, 'm'], ['/etc/y', 3, 'm'], ['a/../../z', 3, 'm'], ['ok', 3, 'm'], ['big', 10**15, 'm'], 7, [1], {}]\n"
        "b.read_file = lambda f, p, o, s: 'YWJj'\nwork = lambda: 1"
    )
    verdict = run(lab, sandbox, lies, FAST)
    assert {file.path: file.content for file in verdict.files} == {"ok": b"abc"}


def test_a_learners_module_does_not_reach_the_checker(sandbox):
    lab = Lab(
        solution("work", "### BEGIN SOLUTION\nwork = 1\n### END SOLUTION"),
        check("t", "import statistics, json\nassert json.loads('1') == 2"),
    )
    spoof = "for name in ('statistics', 'json', 'pytest', 'numpy'):\n    open(name + '.py', 'w').write('loads = lambda x: 2')\nwork = 1"
    assert grade(lab.job(lab.submission(work=spoof)), sandbox).score == 0


def test_a_test_that_unpickles_is_stopped(sandbox):
    lab = Lab(
        solution("work", "### BEGIN SOLUTION\nwork = 1\n### END SOLUTION"),
        check("t", "import pickle\npickle.load(open('p', 'rb'))"),
    )
    evil = "import pickle, os\nclass E:\n    def __reduce__(self): return (os.getpid, ())\npickle.dump(E(), open('p', 'wb'))"
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


def test_processes_that_linger_end_with_the_box(lab, sandbox):
    assert run(lab, sandbox, LINGERS, FAST).score == 2


def test_a_neighbour_is_not_disturbed(lab, sandbox):
    """A bomb beside an honest submission: the honest one keeps its points."""
    bomb = threading.Thread(target=lambda: run(lab, sandbox, BOMBS["fork bomb"][0]))
    bomb.start()
    try:
        verdict = grade(lab.job(lab.submission(early="early = 1", work="work = lambda: 1"), FAST), sandbox)
        assert verdict.score == 2, verdict
    finally:
        bomb.join()


def test_control_groups_are_removed(lab, sandbox):
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
