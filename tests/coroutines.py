"""Coroutines that a test runs: in a thread of its own, as Playwright keeps a loop running in that of other tests."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


def finish(coroutine):
    """Run it to its end; return what it returns, raise what it raises."""
    with ThreadPoolExecutor(1) as own:
        return own.submit(asyncio.run, coroutine).result()
