"""The vocabulary that every stage and every client shares, and its rules.

``outcomes``: what a visit means, and which elements count. ``rows``: what the index answers with.
``requests``, ``answers``, ``proof`` and ``errors``: what goes over HTTP, under ``paths``.
"""
