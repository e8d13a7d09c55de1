"""The Backlinks API v1.0, its successor's paths, and the proof of links, over HTTP.

A request goes one way: ``app`` (HTTP) -> ``service`` (format, key, parameters, generation, charge)
-> ``commands`` (what is answered, by ``live``, ``days``, ``tasks`` and ``proof``) -> ``formats``
(bytes). ``requests`` and ``answers`` are the one description of what every command takes and gives:
requests are validated by it, and ``openapi`` is made from it. Beside it, ``export`` writes the
files of download-all-backlinks.
"""
