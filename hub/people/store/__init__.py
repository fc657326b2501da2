"""All SQL about people: ``people`` (who there is, roles, invitations), ``names`` (corrections), ``seats`` (classes)."""

from hub.people.store.seats import PeopleStore

__all__ = ["PeopleStore"]
