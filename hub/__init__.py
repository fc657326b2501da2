"""The platform: runs JupyterHub, keeps people and the compute ledger, and composes labs, grader and certs.

This is the only package that may import the other three; a value crosses between them here, as a new value.
"""
