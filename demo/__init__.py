"""A small web, and a tour of Inlink on it (``make demo``).

``web`` assembles the web and serves it, ``crawls`` crawls it, and ``run`` is the tour. The web does
not depend on Inlink, so that tests can compare the index with what is true.
"""
