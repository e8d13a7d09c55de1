"""A web of several hundred hosts on loopback, to be crawled (``test_crawl_web``).

``server`` is a forward proxy that answers for every host itself, and keeps a log with times;
``answers`` are what it can do with a request, faults included; ``sites`` puts the web together and
states what is true of it. Nothing here knows Inlink.
"""
