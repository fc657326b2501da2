"""The learner's side of nbgrader's exchange, over HTTP to the intake. ``plugin`` is what nbgrader is configured with.

::

    answers    what the intake says, parsed strictly (values)
    client     asks it, with the learner's own token
    archive    packs a lab's folder, unpacks a release
    fetch, submit, results    the three things a learner does, without nbgrader
    plugin, assignment_list   the same three through nbgrader and JupyterLab
"""
