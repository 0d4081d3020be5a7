"""Sending dead letters back to be handled."""

from dataclasses import KW_ONLY

from eda_sim.scenario.description import Name, PositiveRate, Seconds, description


@description
class Redrive:
    """What is in the dead-letter queue of a service is handled again, its attempts counted anew.

    Args:
        service: whose dead letters.
        at: when, in seconds.
        rate: how many go back a second; None: all at once.
        message: which message name; None: all of them.
    """

    service: Name
    at: Seconds
    _: KW_ONLY
    rate: PositiveRate | None = None
    message: Name | None = None
