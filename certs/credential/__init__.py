"""The credential document: built, parsed strictly, signed, checked, read into facts. No I/O, no fetch."""
