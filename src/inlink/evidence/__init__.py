"""The proof of a link: the record that it was read from, and its place in the page."""
