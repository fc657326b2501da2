# ruff: noqa: INP001 -- a step of an image build, run as a file
"""Imports, in the image being built, what a learner's server and labs import: trimming took nothing that is needed.

Usage: try_lab.py needed|labs. Python keeps what it compiles on the way, which the read-only container then finds.
"""

import importlib
import pkgutil
import sys
import warnings

NEEDED = (
    "jupyterhub.singleuser", "jupyterlab.labapp", "ipykernel.kernelapp", "nbgrader.apps.submitapp",
    "nbgrader.apps.validateapp", "nbgrader.server_extensions.validate_assignment", "torch", "torch.nn.functional",
    "torch.optim", "torch.utils.data", "diffusers", "transformers", "accelerate", "safetensors.torch", "av", "numpy",
    "PIL.Image", "matplotlib.pyplot", "opentimelineio", "ipywidgets", "screenplain.parsers.fountain",
)  # fmt: skip
LAZY = (
    ("diffusers", "LTXPipeline"), ("diffusers", "AutoencoderKLLTXVideo"), ("diffusers", "LTXVideoTransformer3DModel"),
    ("diffusers", "CogVideoXPipeline"), ("diffusers", "CogVideoXTransformer3DModel"),
    ("diffusers", "DPMSolverMultistepScheduler"), ("transformers", "T5EncoderModel"), ("transformers", "AutoTokenizer"),
)  # fmt: skip


def main() -> int:
    """Import everything; a missing part ends the build."""
    warnings.simplefilter("ignore")
    for name in NEEDED if sys.argv[1] == "needed" else ours():
        importlib.import_module(name)
    for package, attribute in LAZY:
        getattr(importlib.import_module(package), attribute)
    return 0


def ours() -> list[str]:
    """Every module of the toolkit but its configuration files, which only Jupyter can load."""
    package = importlib.import_module("labs")
    return [found.name for found in pkgutil.walk_packages(package.__path__, "labs.") if "_config" not in found.name]


if __name__ == "__main__":
    sys.exit(main())
