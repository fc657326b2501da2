"""Build a box from inside fresh name spaces, with nothing but system calls: what bubblewrap does, where it is missing.

:func:`enter` wants a process that is alone in new mount, PID, network, IPC and UTS name spaces with CAP_SYS_ADMIN in
them; :func:`renew` is for a fork of a process that has been through all that, and needs a box of its own again.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import platform
import select
import signal
import socket
import struct
from pathlib import Path
from typing import Any

from grader.sandbox.view import HOST_NAME, OWN_FOLDERS

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_MOUNT_ATTR_READ_ONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MOUNT_SETATTR = 442
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 4, 22, 24, 38, 47
_PR_SET_PDEATHSIG = 1
_PR_CAP_AMBIENT_CLEAR_ALL, _SECCOMP_MODE_FILTER = 4, 2
_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY = 63
_MOST_DESCRIPTORS = 256
_NEW_MOUNT, _NEW_GROUPS, _NEW_NAMES, _NEW_IPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
_NEW_PID, _NEW_NETWORK = 0x20000000, 0x40000000
_PTS = "newinstance,ptmxmode=0666,mode=620"
_SIOCSIFFLAGS, _UP_AND_RUNNING = 0x8914, 0x41
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

_libc = ctypes.CDLL(None, use_errno=True)


def enter(plan: dict[str, Any]) -> None:
    """Make the new root of ``plan`` (binds, links, hidden, disk_mb), move in, leave a reaper as process 1."""
    root = _free_mount_point([source for source, _ in plan["binds"]])
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    os.umask(0o022)
    _tmpfs(root, 1, "0755")
    _devices(root, plan["devices"])
    for folder in OWN_FOLDERS:
        _tmpfs(root + folder, plan["disk_mb"], "1777")
    for source, target in plan["binds"]:
        _bind(source, root + target)
    for target, name in plan["links"]:
        Path(root + name).symlink_to(target)
    for folder in plan["hidden"]:
        _tmpfs(root + folder, 1, "0755")
    _mount("proc", _folder(root + "/proc"), "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _pivot(root)
    for folder in ("/dev", "/"):
        _mount(None, folder, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID)
    _settle()
    leave_reaper_behind()


def fork_into_new_pids() -> int:
    """Fork as :func:`os.fork` does; the child is process 1 of a PID name space of its own."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    _check(_libc.unshare(_NEW_PID), "unshare PIDs")
    pid = os.fork()
    if pid:
        # The name space above is made for one child; without this the next could not be forked.
        _check(_libc.setns(own, _NEW_PID), "back to the own PIDs")
    os.close(own)
    return pid


def renew(disk_mb: int, shown: list[str]) -> None:
    """Give process 1 of a new PID name space fresh folders, network, IPC and names, and leave it behind as reaper.

    Folders ``shown`` inside the fresh ones stay to be seen.
    """
    _check(_libc.unshare(_NEW_MOUNT | _NEW_NETWORK | _NEW_IPC | _NEW_NAMES | _NEW_GROUPS), "unshare")
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    held = {folder: os.open(folder, os.O_PATH) for folder in shown}
    for folder in OWN_FOLDERS:
        _mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={disk_mb}m,mode=1777")
    for folder, descriptor in held.items():
        _bind(f"/proc/self/fd/{descriptor}", folder)
        os.close(descriptor)
    _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _mount("devpts", "/dev/pts", "devpts", _MS_NOSUID | _MS_NOEXEC, _PTS)
    _settle()
    leave_reaper_behind()


def give_up_power(program: bytes) -> None:
    """Drop every capability for good and load the seccomp ``program``."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _load_seccomp(program)


def show_own_process() -> None:
    """Let the process read its own /proc again, which a change of user id takes away."""
    _prctl(_PR_SET_DUMPABLE, 1)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _load_seccomp(program: bytes) -> None:
    code = _Program(len(program) // 8, program)
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(code), 0, 0), "seccomp")


def _free_mount_point(sources: list[str]) -> str:
    # The new root covers this folder in our own name space only; nothing that is to be shown may lie under it.
    for folder in ("/mnt", "/media", "/srv", "/opt"):
        if Path(folder).is_dir() and not any(source.startswith(folder) for source in sources):
            return folder
    raise OSError("no free folder to build a root on: expected one of /mnt, /media, /srv, /opt")


def _folder(path: str) -> str:
    Path(path).mkdir(parents=True, exist_ok=True)
    return path


def _tmpfs(path: str, size_mb: int, mode: str) -> None:
    _mount("tmpfs", _folder(path), "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={size_mb}m,mode={mode}")


def _bind(source: str, target: str) -> None:
    if Path(source).is_dir():
        _folder(target)
    else:
        _folder(str(Path(target).parent))
        Path(target).touch()
    _mount(source, target, None, _MS_BIND | _MS_REC)
    # Plain remounts are not recursive; this call is, and keeps flags that a user name space may not clear.
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_READ_ONLY | _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV, 0, 0, 0)
    _check(
        _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, target.encode(), _AT_RECURSIVE, attributes, ctypes.sizeof(attributes)),
        f"read-only {target}",
    )


def _devices(root: str, more: list[str]) -> None:
    _tmpfs(root + "/dev", 1, "0755")
    for name in (*(f"/dev/{name}" for name in _DEVICES), *more):
        node = f"{root}{name}"
        Path(node).parent.mkdir(exist_ok=True)
        Path(node).touch()
        _mount(name, node, None, _MS_BIND)
    _mount("devpts", _folder(root + "/dev/pts"), "devpts", _MS_NOSUID | _MS_NOEXEC, _PTS)
    Path(f"{root}/dev/ptmx").symlink_to("pts/ptmx")
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        Path(f"{root}/dev/{name}").symlink_to(target)


def _pivot(root: str) -> None:
    os.chdir(root)
    _check(_libc.syscall(_PIVOT_ROOT[platform.machine()], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount of the old root")
    os.chdir("/")


def _settle() -> None:
    """Name the machine, and let programs in the box speak with each other over its own loopback."""
    socket.sethostname(HOST_NAME)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))


def leave_reaper_behind() -> None:
    """Go on in a child; the parent buries the dead until the child ends or the host lets go of fd 0.

    When the child ends, it says on fd 1 how: what killed it, and how many seconds of CPU it had.
    """
    woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(woken)
        os.close(wakes)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    for descriptor in range(2, _MOST_DESCRIPTORS):
        if descriptor not in (woken, wakes):
            with contextlib.suppress(OSError):
                os.close(descriptor)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    poller = select.poll()
    poller.register(0, 0)
    poller.register(woken, select.POLLIN)
    while (end := _end_of(child)) is None and 0 not in dict(poller.poll()):
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 4096)
    if end is not None:
        # On a line of its own: the child may have died in the middle of one.
        with contextlib.suppress(OSError):
            os.write(1, b"\n" + json.dumps({"over": end}).encode() + b"\n")
    # Process 1 ends, and with it everything in the PID name space.
    os._exit(0)


def _end_of(child: int) -> list[float] | None:
    """Bury who has died; exit code (a signal's is negative) and seconds of CPU of ``child``, if it was among them."""
    with contextlib.suppress(ChildProcessError):
        while (dead := os.wait4(-1, os.WNOHANG))[0] != 0:
            pid, status, used = dead
            if pid == child:
                return [os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime]
    return None


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [word.encode() if word is not None else None for word in (source, target, kind)]
    _check(_libc.mount(*words, ctypes.c_ulong(flags), data.encode() if data else None), f"mount {source} on {target}")


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
