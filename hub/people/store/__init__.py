"""All SQL about people: ``people`` (who there is, roles, invitations) and, on top, ``seats`` (cohorts, rosters)."""

from hub.people.store.seats import PeopleStore

__all__ = ["PeopleStore"]
