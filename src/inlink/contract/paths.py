"""The paths of the HTTP server."""

PREFIX = "/backlinks/v1.0"
"""The path that every command of v1.0 is under."""

SUCCESSOR_PREFIX = "/v1/backlinks"
"""The path that the successor's commands are under."""

PROOF_PREFIX = "/v2"
"""The path that the commands about the proof of a link, which are Inlink's own, are under."""

EXPORT_PREFIX = "/export"
"""The path that the files of exports are under."""
