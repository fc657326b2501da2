"""A learner's Jupyter server: JupyterLab and what labs use, nothing else, so that it opens quickly."""

import os

from labs import authoring
from labs.session import LABEXTENSIONS

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - traitlets gives it to configuration files

c.ServerApp.jpserver_extensions = {
    "labs.exchange.assignment_list": True,
    "labs.session.extension": True,
    "nbgrader.server_extensions.validate_assignment": True,
    "nbgrader.server_extensions.assignment_list": False,
    "nbgrader.server_extensions.formgrader": False,
    "nbgrader.server_extensions.course_list": False,
    "jupyterlab": True,
    "jupyter_lsp": False,
    "notebook": False,
    "notebook_shim": False,
}
# Hidden files are caches and half-written files of ours; learners hand in what they can see.
c.ContentsManager.allow_hidden = False
# A learner may delete what is theirs for good: a trash folder would fill the home without anyone seeing it.
c.FileContentsManager.delete_to_trash = False
# Beside the extensions that are installed: the one that shows when the lab ends.
c.LabApp.extra_labextensions_path = [str(LABEXTENSIONS)]
if os.environ.get(authoring.AUTHOR_VARIABLE):
    c.ServerApp.jpserver_extensions = {**c.ServerApp.jpserver_extensions, "labs.authoring.extension": True}
    c.LabApp.extra_labextensions_path = [str(LABEXTENSIONS), str(authoring.LABEXTENSIONS)]
