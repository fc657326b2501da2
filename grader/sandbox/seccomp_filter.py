"""The system calls a box may not make, as a BPF program both engines load.

Denied is what reaches beyond the box (name spaces, mounts, other processes' memory, kernel key rings, BPF, modules,
clocks) and every socket family but UNIX and IP, because virtual-machine sockets know no network name space.
"""

from __future__ import annotations

import errno
import tempfile
from functools import cache

_DENIED = (
    "acct add_key bpf chroot clock_adjtime clock_settime delete_module fanotify_init finit_module fsconfig fsmount "
    "fsopen fspick get_mempolicy init_module io_uring_enter io_uring_register io_uring_setup "
    "ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind migrate_pages mount mount_setattr "
    "move_mount move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open personality "
    "pivot_root process_madvise process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot request_key "
    "set_mempolicy setdomainname sethostname setns settimeofday swapoff swapon sysfs syslog umount umount2 unshare "
    "uselib userfaultfd ustat vhangup vmsplice"
)
_NAMESPACE_FLAGS = (0x00000080, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10


class SeccompMissing(Exception):  # noqa: N818  says what is missing
    """The filter cannot be built; the message says what to install."""


@cache
def seccomp_program() -> bytes:
    """The compiled filter.

    Raises:
        SeccompMissing: libseccomp or its Python binding is not installed.
    """
    try:
        import pyseccomp as sec  # noqa: PLC0415  loads libseccomp at import; its absence must be said, not crash
    except (ImportError, OSError, RuntimeError) as error:
        raise SeccompMissing(f"libseccomp cannot be loaded ({error}): apt install libseccomp2") from error
    program = sec.SyscallFilter(sec.ALLOW)
    for name in _DENIED.split():
        try:
            program.add_rule(sec.ERRNO(errno.EPERM), name)
        except (ValueError, OSError):
            # A call this architecture or this libseccomp does not know.
            continue
    # clone3 hides its flags behind a pointer; ENOSYS makes libc fall back to clone, whose flags can be read.
    program.add_rule(sec.ERRNO(errno.ENOSYS), "clone3")
    for flag in _NAMESPACE_FLAGS:
        program.add_rule(sec.ERRNO(errno.EPERM), "clone", sec.Arg(0, sec.MASKED_EQ, flag, flag))
    for request in (_TIOCSTI, _TIOCLINUX):
        program.add_rule(sec.ERRNO(errno.EPERM), "ioctl", sec.Arg(1, sec.MASKED_EQ, 0xFFFFFFFF, request))
    denied_families = [family for family in range(_AF_INET6) if family not in (_AF_UNIX, _AF_INET)]
    for family in denied_families:
        program.add_rule(sec.ERRNO(errno.EAFNOSUPPORT), "socket", sec.Arg(0, sec.EQ, family))
    program.add_rule(sec.ERRNO(errno.EAFNOSUPPORT), "socket", sec.Arg(0, sec.GT, _AF_INET6))
    with tempfile.TemporaryFile() as file:
        program.export_bpf(file)
        file.seek(0)
        return file.read()
