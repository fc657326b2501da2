"""The read API: reports, charge lines, claims and metrics for programs, each with a token that may do so much."""
