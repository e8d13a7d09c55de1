"""The Backlinks API v1.0, its successor's paths, and the proof of links, over HTTP.

A request goes one way: ``app`` (HTTP) -> ``service`` (format, key, parameters, generation, charge)
-> ``commands`` (what is answered, by ``live``, ``days``, ``tasks`` and ``proof``) -> ``formats``
(bytes). ``requests`` and ``answers`` are the one description of what every command takes and gives:
requests are validated by it, and ``openapi`` is made from it. Beside it, ``export`` writes the
files of download-all-backlinks.
"""

PREFIX = "/backlinks/v1.0"
"""The path that every command of v1.0 is under."""

SUCCESSOR_PREFIX = "/v1/backlinks"
"""The path that the successor's commands are under."""

PROOF_PREFIX = "/v2"
"""The path that the commands about the proof of a link, which are Inlink's own, are under."""

EXPORT_PREFIX = "/export"
"""The path that the files of exports are under."""
