"""The paths of the HTTP server."""

PREFIX = "/backlinks/v1.0"
"""Path prefix of every command of v1.0."""

SUCCESSOR_PREFIX = "/v1/backlinks"
"""Path prefix of the successor's commands."""

PROOF_PREFIX = "/v2"
"""Path prefix of the commands that prove a link, which are Inlink's own."""

EXPORT_PREFIX = "/export"
"""Path prefix of export files."""
