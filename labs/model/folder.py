"""A model folder is a diffusers folder with a ``manifest.json`` that lists every file's SHA-256.

The manifest's own SHA-256 is the model's digest: it names the weights in every provenance record.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from labs.language import LabError, Words

MODELS_VARIABLE = "REELWRIGHT_MODELS"
DEFAULT_MODEL = "house"
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1_000_000
_BLOCK = 1 << 20
REINSTALL = Words(
    "请告诉教师，由管理员重新安装模型", "tell your instructor: an administrator has to install the model again"
)
"""What helps where a model's files are not what they should be."""


class ModelError(LabError):
    """A model folder is missing, incomplete, altered, or no model folder at all."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Part):
    """One file's digest and size in bytes."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: int = Field(ge=0)


class ClipDefaults(_Part):
    """What the model draws when nothing else is asked. Sizes in pixels.

    ``canvas_*`` is what the pipeline draws (it takes certain multiples only); the finished film is its middle, made
    ``enlarge`` times larger: ``width`` x ``height``. ``frame_step``: frame counts must be a multiple of it plus one.
    """

    canvas_width: int = Field(gt=0, multiple_of=16)
    canvas_height: int = Field(gt=0, multiple_of=16)
    width: int = Field(gt=0, multiple_of=2)
    height: int = Field(gt=0, multiple_of=2)
    enlarge: int = Field(default=1, ge=1, le=8)
    frames: int = Field(gt=0)
    frame_step: int = Field(gt=0)
    max_frames: int = Field(gt=0)
    fps: int = Field(gt=0)
    steps: int = Field(gt=0)
    guidance: float = Field(ge=0)


class Manifest(_Part):
    """What a model folder says about itself. ``trained`` is False when the weights are random."""

    kind: Literal["reelwright-model/1"] = "reelwright-model/1"
    name: str = Field(min_length=1)
    pipeline: str
    trained: bool
    clip: ClipDefaults
    files: dict[str, FileEntry] = Field(min_length=1)

    @field_validator("files")
    @classmethod
    def _inside_the_folder(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"got {name!r}, expected a path inside the model folder")
        return files


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder whose every listed file is there and unaltered."""

    path: Path
    manifest: Manifest
    sha256: str
    """The model's digest: the SHA-256 of its manifest."""


def model_folder(name: str = DEFAULT_MODEL) -> Path:
    """Where the model called ``name`` lies: a folder under REELWRIGHT_MODELS.

    Raises:
        ModelError: the variable is not set.
    """
    root = os.environ.get(MODELS_VARIABLE)
    if not root:
        raise ModelError(
            f"环境变量 {MODELS_VARIABLE} 未设置；它应指向模型所在的文件夹。请从课程页面启动实验，或告诉教师",
            f"{MODELS_VARIABLE} is not set; expected the folder that holds the models. "
            "Start the lab from its course page, or tell your instructor",
        )
    return Path(root) / name


def open_model(path: str | Path | None = None) -> ModelFolder:
    """Read the manifest and hold every file against it; nothing of the model is loaded.

    Raises:
        ModelError: a file is missing, altered, or the folder holds no manifest; the message names the first file.
    """
    folder = Path(path) if path is not None else model_folder()
    content = _manifest_bytes(folder)
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "JSON"
        raise ModelError(
            f"{folder / MANIFEST}：清单无效（{where}：{problem['msg']}）；{REINSTALL.zh}",
            f"{folder / MANIFEST}: the manifest is not valid ({where}: {problem['msg']}); {REINSTALL.en}",
        ) from error
    for name, entry in manifest.files.items():
        _check_file(folder, name, entry)
    return ModelFolder(folder, manifest, hashlib.sha256(content).hexdigest())


def file_sha256(file: Path) -> str:
    """The SHA-256 of a file, read block by block."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _manifest_bytes(folder: Path) -> bytes:
    file = folder / MANIFEST
    if not folder.is_dir():
        raise ModelError(
            f"没有模型文件夹 {folder}；请告诉教师，或运行 python -m labs.model.make {folder}",
            f"no model folder {folder}; tell your instructor, or run: python -m labs.model.make {folder}",
        )
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ModelError(
            f"模型文件夹 {folder} 里没有可读的 {MANIFEST}（{error.strerror}）；{REINSTALL.zh}",
            f"the model folder {folder} has no readable {MANIFEST} ({error.strerror}); {REINSTALL.en}",
        ) from error
    if len(content) > MAX_MANIFEST_BYTES:
        raise ModelError(f"{file}：超过 {MAX_MANIFEST_BYTES} 字节", f"{file}: more than {MAX_MANIFEST_BYTES} bytes")
    return content


def _check_file(folder: Path, name: str, entry: FileEntry) -> None:
    file = folder / name
    if not file.is_file():
        raise ModelError(
            f"模型文件夹 {folder} 缺少文件 {name}；{REINSTALL.zh}",
            f"the model folder {folder} lacks the file {name}; {REINSTALL.en}",
        )
    got = file_sha256(file)
    if got != entry.sha256:
        raise ModelError(
            f"模型文件 {file} 被改动过：SHA-256 为 {got}，清单写的是 {entry.sha256}；{REINSTALL.zh}",
            f"the model file {file} was altered: SHA-256 is {got}, the manifest says {entry.sha256}; {REINSTALL.en}",
        )
