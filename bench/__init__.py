"""Benchmarks: Inlink beside its peers and its limits, on the same work in one run."""
