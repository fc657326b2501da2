"""Open Badges 3.0 certificates: values, issue, strict verification, public pages. Imports neither hub, labs nor grader."""
