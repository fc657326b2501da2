"""Configuration files of a learner's Jupyter server; ``labs.start`` puts this folder first on Jupyter's search path."""
