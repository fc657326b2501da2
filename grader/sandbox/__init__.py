"""Boxes that run code nobody trusts: what builds them, and the small programs that run inside."""
