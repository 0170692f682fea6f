"""The documentation: what of it is generated, and that what it shows works."""
