"""A program: the course's formgrader with a token instead of a hub; its routes and settings are the service's own.

``python serve_formgrader.py DATABASE_URL BLOBS WORK_DIR PORT TOKEN``; run by path, so that no package of tests is
needed to find it.
"""

import sys
from pathlib import Path

from grader.formgrader import PagesOnly, formgrader_config, install_pages
from grader.store import Store
from hub.db import open_engine

database_url, blobs, work_dir, port, token = sys.argv[1:]
config = formgrader_config("film", Path(work_dir), Store(open_engine(database_url), Path(blobs)))
config.ServerApp.ip, config.ServerApp.port, config.ServerApp.open_browser = "127.0.0.1", int(port), False
config.IdentityProvider.token = token
server = PagesOnly.instance(config=config)
server.initialize(argv=[], find_extensions=False)
install_pages(server)
server.start()
