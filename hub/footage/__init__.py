"""How much film came out of the labs: what the grader made again from what was handed in, in seconds."""
