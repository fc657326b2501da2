"""Config: the one frozen, typed object every process builds once, from ``reelwright.toml`` and the environment.

It parses and refuses; it never starts, opens or creates anything. Unknown keys are errors. Secrets are file paths
under ``data_dir/secrets`` (see :mod:`hub.secrets`), never values. Relative paths are resolved against the folder of
the configuration file.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hub.compute.gpu.slice import GpuSettings
from hub.spawner.docker_settings import DockerSettings, ImageNotAllowed
from hub.spawner.egress import Outlet  # noqa: TC001 -- pydantic reads the field's type
from labs.model.profile import DEFAULT_PROFILE, TakeProfile

CONFIG_VARIABLE = "REELWRIGHT_CONFIG"
DEFAULT_CONFIG_NAME = "reelwright.toml"
POLICY = Path(__file__).parent / "policy"
"""The rules shipped as an example; an operator names their own files."""

Port = Annotated[int, Field(ge=1, le=65535)]
Locale = Literal["zh_CN", "en"]


class ConfigError(Exception):
    """The configuration cannot be used; the message names the file, what was got and what was expected."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteConfig(_Section):
    """The pilot base this instance serves: a tenant with its own cohorts, staff and budget."""

    id: str = Field(default="main", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    name_zh: str = "创作基地"
    name_en: str = "Pilot base"
    locale: Locale = "zh_CN"


class ServerConfig(_Section):
    """Where the proxy listens, and the address people type."""

    bind: str = "127.0.0.1"
    port: Port = 8000
    public_url: str = ""
    domain: str = ""
    """With a domain, every learner's lab gets an origin of its own (``<user>.<domain>``)."""

    @property
    def local_url(self) -> str:
        """The proxy's address as this machine reaches it."""
        host = "127.0.0.1" if self.bind in {"", "0.0.0.0"} else self.bind  # noqa: S104 -- read, not bound
        return f"http://{host}:{self.port}"

    @field_validator("public_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(f"got {value!r}, expected an address that starts with http:// or https://")
        return value.rstrip("/")


class ProfileConfig(_Section):
    """What a lab runs on. CPU in cores, memory in MiB, the longest session in minutes."""

    title_zh: str
    title_en: str
    cpus: float = Field(default=1.0, gt=0)
    memory_mb: int = Field(default=2048, ge=256)
    gpu_class: str = ""
    image: str = ""
    longest_session_minutes: int = Field(default=240, ge=1)
    idle_minutes: int = Field(default=60, ge=10)
    take: str = DEFAULT_PROFILE
    """How takes are made in such labs unless the notebook asks for something else: a name under ``takes``."""
    egress: tuple[Outlet, ...] = ()
    """What labs of this profile may reach outside (engine ``docker``), each ``host:port``; nothing unless named."""


class PolicyConfig(_Section):
    """Where the dated money rules lie: tariffs and subsidy programmes, one TOML file each."""

    tariffs: Path = POLICY / "tariffs.toml"
    subsidies: Path = POLICY / "subsidies.toml"


_WORKER_BYTES = 4 << 30
"""A worker's warm parents and one submission's boxes."""


def _workers() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(64, max(1, min(len(os.sched_getaffinity(0)), memory // _WORKER_BYTES)))


class GraderConfig(_Section):
    """How submissions are graded on this host."""

    workers: int = Field(default_factory=_workers, ge=1, le=64)
    """Left out: one for each processor, as far as the memory goes."""
    sandbox: Literal["auto", "bubblewrap", "unshare", "docker"] = "auto"
    image: str = Field(default="reelwright/grader:0.1.0", min_length=1)
    """What boxes are made of with ``sandbox = "docker"``, on the daemon of ``docker.host``."""
    gpus: dict[str, str] = Field(default_factory=dict)
    """The GPU set aside for grading labs of a GPU class: its UUID by the class's name."""
    max_submission_mb: int = Field(default=20, ge=1, le=1024)


class LabelConfig(_Section):
    """How the visible AI label of exported films must be: never less than GB 45438-2025 asks for."""

    text: str = Field(default="AI生成", max_length=20)
    seconds: float = Field(default=2.0, ge=2, le=3600)
    """How long from the start."""
    part: float = Field(default=0.05, ge=0.05, le=0.3)
    """Height of its letters by the picture's shorter side."""
    least_pixels: int = Field(default=14, ge=10, le=200)

    @field_validator("text")
    @classmethod
    def _names_ai_and_making(cls, text: str) -> str:
        if not (("AI" in text or "人工智能" in text) and ("生成" in text or "合成" in text)):
            raise ValueError(f"got {text!r}, expected AI or 人工智能 with 生成 or 合成")
        return text


class IssuerConfig(_Section):
    """Who signs certificates, in the words printed on them."""

    name_zh: str = "Reelwright 培训中心"
    name_en: str = "Reelwright Training Centre"


def _default_takes() -> dict[str, TakeProfile]:
    return {DEFAULT_PROFILE: TakeProfile()}


def _default_profiles() -> dict[str, ProfileConfig]:
    return {"cpu": ProfileConfig(title_zh="CPU 实验环境", title_en="CPU lab")}


class Config(BaseSettings):
    """Everything an operator may set. Build it with :meth:`load`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="REELWRIGHT_", env_nested_delimiter="__", env_ignore_empty=True
    )

    data_dir: Path = Path("var")
    database_url: str = ""
    courses_dir: Path = Path("courses")
    models_dir: Path = Path("var/models")
    engine: Literal["local", "docker", "slurm"] = "local"
    site: SiteConfig = SiteConfig()
    server: ServerConfig = ServerConfig()
    profiles: dict[str, ProfileConfig] = Field(default_factory=_default_profiles)
    policy: PolicyConfig = PolicyConfig()
    grader: GraderConfig = GraderConfig()
    issuer: IssuerConfig = IssuerConfig()
    docker: DockerSettings = DockerSettings()
    gpu: GpuSettings = GpuSettings()
    takes: dict[str, TakeProfile] = Field(default_factory=_default_takes)
    label: LabelConfig = LabelConfig()
    take_servers: tuple[str, ...] = ()
    """One take server each: the UUID of its GPU, or "cpu"."""
    _file: Path = PrivateAttr(default=Path(DEFAULT_CONFIG_NAME))

    @property
    def has_egress(self) -> bool:
        """Whether labs of any profile may reach anything outside."""
        return any(profile.egress for profile in self.profiles.values())

    @property
    def shared_takes(self) -> frozenset[str]:
        """Take profiles that take servers serve; each is a profile of its own in the price list."""
        return frozenset(name for name, profile in self.takes.items() if profile.where == "shared")

    @property
    def file(self) -> Path:
        """The configuration file this was read from, or the one that would have been read had it been there."""
        return self._file

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 -- the signature is pydantic-settings' own
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file: a container overrides what an image ships."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _engine_is_built(self) -> Config:
        if self.engine == "slurm":
            raise ValueError("engine: got 'slurm', expected 'local' or 'docker' (the engines this version starts)")
        return self

    @model_validator(mode="after")
    def _takes_can_be_made(self) -> Config:
        for name, profile in self.profiles.items():
            if profile.take not in self.takes:
                raise ValueError(f"profiles.{name}.take: got {profile.take!r}, expected one of {sorted(self.takes)}")
        if both := sorted(self.shared_takes & set(self.profiles)):
            raise ValueError(f"takes: got {both} as shared takes and as profiles of labs, expected names of their own")
        if self.shared_takes and not self.take_servers:
            raise ValueError("take_servers: got none while a take is 'shared', expected a GPU's UUID or \"cpu\"")
        return self

    @model_validator(mode="after")
    def _containers_can_be_made(self) -> Config:
        for name, profile in self.profiles.items() if self.engine == "docker" else ():
            try:
                self.docker.image_for(profile.image)
            except ImageNotAllowed as error:
                raise ValueError(f"profiles.{name}.{error}") from error
            if profile.gpu_class and self.gpu.inventory == "none":
                raise ValueError(
                    f"profiles.{name}.gpu_class: got {profile.gpu_class!r} while gpu.inventory is 'none';"
                    " expected 'nvml' or 'config' there"
                )
        return self

    @classmethod
    def load(cls, path: Path | None = None) -> Config:
        """Read the file named by ``path``, else by REELWRIGHT_CONFIG, else ``./reelwright.toml`` when there is one.

        Raises:
            ConfigError: the file is missing, is no TOML, or holds an unknown key or a wrong value.
        """
        named = path or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
        file = (named or Path(DEFAULT_CONFIG_NAME)).absolute()
        if named is not None and not file.is_file():
            raise ConfigError(f"{file}: no such configuration file")
        values = _read_toml(file) if file.is_file() else {}
        try:
            config = cls(**values)
        except ValidationError as error:
            raise ConfigError(_explain(file, error)) from error
        return config._resolved(file)

    def _resolved(self, file: Path) -> Config:
        base = file.parent
        data_dir = (base / self.data_dir).resolve()
        public_url = self.server.public_url or f"http://{self.server.bind}:{self.server.port}"
        resolved = self.model_copy(
            update={
                "data_dir": data_dir,
                "database_url": self.database_url or f"sqlite:///{data_dir / 'reelwright.db'}",
                "courses_dir": (base / self.courses_dir).resolve(),
                "models_dir": (base / self.models_dir).resolve(),
                "policy": self.policy.model_copy(
                    update={
                        "tariffs": (base / self.policy.tariffs).resolve(),
                        "subsidies": (base / self.policy.subsidies).resolve(),
                    }
                ),
                "server": self.server.model_copy(update={"public_url": public_url}),
            }
        )
        resolved._file = file  # noqa: SLF001 -- our own copy, not yet handed out
        return resolved


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from error


def _explain(file: Path, error: ValidationError) -> str:
    lines = [f"{file}: {error.error_count()} problem(s)"]
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {where}: unknown key; see docs/operators.md for the known ones")
        else:
            lines.append(f"  {where}: {problem['msg']} (got {problem['input']!r})")
    return "\n".join(lines)
