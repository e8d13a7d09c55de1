"""URLs: canonical form, identity, sort key, registrable domain, targets of requests."""
