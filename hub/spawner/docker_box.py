"""The walls of a container: what Docker is asked for, as plain values; and how a container's lease is settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.spawner.docker_settings import LABEL_INSTANCE, LABEL_LEARNER, LABEL_LEASE
from hub.spawner.docker_witness import SOURCE
from hub.spawner.lease_state import lease_state

if TYPE_CHECKING:
    from uuid import UUID

    from hub.compute.ledger import Ledger
    from hub.config import ProfileConfig
    from hub.spawner.docker_settings import DockerSettings
    from hub.spawner.docker_witness import DockerWitness

HOME = "/home/learner"
MODELS = "/srv/models"
PORT = 8888
LOG_FILE_MB = 5
OPEN_FILES = 4096


def instance_label(settings: DockerSettings) -> dict[str, str]:
    """The label by which this instance knows its containers."""
    return {LABEL_INSTANCE: settings.instance}


def create_options(settings: DockerSettings, lease_id: UUID, learner: str) -> dict[str, Any]:
    """What the container is and whose: never root, whatever the image says."""
    labels = {**instance_label(settings), LABEL_LEASE: str(lease_id), LABEL_LEARNER: learner}
    return {"user": "1000:1000", "working_dir": HOME, "labels": labels, "hostname": "lab"}


def host_options(settings: DockerSettings, memory_mb: int) -> dict[str, Any]:
    """What the container may not do. Docker's default seccomp profile stays in force: nothing here lifts it."""
    return {
        "auto_remove": False,  # a removed container takes its exit status and times with it
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": settings.processes,
        "memswap_limit": memory_mb << 20,
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,size={settings.tmp_mb}m,mode=1777"},  # noqa: S108 -- the lab's own
        "shm_size": settings.shm_mb << 20,
        "ipc_mode": "private",
        "init": True,
        "oom_score_adj": 500,  # when the host itself runs short, a lab goes before the hub
        "dns": ["127.0.0.1"],  # the lab itself, where nobody answers: names of the outside are no way out
        "dns_opt": ["timeout:1", "attempts:1"],
        "log_config": {"type": "json-file", "config": {"max-size": f"{LOG_FILE_MB}m", "max-file": "1"}},
        "ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES}],
        "restart_policy": {"Name": "no"},
    }


def environment(settings: DockerSettings, lease_id: UUID, learner: str) -> dict[str, str]:
    """What our toolkit reads in the lab; the program path and the like are the image's own."""
    return {
        "HOME": HOME,
        "USER": learner,
        "LANG": "C.UTF-8",
        "REELWRIGHT_INTAKE_URL": f"{settings.gate_url}/services/intake",
        "REELWRIGHT_MODELS": MODELS,
        "REELWRIGHT_LEASE": str(lease_id),
        "NVIDIA_VISIBLE_DEVICES": "void",
    }


def outside(settings: DockerSettings, lease_id: UUID, profile: ProfileConfig) -> dict[str, str]:
    """How programs in the lab find the way out; nothing when its profile has none. The lease is the lab's own."""
    if not profile.egress:
        return {}
    way = f"http://{lease_id}:lease@{settings.gateway}:{settings.egress_port}"
    kept_in = f"{settings.gateway},localhost,127.0.0.1"
    return {"HTTPS_PROXY": way, "https_proxy": way, "NO_PROXY": kept_in, "no_proxy": kept_in}


def settle(ledger: Ledger, witness: DockerWitness, lease_id: UUID) -> bool:
    """Write an ended lab's times to the ledger and remove its container; False while it runs or cannot be asked.

    A lease that the ledger has settled already keeps what stands there: the first record counts.
    """
    ending = witness.ending()
    started_us = witness.started_us()
    if ending is None or started_us is None:
        return False
    if lease_state(ledger, lease_id) != "void":
        ledger.record_started(lease_id, started_us, SOURCE)
        ledger.record_ended(lease_id, ending.at_us, SOURCE, ending.reason, ending.uncertainty_us)
    witness.remove()
    return True
