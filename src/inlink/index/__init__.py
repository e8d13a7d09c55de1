"""Memory-mapped segments, written from a generation, and the reader that answers from them."""
