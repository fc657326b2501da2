"""What tests of several packages share: one Docker daemon and one build of the lab image for the whole run."""

from tests.daemon import daemon, grader_image, image

__all__ = ["daemon", "grader_image", "image"]
