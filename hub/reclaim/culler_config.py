"""The idle culler's configuration: our arbiter decides, lab by lab."""

import logging

from hub.config import Config
from hub.platform import Platform
from hub.reclaim.arbiter import arbiter

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
platform = Platform(Config.load())
c = get_config()  # type: ignore[name-defined]  # noqa: F821 - traitlets gives it to configuration files
c.IdleCuller.cull_arbiter_hook = arbiter(platform.sessions)
