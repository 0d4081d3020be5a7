"""Sending dead letters back to be handled."""

from dataclasses import KW_ONLY

from eda_sim.scenario.description import Name, PositiveRate, Seconds, description


@description
class Redrive:
    """At ``at`` seconds, what is in the dead-letter queue of ``service`` is handled again.

    ``rate`` limits how many deliveries a second go back (all at once, if not said) and
    ``message`` which ones. Attempts are counted anew.
    """

    service: Name
    at: Seconds
    _: KW_ONLY
    rate: PositiveRate | None = None
    message: Name | None = None
