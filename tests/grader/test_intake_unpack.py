import io
import stat
import struct
import zipfile

import pytest

from grader.refusal import Refused
from grader.unpack import Caps, pack, unpack

CAPS = Caps(files=5, depth=3, name=60, inflated=10_000)


def archive(
    entries: list[tuple[str, bytes]], mode: int = stat.S_IFREG | 0o644, method: int = zipfile.ZIP_STORED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in entries:
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            entry.external_attr = mode << 16
            entry.compress_type = method
            made.writestr(entry, content)
    return buffer.getvalue()


def test_what_is_packed_comes_out_and_is_the_same_bytes() -> None:
    files = {"a.ipynb": b"{}", "takes/一.mp4": b"\x00" * 100}
    assert unpack(pack(files), CAPS) == files
    assert pack(files) == pack(dict(reversed(files.items())))


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../up", "a/../../up", "a//b", "a/./b", "C:\\x", "a\\b", "a\x00b", "a\nb", " a", "a ", "a.", "",
     "\u202egpj.exe", "n" * 61, "a/b/c/d", "e\u0301"],
)  # fmt: skip
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        unpack(archive([(name, b"x")]), CAPS)
    assert refused.value.status == 422


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_anything_but_a_regular_file_is_refused(kind: int) -> None:
    with pytest.raises(Refused, match="regular files"):
        unpack(archive([("link", b"/etc/passwd")], mode=kind | 0o777), CAPS)


def test_bombs_are_refused_by_what_they_grow_to() -> None:
    with pytest.raises(Refused) as refused:
        unpack(archive([("bomb", b"\x00" * 20_000_000)], method=zipfile.ZIP_DEFLATED), CAPS)
    assert refused.value.status == 413
    with pytest.raises(Refused) as refused:
        unpack(archive([(f"f{n}", b"x" * 4_000) for n in range(3)]), CAPS)
    assert refused.value.status == 413


def test_lying_sizes_do_not_get_past_the_cap() -> None:
    honest = archive([("bomb", b"\x00" * 1_000_000)], method=zipfile.ZIP_DEFLATED)
    at = honest.index(b"PK\x01\x02")
    lying = honest[: at + 24] + struct.pack("<L", 10) + honest[at + 28 :]
    with pytest.raises(Refused):
        unpack(lying, CAPS)


def test_too_many_files_are_refused_before_they_are_listed() -> None:
    with pytest.raises(Refused) as refused:
        unpack(archive([(f"f{n}", b"") for n in range(6)]), CAPS)
    assert refused.value.status == 413


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [["a", "a"], ["a", "A"], ["a", "a/b"]])
def test_two_names_for_one_place_are_refused(names: list[str]) -> None:
    with pytest.raises(Refused):
        unpack(archive([(name, b"x") for name in names]), CAPS)


@pytest.mark.parametrize("junk", [b"", b"{}", b"PK\x05\x06", b"PK\x03\x04" + b"\x00" * 100, b"\x00" * 1000])
def test_what_is_no_zip_is_refused(junk: bytes) -> None:
    with pytest.raises(Refused) as refused:
        unpack(junk, CAPS)
    assert refused.value.code == "not_a_zip"


def test_cut_or_scrambled_archive_is_refused_not_a_crash() -> None:
    whole = archive([("a.ipynb", b"{}" * 500)], method=zipfile.ZIP_DEFLATED)
    for at in range(0, len(whole) - 22, 3):
        scrambled = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            unpack(scrambled, CAPS)
        except Refused:
            continue


def test_encrypted_and_exotic_compression_are_refused() -> None:
    plain = bytearray(archive([("a", b"x")]))
    at = plain.index(b"PK\x01\x02")
    plain[at + 8] |= 1
    with pytest.raises(Refused, match="encrypted"):
        unpack(bytes(plain), CAPS)
    with pytest.raises(Refused, match="deflated"):
        unpack(archive([("a", b"x" * 100)], method=zipfile.ZIP_LZMA), CAPS)
