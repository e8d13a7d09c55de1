"""The proof of a link: the record that it was read from, and where in the page it stands."""
