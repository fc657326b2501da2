"""Applies Reelwright's configuration to JupyterHub; holds no decision of its own."""

from hub.config import Config
from hub.traits import configure

configure(get_config(), Config.load())  # noqa: F821 -- JupyterHub puts get_config here
