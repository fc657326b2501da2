"""An instance in a folder of its own: its processes, each started by a fork of one that has everything imported."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from hub import addresses, prepare
from hub.config import Config
from hub.people.person import Person
from hub.platform import Platform
from hub.run import _proxy_argv
from hub.spawner.engine import engine_of
from tests.daemon import answer, free_port, is_gone
from tests.kills.fuse import LAID

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
TOKEN = "token-of-the-tests"
LEARNERS = ("ada", "ben", "cleo", "dan", "eve", "fay")
YUAN_PER_HOUR = 3600
"""A thousandth of a yuan a millisecond: any wrong moment shows."""

COURSE = """
id = "small"
programme = "small"
version = "1"
skills = []
title = { zh = "小课", en = "Small course" }
summary = { zh = "一个实验。", en = "One lab." }
completion = { min_score = 60 }
allowance = { yuan = "900000000" }

[[labs]]
id = "one"
title = { zh = "一", en = "One" }
summary = { zh = "一", en = "One" }
minutes = 10
weight = 1
due_after_days = 7
"""
TARIFF = f"""
[[tariff]]
id = "always"
from = 2020-01-01T00:00:00+08:00
[[tariff.price]]
profile = "cpu"
yuan_per_hour = "{YUAN_PER_HOUR}"
"""
CONFIG = """
engine = "{engine}"
[server]
port = {port}
[policy]
tariffs = "tariffs.toml"
[profiles.cpu]
title_zh = "x"
title_en = "x"
memory_mb = 256
longest_session_minutes = 60
{more}
"""


class World:
    """The instance; ``pids`` are its processes by name, which the killer ends and starts again."""

    def __init__(self, folder: Path, engine: str, more: str = "") -> None:
        course = folder / "courses" / "small"
        (course / "source" / "one").mkdir(parents=True)
        (course / "course.toml").write_text(COURSE, encoding="utf-8")
        starter = Path(prepare.__file__).parent / "authoring" / "starters" / "code" / "starter.ipynb"
        shutil.copy(starter, course / "source" / "one" / "one.ipynb")
        (folder / "tariffs.toml").write_text(TARIFF, encoding="utf-8")
        told = CONFIG.format(engine=engine, port=free_port(), more=more)
        (folder / "reelwright.toml").write_text(told, encoding="utf-8")
        self.folder, self.fuse = folder, LAID
        self.config = Config.load(folder / "reelwright.toml")
        self.platform = Platform(self.config)
        self.pids: dict[str, int] = {}
        self._starts: dict[str, Callable[[], Any]] = {
            "hub": self._run_hub,
            "steward": self._run_steward,
            "traffic": self._run_traffic,
        }

    # ---- preparation --------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Folders, database, people and the engine; in a process of its own, so that this one stays fit to fork."""
        pid = self._fork(self._prepare)
        _, status = os.waitpid(pid, 0)
        if status:
            raise RuntimeError(f"the instance could not be prepared; see {self.folder}/prepare.log")

    def _prepare(self) -> None:
        platform = Platform(self.config)
        prepare.stores(platform, print)
        addresses.choose(platform.addresses_file, len(platform.courses))
        people, site = platform.people, self.config.site.id
        people.put_person(Person("teacher", "王老师", frozenset({"instructor"}), site))
        today = datetime.now(UTC).date()
        cohort = people.create_cohort("small", site, "A", today - timedelta(2), today + timedelta(60), "teacher")
        roster = "学号,姓名\n" + "".join(f"S{number},{name}\n" for number, name in enumerate(LEARNERS))
        people.import_roster(cohort.id, roster.encode())
        for number, name in enumerate(LEARNERS):
            people.put_person(Person(name, name, frozenset({"trainee"}), site))
            people.claim_seat(cohort.class_code, f"S{number}", name)
        engine_of(platform).make_ready(print)

    # ---- processes ----------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a process that does not run."""
        self.fuse.lines = 0
        self.pids[name] = self._fork(self._starts[name], name)

    def start_proxy(self) -> subprocess.Popen[bytes]:
        """The real proxy, which nobody kills: it keeps no books."""
        env = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": self.platform.secrets.text("proxy-token")}
        with (self.folder / "proxy.log").open("ab") as log:
            return subprocess.Popen(_proxy_argv(self.platform), stdout=log, stderr=log, env=env)

    def is_hub_up(self) -> bool:
        return answer(f"{self.platform.addresses.url('hub')}/hub/health") == httpx.codes.OK

    def kill(self, name: str) -> None:
        """End a process of ours with -9, if it has not ended itself."""
        pid = self.pids.pop(name)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def has_died(self, name: str) -> bool:
        return is_gone(self.pids[name])

    def _fork(self, work: Callable[[], Any], name: str = "prepare") -> int:
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            with (self.folder / f"{name}.log").open("ab") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            os.chdir(self.folder)
            work()
            status = 0
        except BaseException:  # noqa: BLE001 -- nothing of this process may go on as if it were its parent
            import traceback  # noqa: PLC0415

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)

    def _run_hub(self) -> None:
        from jupyterhub.app import JupyterHub  # noqa: PLC0415

        os.environ |= {"REELWRIGHT_CONFIG": str(self.config.file), "TEST_TOKEN": TOKEN}
        self.fuse.lay()
        JupyterHub.launch_instance(["-f", str(HERE / "hub_config.py")])

    def _run_steward(self) -> None:
        from hub.serve import stewardship  # noqa: PLC0415

        stewardship(Platform(self.config))

    def _run_traffic(self) -> None:
        from tests.kills.traffic import run  # noqa: PLC0415

        run(f"{self.platform.addresses.url('hub')}/hub/api", TOKEN, LEARNERS)

    def wait_for_hub(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_hub_up():
            if self.has_died("hub") or time.monotonic() > deadline:
                raise RuntimeError(f"the hub does not start; see {self.folder}/hub.log")
            time.sleep(0.05)
