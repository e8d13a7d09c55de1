"""The log of processes that stay: lines on stderr, with the time and the module."""

import logging

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to_stderr() -> None:
    """Log what Inlink does from INFO on, and what libraries do from WARNING on."""
    logging.basicConfig(format=LINE)
    logging.getLogger("inlink").setLevel(logging.INFO)
