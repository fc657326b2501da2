"""Open Badges 3.0 certificates: issue, strict verification, public pages. Imports neither hub, labs nor grader."""
