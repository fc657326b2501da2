"""The forms a credential travels in: PDF, PNG, JSON; written, read back from hostile files, compared."""
