"""The portal's views, one module a subject: each parses, makes one call, and renders."""
