"""The words that every stage and every client shares, and their rules.

``outcomes``: visits and elements, and what counts. ``rows``: what the index answers with.
``requests``, ``answers``, ``proof`` and ``errors``: what goes over HTTP, at ``paths``.
"""
