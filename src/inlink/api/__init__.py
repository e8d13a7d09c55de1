"""The Backlinks API v1.0 over HTTP.

A request goes one way: ``app`` (HTTP) -> ``service`` (format, key, parameters, generation) ->
``commands`` (what is answered) -> ``formats`` (bytes). ``requests`` and ``answers`` are the one
description of what every command takes and gives: requests are validated by it, and ``openapi`` is
made from it.
"""

PREFIX = "/backlinks/v1.0"
"""The path that every command is under."""
