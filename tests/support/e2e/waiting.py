"""Waiting for something to become true, with a deadline and without fixed sleeps."""

import time

LONGEST_PAUSE = 0.2  # seconds


class DeadlineExceeded(AssertionError):
    """What was waited for did not come true in time."""


def eventually(condition, what, deadline=10.0, pause=0.02):
    """Returns the first true value of condition(); exceptions of it count as "not yet" until the deadline.

    It is asked again after `pause` seconds, and after a tenth of what was waited for already (up to LONGEST_PAUSE) when that is more:
    many a condition starts a process, and takes the processor from what it waits for.
    """
    start = time.monotonic()
    end = start + deadline
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except Exception as error:  # pylint: disable=broad-except
            last = error
        now = time.monotonic()
        if now >= end:
            raise DeadlineExceeded(f"waited {deadline:g} s for {what}; last: {last!r}")
        time.sleep(max(pause, min(LONGEST_PAUSE, (now - start) / 10)))
