"""A web of several hundred hosts on loopback, to be crawled (``test_crawl_web``).

It is served by ``demo.server``. ``answers`` are what that can do with a request, faults included;
``sites`` puts the web together and states what is true of it. Nothing here knows Inlink.
"""
