"""People: sites, cohorts, rosters, roles, class codes, invitations. Values in person, files in roster, SQL in store."""
