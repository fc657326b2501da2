from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from certs.credential.controller import PublicKey, controller_document, did_key_controller, parse_controller
from certs.credential.document import DocumentRefusedError
from certs.keys import IssuerKey, KeyFileError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "issuer.pem"
    first, again = IssuerKey.load_or_create(path), IssuerKey.load_or_create(path)
    assert first.multibase == again.multibase
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["issuer.pem"]


def test_first_starts_at_the_same_moment_agree_on_one_key(tmp_path: Path) -> None:
    path, found, together = tmp_path / "issuer.pem", [], threading.Barrier(8)

    def start() -> None:
        together.wait()
        found.append(IssuerKey.load_or_create(path).multibase)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o700, 0o666])
def test_a_wider_mode_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "issuer.pem"
    IssuerKey.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"got mode 0{mode:o}"):
        IssuerKey.load_or_create(path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    IssuerKey.load_or_create(tmp_path / "real.pem")
    (tmp_path / "issuer.pem").symlink_to(tmp_path / "real.pem")
    with pytest.raises(KeyFileError):
        IssuerKey.load_or_create(tmp_path / "issuer.pem")


def test_a_file_with_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "issuer.pem"
    path.write_text("not a key")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="expected an Ed25519"):
        IssuerKey.load_or_create(path)
    assert path.read_text() == "not a key"


def test_the_private_half_is_never_shown(key: IssuerKey) -> None:
    assert "PRIVATE" in key.private_pem().decode()
    assert key.multibase in repr(key)
    assert "PRIVATE" not in repr(key) + key.controller_document("https://example.org/i").decode()


def test_a_controller_document_is_read_back(key: IssuerKey) -> None:
    public = [PublicKey(key.multibase, retired_us=1_700_000_000_000_000)]
    parsed = parse_controller(controller_document("https://example.org/i", public))
    assert parsed.id == "https://example.org/i"
    assert parsed.methods[0].ends_us == 1_700_000_000_000_000
    assert parsed.asserting == {f"https://example.org/i#{key.multibase}"}


def test_a_did_key_stands_for_itself(key: IssuerKey) -> None:
    did = did_key_controller(f"did:key:{key.multibase}")
    assert did is not None
    assert did.methods[0].pem == parse_controller(key.controller_document("https://example.org/i")).methods[0].pem
    assert did_key_controller("did:web:example.org") is None


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"verificationMethod": []}',
        '{"id": "https://a/i", "verificationMethod": [{"id": "#k", "type": "Multikey", "controller": "https://b/i"}]}',
        (
            '{"id": "https://a/i", "verificationMethod": [{"id": "#k", "type": "Multikey", "controller": "https://a/i",'
            ' "publicKeyMultibase": "z6Mkbroken"}]}'
        ),
        '{"id": "https://a/i", "id": "https://b/i"}',
    ],
)
def test_a_bad_controller_document_is_refused(text: str) -> None:
    with pytest.raises(DocumentRefusedError):
        parse_controller(text.encode())
