"""The labels of AI-made films: drawn for viewers, written for machines, read back from the file.

::

    rule      how the visible label must be, and the implicit label as a value
    mark      draws the visible label and finds it again
    export    a film with both, its sound untouched, and how they are read back
    credentials    C2PA content credentials, signed last and read back
"""

from labs.label.export import Labels, export_film, read_labels
from labs.label.rule import Aigc, LabelRule

__all__ = ["Aigc", "LabelRule", "Labels", "export_film", "read_labels"]
