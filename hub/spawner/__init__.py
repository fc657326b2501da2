"""Places labs: one box per learner, leased before launch, timed by the engine."""
