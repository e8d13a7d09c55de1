"""How long tests wait for what should come: a machine that runs them may be busy."""

import time
from collections.abc import Callable

PATIENCE = 600.0
"""Seconds after which it will never come. A test is right or wrong, not slow."""


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for *condition* to hold."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
