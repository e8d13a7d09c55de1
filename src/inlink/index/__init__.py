"""A generation in, memory-mapped segments out, and the reader that answers from them."""
