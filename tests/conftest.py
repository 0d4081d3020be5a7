"""What every test stands on: no display, no luck of its own, no figure left open."""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Set before anything imports matplotlib, so that doctests and worker processes obey as well.
os.environ["MPLBACKEND"] = "Agg"

# Hypothesis tries the same worlds on every machine: a red test is red for everybody. To look for
# new ones: pytest --hypothesis-profile=nightly, or explore, and what fails says how to repeat it.
settings.register_profile("fixed", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("nightly", deadline=None, max_examples=500, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _no_figure_left_open() -> Iterator[None]:
    """Close what a test drew, without importing matplotlib for those that draw nothing."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
