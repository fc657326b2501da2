"""Certificates in the portal: what a trainee holds and decides, and what an instructor issues, corrects and revokes."""
