"""A learner's lab as a container: it opens, it is walled in, and Docker's own times are what is charged."""

import http.server
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.spawner import docker_network
from hub.spawner.docker_witness import microseconds

pytestmark = [pytest.mark.docker, pytest.mark.slow]

TOLD = {
    "JPY_API_TOKEN", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_CLIENT_ID", "JUPYTERHUB_API_URL", "JUPYTERHUB_ACTIVITY_URL",
    "JUPYTERHUB_BASE_URL", "JUPYTERHUB_HOST", "JUPYTERHUB_USER", "JUPYTERHUB_SERVER_NAME", "JUPYTERHUB_SERVICE_PREFIX",
    "JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_PUBLIC_URL", "JUPYTERHUB_PUBLIC_HUB_URL", "JUPYTERHUB_OAUTH_CALLBACK_URL",
    "JUPYTERHUB_OAUTH_SCOPES", "JUPYTERHUB_OAUTH_ACCESS_SCOPES", "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES",
    "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", "JUPYTERHUB_DEFAULT_URL", "JUPYTERHUB_DISABLE_USER_CONFIG",
    "JUPYTERHUB_DEBUG", "JUPYTERHUB_ROOT_DIR", "JUPYTERHUB_NOTEBOOK_DIR", "JUPYTERHUB_ALLOW_TOKEN_IN_URL",
    "JUPYTERHUB_COOKIE_OPTIONS", "JUPYTER_IMAGE_SPEC", "MEM_LIMIT", "MEM_GUARANTEE", "CPU_LIMIT", "CPU_GUARANTEE",
    "REELWRIGHT_LOCALE", "REELWRIGHT_TZ", "REELWRIGHT_INTAKE_URL", "REELWRIGHT_MODELS", "REELWRIGHT_LEASE",
    "REELWRIGHT_TAKE", "REELWRIGHT_TAKES", "REELWRIGHT_LABEL_RULE", "NVIDIA_VISIBLE_DEVICES",
    "HOME", "USER", "LANG", "PATH", "HOSTNAME", "PYTHONDONTWRITEBYTECODE", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR",
    "XDG_CACHE_HOME", "HF_HUB_OFFLINE", "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "LC_CTYPE",
}  # fmt: skip
REACH = """
import json, socket, sys
answers = {}
for target in sys.argv[1:]:
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        answers[target] = "open"
    except OSError as error:
        answers[target] = type(error).__name__
print(json.dumps(answers))
"""
FETCH = """
import json, sys, urllib.request, urllib.error
answers = {}
for url in sys.argv[1:]:
    try:
        answers[url] = urllib.request.urlopen(url, timeout=5).status
    except urllib.error.HTTPError as error:
        answers[url] = error.code
print(json.dumps(answers))
"""
WRITE = """
import json, pathlib, sys
answers = {}
for folder in sys.argv[1:]:
    try:
        (pathlib.Path(folder) / "probe").write_text("x")
        answers[folder] = True
    except OSError:
        answers[folder] = False
print(json.dumps(answers))
"""
CROWD = """
import os, sys, time
made = 0
try:
    for _ in range(1000):
        if os.fork() == 0:
            time.sleep(3)
            os._exit(0)
        made += 1
except BlockingIOError:
    pass
print(made)
"""
HAND_IN = """
import os, pathlib, subprocess
from labs.start import server_environment
argv = ["nbgrader", "submit", "script-to-shots", "--course", "micro-drama"]
subprocess.run(argv, cwd=pathlib.Path.home(), check=True, env=server_environment(dict(os.environ)))
"""
STATUS = """
import json
lines = open("/proc/self/status").read().splitlines()
print(json.dumps(dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)))
"""


@pytest.fixture(scope="module")
def lab(hub: Any) -> Iterator[Any]:
    yield hub.start_lab("ada")
    hub.stop_lab("ada")


@pytest.fixture(scope="module")
def neighbour(hub: Any) -> Iterator[Any]:
    yield hub.start_lab("ben")
    hub.stop_lab("ben")


def test_the_lab_opens_with_its_assignment_fetched_through_the_gate(lab: Any) -> None:
    found = lab.tell("import json, pathlib; print(json.dumps([str(p) for p in pathlib.Path.home().rglob('*.ipynb')]))")
    assert any("script-to-shots" in name for name in found), found


def test_the_learner_hands_in_from_the_container_and_the_store_has_it(hub: Any, lab: Any) -> None:
    said = lab.run(HAND_IN)
    assert hub.platform.submissions.attempts_used("micro-drama", "script-to-shots", "ada") == 1, said


def test_a_cell_runs_in_a_kernel_of_the_lab(lab: Any) -> None:
    said = lab.run(
        "import nbformat, nbclient\n"
        "cell = nbformat.v4.new_code_cell('import torch; print(torch.ones(3).sum().item())')\n"
        "book = nbformat.v4.new_notebook(cells=[cell]); nbclient.NotebookClient(book, timeout=90).execute();"
        "print(book.cells[0].outputs[0].text)"
    )
    assert "3.0" in said


def test_only_the_hubs_api_and_the_intake_answer_at_the_gate(hub: Any, lab: Any) -> None:
    base = hub.settings.gate_url
    paths = {
        "/hub/api/": 200, "/services/intake/api/labs": 401, "/hub/login": 404, "/hub/health": 404, "/": 404,
        "/services/portal/": 404, "/user/ben/api": 404, "/hub/api/../login": 404, "/hub/api/%2e%2e/login": 404,
        "/hub/api//../login": 404, "/services/formgrader-micro-drama/": 404,
    }  # fmt: skip
    assert lab.tell(FETCH, *(base + path for path in paths)) == {base + path: code for path, code in paths.items()}


def test_neither_neighbour_host_internet_nor_metadata_can_be_reached(hub: Any, lab: Any, neighbour: Any) -> None:
    everywhere = http.server.HTTPServer(("0.0.0.0", 0), http.server.BaseHTTPRequestHandler)  # noqa: S104
    threading.Thread(target=everywhere.serve_forever, daemon=True).start()
    port, gateway = everywhere.server_port, hub.settings.gateway
    at = hub.platform.addresses
    targets = [
        f"{neighbour.address}:8888", f"{gateway}:{port}", f"{gateway}:{at.hub}", f"{gateway}:{at.intake}",
        f"{gateway}:{at.proxy_api}", f"{gateway}:22", f"{host_address()}:{port}", "1.1.1.1:53", "8.8.8.8:443",
        "169.254.169.254:80", "100.100.100.200:80", "172.17.0.1:2375",
    ]  # fmt: skip
    try:
        reached = lab.tell(REACH, *targets, f"{gateway}:{hub.settings.gate_port}", "127.0.0.1:8888")
    finally:
        everywhere.shutdown()
    assert reached.pop(f"{gateway}:{hub.settings.gate_port}") == "open"
    assert reached.pop("127.0.0.1:8888") == "open"
    assert "open" not in reached.values(), reached


def test_the_same_probe_gets_through_where_the_wall_is_taken_away(hub: Any, lab: Any) -> None:
    everywhere = http.server.HTTPServer(("0.0.0.0", 0), http.server.BaseHTTPRequestHandler)  # noqa: S104
    threading.Thread(target=everywhere.serve_forever, daemon=True).start()
    target = f"{hub.settings.gateway}:{everywhere.server_port}"
    jump = ["INPUT", "-j", docker_network.chain_name(hub.settings)]
    subprocess.run(["/usr/sbin/iptables", "--wait", "-D", *jump], check=True)
    try:
        assert docker_network.problems(hub.daemon.client, hub.settings) != ()
        assert lab.tell(REACH, target) == {target: "open"}
    finally:
        docker_network.ensure_firewall(hub.settings, has_egress=True)
        everywhere.shutdown()
    assert docker_network.problems(hub.daemon.client, hub.settings) == ()


def host_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def test_names_of_the_outside_are_not_answered_and_there_is_no_ipv6(lab: Any) -> None:
    asked = "import socket\ntry: socket.getaddrinfo('example.com', 80); print('true')\nexcept OSError: print('false')"
    assert lab.tell(asked) is False
    addresses = lab.tell("import json; print(json.dumps(open('/proc/net/if_inet6').read().split()))")
    assert [word for word in addresses if word.startswith("fe80")] == []


def test_the_learner_has_no_power_and_can_get_none(lab: Any) -> None:
    status = lab.tell(STATUS)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Uid"].split() == ["1000"] * 4
    assert status["Groups"].split() in ([], ["1000"])
    find = "import json, os; print(json.dumps([os.path.join(d, f) for top in ('/usr', '/opt', '/etc') for d, _, fs in os.walk(top) for f in fs if os.lstat(os.path.join(d, f)).st_mode & 0o6000]))"  # noqa: E501
    assert lab.tell(find) == []


def test_only_the_home_and_memory_can_be_written(lab: Any) -> None:
    closed = ["/", "/etc", "/opt/reelwright", "/usr/bin", "/srv/models", "/proc/sys/kernel", "/sys/fs/cgroup", "/home"]
    written = lab.tell(WRITE, *closed, "/home/learner", "/tmp", "/dev/shm")  # noqa: S108
    assert written == {**dict.fromkeys(closed, False), "/home/learner": True, "/tmp": True, "/dev/shm": True}  # noqa: S108


def test_no_socket_no_solution_and_no_data_of_the_platform_is_inside(hub: Any, lab: Any) -> None:
    names = ["/var/run/docker.sock", "/run/docker.sock", str(hub.folder), str(hub.platform.config.data_dir)]
    seen = lab.tell("import json, os, sys; print(json.dumps([n for n in sys.argv[1:] if os.path.exists(n)]))", *names)
    assert seen == []
    packages = lab.tell(
        "import json, importlib.util as u; print(json.dumps([n for n in ('hub', 'grader', 'certs', 'courses') if u.find_spec(n)]))"  # noqa: E501
    )
    assert packages == []


def test_other_peoples_processes_are_not_seen(lab: Any) -> None:
    users = lab.tell(
        "import json, os; print(json.dumps(sorted({os.stat('/proc/' + p).st_uid for p in os.listdir('/proc') if p.isdigit()})))"  # noqa: E501
    )
    assert users == [1000]


def test_the_environment_holds_no_secret_but_the_learners_own_token(hub: Any, lab: Any) -> None:
    env = dict(pair.split("=", 1) for pair in lab.facts()["Config"]["Env"])
    assert set(env) <= TOLD, set(env) - TOLD
    secrets = {file.read_text().strip() for file in (hub.platform.config.data_dir / "secrets").iterdir()}
    assert secrets.isdisjoint(env.values())
    who = hub.api("GET", "users/ben").status_code
    asked = lab.tell(
        "import json, os, urllib.request, urllib.error\n"
        "def ask(path):\n"
        " r = urllib.request.Request(os.environ['JUPYTERHUB_API_URL'] + path, headers={'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']})\n"  # noqa: E501
        " try: return urllib.request.urlopen(r).status\n"
        " except urllib.error.HTTPError as e: return e.code\n"
        "print(json.dumps([ask('/user'), ask('/users/ben'), ask('/users'), ask('/proxy')]))"
    )
    assert who == 200
    assert asked[0] == 200
    assert set(asked[1:]) <= {403, 404}


def test_the_limits_are_the_profiles(hub: Any, lab: Any) -> None:
    host = lab.facts()["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (640 << 20, 640 << 20)
    assert (host["CpuQuota"], host["CpuPeriod"], host["PidsLimit"]) == (100_000, 100_000, hub.settings.processes)
    assert host["ReadonlyRootfs"] is True
    assert host["AutoRemove"] is False
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Init"] is True
    assert 32 <= int(lab.run(CROWD)) < hub.settings.processes


def test_another_image_or_an_unknown_option_is_refused(hub: Any) -> None:
    for wrong in ({"image": "debian"}, {"volumes": {"/": "/host"}}, {"cmd": ["sh"]}):
        answer = hub.api("POST", "users/dan")
        answer = hub.api("POST", "users/dan/server", course="micro-drama", lab="script-to-shots", **wrong)
        assert answer.status_code == 400, answer.text
        assert "unknown start option" in answer.json()["message"]


def test_the_homes_contents_outlive_the_container(hub: Any) -> None:
    first = hub.start_lab("dan")
    first.run("open('/home/learner/novel.txt', 'w').write('once upon a time')")
    hub.stop_lab("dan")
    second = hub.start_lab("dan")
    assert second.container != first.container
    assert "once upon" in second.run("print(open('/home/learner/novel.txt').read())")
    hub.stop_lab("dan")


def test_what_is_charged_is_from_dockers_start_to_dockers_end(hub: Any) -> None:
    lab = hub.start_lab("cleo")
    started = microseconds(lab.facts()["State"]["StartedAt"])
    time.sleep(1)
    hub.stop_lab("cleo")
    lease = hub.platform.ledger.lease(lab.lease)
    kept = json.loads((Path(hub.platform.leases) / str(lab.lease) / "ended.json").read_text())
    assert (lease.state, lease.started_us, lease.ended_us) == ("ended", started, kept["at_us"])
    assert kept["reason"] == "stopped"
    assert kept["uncertainty_us"] == 0
    assert hub.daemon.client.containers(all=True, filters={"label": f"reelwright.lease={lab.lease}"}) == []


def test_the_package_list_is_in_the_image_and_no_compiler(lab: Any) -> None:
    listed = lab.tell(
        "import json; parts = json.load(open('/opt/reelwright/packages.cdx.json'))['components']\n"
        "print(json.dumps([part['purl'] for part in parts]))"
    )
    assert any(name.startswith("pkg:pypi/torch@2.13.0") for name in listed)
    assert any(name.startswith("pkg:deb/debian/libc6@") for name in listed)
    there = "import json, shutil; print(json.dumps([p for p in ('gcc', 'cc', 'g++', 'make', 'pip', 'apt-get', 'dpkg', 'su') if shutil.which(p)]))"  # noqa: E501
    assert lab.tell(there) == []
