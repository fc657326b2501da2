"""A program: the course's formgrader with a token instead of a hub; its routes and settings are the service's own.

``python serve_formgrader.py DATABASE_URL BLOBS WORK_DIR PORT TOKEN``; run by path, so that no package of tests is
needed to find it.
"""

import sys
from pathlib import Path

from grader.formgrader import PagesOnly, formgrader_config, install_pages
from grader.gate import check_release
from grader.grade import grade
from grader.sandbox.box import open_sandbox
from grader.store import Store
from grader.submission import LabRules
from grader.verdict import Limits
from hub.db import open_engine

database_url, blobs, work_dir, port, token = sys.argv[1:]
sandbox = open_sandbox(warm=False)
rules = LabRules(3, "best", 0, 0, 0, Limits())
config = formgrader_config(
    "film",
    Path(work_dir),
    Store(open_engine(database_url), Path(blobs)),
    gate=lambda version: check_release(version, lambda job: grade(job, sandbox), rules),
)
config.ServerApp.ip, config.ServerApp.port, config.ServerApp.open_browser = "127.0.0.1", int(port), False
config.IdentityProvider.token = token
server = PagesOnly.instance(config=config)
server.initialize(argv=[], find_extensions=False)
install_pages(server)
server.start()
