"""Prepares and signs certificates: the only module that uses the private key."""
