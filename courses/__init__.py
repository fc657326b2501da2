"""Content: one folder a course; nothing here is code of the platform."""
