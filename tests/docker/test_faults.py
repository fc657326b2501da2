"""What dies, dies; the learner reads why, and ledger and Docker agree afterwards: nothing lost, nothing twice."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.spawner import docker_network, docker_probe
from hub.spawner.docker_reconcile import connect, reconcile
from hub.spawner.docker_witness import DockerWitness

pytestmark = [pytest.mark.docker, pytest.mark.slow]

LEARNER = "eve"
HUNGRY = "import time\nheld = []\nwhile True: held.append(b'x' * (32 << 20))"


def until(condition: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"nothing happened within {seconds} s"
        time.sleep(0.1)
    return found


@pytest.fixture
def lab(hub: Any) -> Iterator[Any]:
    yield hub.start_lab(LEARNER)
    if LEARNER in [user["name"] for user in hub.api("GET", "users").json()]:
        hub.stop_lab(LEARNER)


def open_leases(hub: Any) -> list[Any]:
    return [lease for lease in hub.platform.ledger.open_leases() if lease.learner == LEARNER]


def agree(hub: Any) -> None:
    """Every running container has an open lease, and every open lease a running container."""
    client = hub.daemon.client
    running = {c["Labels"]["reelwright.lease"] for c in client.containers() if "reelwright.lease" in c["Labels"]}
    assert {str(lease.id) for lease in hub.platform.ledger.open_leases()} == running


def test_a_killed_hub_takes_its_labs_up_again(hub: Any, lab: Any) -> None:
    hub.kill("hub")
    assert lab.run("print('still here')").strip() == "still here"
    hub.start("hub")
    until(lambda: hub.is_ready(LEARNER))
    assert hub.lab(LEARNER).container == lab.container
    assert hub.status(f"/user/{LEARNER}/api") == 200
    assert [lease.id for lease in open_leases(hub)] == [lab.lease]


def test_a_killed_proxy_has_its_routes_again_and_the_lab_runs_on(hub: Any, lab: Any) -> None:
    hub.kill("proxy")
    assert hub.status(f"/user/{LEARNER}/api") == 0
    hub.processes["proxy"] = None
    hub.start("proxy")
    hub.api("POST", "proxy")
    until(lambda: hub.status(f"/user/{LEARNER}/api") == 200)
    assert hub.lab(LEARNER).container == lab.container


def test_a_hub_killed_in_mid_start_leaves_one_lab_and_one_lease(hub: Any) -> None:
    client = hub.daemon.client
    asking = threading.Thread(target=lambda: _quietly(lambda: hub.ask_for_lab(LEARNER)))
    asking.start()
    labelled = {"label": f"reelwright.learner={LEARNER}"}
    until(lambda: client.containers(filters=labelled))
    hub.kill("hub")
    asking.join()
    assert len(open_leases(hub)) == 1
    hub.start("hub")
    until(lambda: hub.is_ready(LEARNER) or not client.containers(filters=labelled))
    lab = hub.lab(LEARNER) if hub.is_ready(LEARNER) else hub.start_lab(LEARNER)
    until(lambda: hub.status(f"/user/{LEARNER}/api") == 200)
    assert [lease.id for lease in open_leases(hub)] == [lab.lease]
    agree(hub)
    hub.stop_lab(LEARNER)
    assert open_leases(hub) == []


def _quietly(call: Any) -> None:
    with contextlib.suppress(Exception):  # the hub is killed while it answers
        call()


def test_a_kernel_that_eats_all_memory_ends_and_the_lab_does_not(hub: Any, lab: Any) -> None:
    client = hub.daemon.client
    made = client.exec_create(lab.container, ["python", "-c", HUNGRY])
    client.exec_start(made["Id"])
    assert client.exec_inspect(made["Id"])["ExitCode"] == 137
    assert lab.facts()["State"]["Running"]
    assert hub.status(f"/user/{LEARNER}/api") == 200


def test_a_lab_that_is_killed_is_settled_with_its_own_end(hub: Any, lab: Any) -> None:
    hub.daemon.client.kill(lab.container, "KILL")
    until(lambda: not open_leases(hub))
    lease = hub.platform.ledger.lease(lab.lease)
    kept = json.loads((Path(hub.platform.leases) / str(lab.lease) / "ended.json").read_text())
    assert (lease.ended_us, kept["exit_status"], kept["uncertainty_us"]) == (kept["at_us"], 137, 0)
    until(lambda: not hub.is_ready(LEARNER))
    agree(hub)


def test_a_container_removed_by_hand_ends_its_lease_at_the_last_heartbeat(hub: Any, lab: Any) -> None:
    hub.daemon.client.remove_container(lab.container, force=True)
    until(lambda: not open_leases(hub))
    lease = hub.platform.ledger.lease(lab.lease)
    assert lease.state == "ended"
    assert lease.started_us <= lease.ended_us <= time.time_ns() // 1000
    agree(hub)


def test_a_killed_daemon_leaves_labs_running_and_a_new_start_is_refused_with_the_reason(hub: Any, lab: Any) -> None:
    before = lab.facts()["State"]["StartedAt"]
    hub.daemon.kill()
    assert hub.status(f"/user/{LEARNER}/api") == 200, "the session survives"
    said = hub.refusal("cleo")
    assert "实验引擎暂时没有应答" in said
    assert "The lab engine does not answer" in said
    assert "docker.sock" not in said
    assert not [lease for lease in hub.platform.ledger.open_leases() if lease.learner == "cleo"], "nothing is held"
    hub.daemon.start()
    assert lab.facts()["State"]["StartedAt"] == before
    assert hub.is_ready(LEARNER)
    agree(hub)


def test_after_a_power_cut_no_more_is_charged_than_was_seen(hub: Any, lab: Any) -> None:
    witness = DockerWitness(hub.daemon.client, hub.platform.leases / str(lab.lease), hub.settings.network)
    assert witness.alive()
    pid = lab.facts()["State"]["Pid"]
    shim = int(Path(f"/proc/{pid}/status").read_text().split("PPid:\t")[1].split()[0])
    hub.kill("hub")  # its machine went down: nobody beats any more
    hub.kill("steward")
    hub.daemon.kill()
    heartbeat = (hub.platform.leases / str(lab.lease) / "heartbeat").stat().st_mtime_ns // 1000
    for number in (shim, pid):
        os.kill(number, signal.SIGKILL)
    time.sleep(2)
    hub.daemon.start()
    until(lambda: not lab.facts()["State"]["Running"])
    hub.start("steward", "hub")
    until(lambda: not open_leases(hub))
    lease = hub.platform.ledger.lease(lab.lease)
    assert lease.state == "ended"
    assert lease.ended_us <= heartbeat + 1_000_000, "time after the last sign of life is not charged"
    agree(hub)


def test_a_missing_image_is_refused_in_both_languages_and_nothing_is_held(hub: Any) -> None:
    hub.kill("hub")
    hub.changed["REELWRIGHT_DOCKER__IMAGE"] = "reelwright/nowhere:1"
    try:
        hub.start("hub")
        said = hub.refusal(LEARNER)
    finally:
        hub.changed.clear()
        hub.kill("hub")
        hub.start("hub")
    assert "此实验的镜像不在服务器上" in said
    assert "The image of this lab is not on the server" in said
    assert open_leases(hub) == []


def test_a_left_over_container_of_a_lease_that_nobody_knows_is_no_hindrance(hub: Any) -> None:
    client, stray = hub.daemon.client, "00000000-0000-4000-8000-00000000beef"
    labels = {"reelwright.lease": stray, "reelwright.instance": hub.settings.instance, "reelwright.learner": LEARNER}
    made = client.create_container(hub.settings.image, ["sleep", "600"], name=f"reelwright-{stray}", labels=labels)
    client.start(made["Id"])
    hub.start_lab(LEARNER)
    assert made["Id"] not in [container["Id"] for container in client.containers(all=True)]
    hub.stop_lab(LEARNER)


def test_reconciling_ends_containers_that_nobody_pays_for(hub: Any) -> None:
    client = hub.daemon.client
    stray = "00000000-0000-4000-8000-00000000dead"
    labels = {"reelwright.lease": stray, "reelwright.instance": hub.settings.instance, "reelwright.learner": "eve"}
    made = client.create_container(hub.settings.image, ["sleep", "600"], name=f"reelwright-{stray}", labels=labels)
    client.start(made["Id"])
    other = client.create_container(
        hub.settings.image, ["sleep", "600"], labels={**labels, "reelwright.instance": "else"}
    )
    reconcile(hub.platform, connect(hub.settings), hub.settings)
    left = [container["Id"] for container in client.containers(all=True)]
    assert made["Id"] not in left
    assert other["Id"] in left, "another instance's containers are its own"
    client.remove_container(other["Id"])


def test_the_walls_are_checked_and_their_absence_is_said(hub: Any) -> None:
    client = hub.daemon.client
    assert docker_network.problems(client, hub.settings) == ()
    elsewhere = hub.settings.model_copy(update={"network": "nowhere", "bridge": "rw-none"})
    assert docker_network.problems(client, elsewhere)
    with pytest.raises(docker_network.NetworkRefused, match="subnets"):
        docker_network.ensure_network(client, hub.settings.model_copy(update={"subnet": replace_subnet(hub)}))


def test_a_hub_without_root_tries_the_walls_from_a_container(hub: Any) -> None:
    client, settings = hub.daemon.client, hub.settings
    docker_probe.ensure_closed(client, settings, has_egress=True)
    for hook in ("INPUT", "FORWARD"):
        jump = [hook, "-j", docker_network.chain_name(settings)]
        subprocess.run(["/usr/sbin/iptables", "--wait", "-D", *jump], check=True)
    try:
        with pytest.raises(docker_network.NetworkRefused, match="the host is open to labs") as refused:
            docker_probe.ensure_closed(client, settings, has_egress=True)
        script = str(refused.value).split("run these lines:\n")[1]
        subprocess.run(["sh", "-c", script], check=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
        docker_probe.ensure_closed(client, settings, has_egress=True)
        assert docker_network.problems(client, settings) == ()
    finally:
        docker_network.ensure_firewall(settings, has_egress=True)


def replace_subnet(hub: Any) -> Any:
    return type(hub.settings.subnet)("10.214.0.0/24")
