"""How a field is answered: rights, loaders, units of work."""
