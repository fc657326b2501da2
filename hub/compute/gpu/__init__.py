"""GPU slices: what there is, who holds which, who waits and in what order."""
