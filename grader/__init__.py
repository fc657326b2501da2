"""Takes hostile files, runs hostile code in a box and decides outside it; keeps submissions, verdicts and marks."""
