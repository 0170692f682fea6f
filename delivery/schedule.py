"""When a job runs next: arithmetic only."""

_JITTER = 0.1
_FIRST_RETRY_SECONDS = 1.0
_MAX_RETRY_SECONDS = 60.0


def pause(every: float, failures: int, chance: float) -> float:
    """Return the seconds until the next run, after this many failures in a row.

    every: seconds between runs that succeed. chance: random, from 0 to 1; it keeps workers from marching in
    step: the period varies by a tenth, a retry waits for half to all of a time that doubles up to a minute.
    """
    if failures == 0:
        return every * (1 - _JITTER + 2 * _JITTER * chance)
    # Capped before it is raised, for a float overflows after a thousand failures.
    longest = min(_FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16), _MAX_RETRY_SECONDS, every)
    return longest * (1 + chance) / 2
