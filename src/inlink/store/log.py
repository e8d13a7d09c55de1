"""The log of long-running processes: lines on stderr, with the time and the module."""

import logging

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to_stderr() -> None:
    """Log Inlink's messages from INFO up, and those of libraries from WARNING up."""
    logging.basicConfig(format=LINE)
    logging.getLogger("inlink").setLevel(logging.INFO)
