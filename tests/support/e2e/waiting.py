"""Waiting for something to become true, with a deadline and without fixed sleeps."""

import time


class DeadlineExceeded(AssertionError):
    """What was waited for did not come true in time."""


def eventually(condition, what, deadline=10.0, pause=0.02):
    """Returns the first true value of condition(); exceptions of it count as "not yet" until the deadline."""
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except Exception as error:  # pylint: disable=broad-except
            last = error
        if time.monotonic() >= end:
            raise DeadlineExceeded(f"waited {deadline:g} s for {what}; last: {last!r}")
        time.sleep(pause)
