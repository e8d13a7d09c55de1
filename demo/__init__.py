"""A small web of its own, and a tour of Inlink on it (``make demo``).

``web`` puts the parts together and writes the crawl files; ``run`` is the tour. Nothing here but
``run`` knows Inlink, so that tests can compare what the index says with what is true.
"""
