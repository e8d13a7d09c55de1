"""Batches of observations in, a generation (history, graph, ranks) out."""
