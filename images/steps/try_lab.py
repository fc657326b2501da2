# ruff: noqa: INP001 -- a step of an image build, run as a file
"""Imports, in the image being built, what labs and a learner's server import: trimming took nothing that is needed."""

import importlib
import pkgutil
import warnings

import labs

NEEDED = (
    "jupyterhub.singleuser", "jupyterlab.labapp", "ipykernel.kernelapp", "nbgrader.apps.submitapp",
    "nbgrader.apps.validateapp", "nbgrader.server_extensions.validate_assignment", "torch", "torch.nn.functional",
    "torch.optim", "torch.utils.data", "diffusers", "transformers", "accelerate", "safetensors.torch", "av", "numpy",
    "PIL.Image", "matplotlib.pyplot", "opentimelineio", "ipywidgets", "screenplain.parsers.fountain",
)  # fmt: skip
LAZY = (
    ("diffusers", "LTXPipeline"), ("diffusers", "AutoencoderKLLTXVideo"), ("diffusers", "LTXVideoTransformer3DModel"),
    ("transformers", "T5EncoderModel"), ("transformers", "AutoTokenizer"),
)  # fmt: skip


def main() -> None:
    """Import everything; a missing part ends the build."""
    warnings.simplefilter("ignore")
    ours = [module.name for module in pkgutil.walk_packages(labs.__path__, "labs.")]
    for name in (*NEEDED, *(name for name in ours if not name.endswith("_config"))):
        importlib.import_module(name)
    for package, attribute in LAZY:
        getattr(importlib.import_module(package), attribute)


if __name__ == "__main__":
    main()
