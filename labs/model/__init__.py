"""Model folders: what one must hold, how it is recognised, and the script that makes the smallest one."""

from labs.model.folder import ClipDefaults, Manifest, ModelError, ModelFolder, model_folder, open_model

__all__ = ["ClipDefaults", "Manifest", "ModelError", "ModelFolder", "model_folder", "open_model"]
