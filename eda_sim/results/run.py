"""A run: what was written down, and everything that is derived from it.

A run is a ``Record`` that answers questions: each method hands the tables to the function that
knows, and the run keeps what it was asked for. Those functions, and what they need, are loaded
with the first question, so that ``Run`` costs nothing where only its name is wanted.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eda_sim.errors import InvalidInput
from eda_sim.results.record import Record
from eda_sim.rules.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

    from eda_sim.results.alerts import Rules
    from eda_sim.results.journey import Journey
    from eda_sim.results.ledger import Account
    from eda_sim.results.statistics import Interval
    from eda_sim.results.step_function import StepFunction


class Run(Record):
    """What happened when a scenario ran once.

    The tables are ``rules.tables``; ``describe_table`` says what their columns mean.

    Args:
        scenario: what was run.
        seed: the seed of its luck.
        tables: every table by name, as DataFrames.

    Example:
        >>> from eda_sim import order_chain, simulate
        >>> run = simulate(order_chain(duration=20, warmup=0), seed=7)
        >>> list(run.requests.columns)
        ['request', 'source', 'key', 'started_at', 'answered_at', 'outcome']
    """

    @staticmethod
    def describe_table(table: str) -> "pd.DataFrame":
        """Return what the columns of a table mean, with their types.

        >>> Run.describe_table("effects").loc["at", "meaning"]
        'when it was complete'
        """
        import pandas as pd

        known = TABLES[table].columns
        return pd.DataFrame(known, columns=["column", "type", "meaning"]).set_index("column")

    # -- what is derived -------------------------------------------------------------

    def summary(self) -> "pd.Series":
        """Return the metrics of the run as a labelled Series (seconds, rates as fractions).

        ``eda_sim.results.summary.MEANINGS`` defines each name.
        """
        return self._summary.copy()

    @cached_property
    def _summary(self) -> "pd.Series":
        from eda_sim.results.summary import summarise

        return summarise(self, self._ledger)

    def services(self) -> "pd.DataFrame":
        """Return utilisation, queues, delivery lag and outcomes of attempts, one row a service."""
        from eda_sim.results.services import service_table

        return service_table(self)

    def ledger(self) -> "pd.DataFrame":
        """Return what became of each request beside what it was meant to do.

        One row a request: how many effects were ``meant`` and ``done``, how many are
        ``missing``, ``repeated`` or ``out_of_order`` (done after work for a later message with
        the same key), when all was there (``completed_at``, seconds) and the ``verdict``:
        consistent, duplicated, half_done, lost, out_of_order or pending.
        """
        return self._ledger.copy()

    @cached_property
    def _ledger(self) -> "pd.DataFrame":
        from eda_sim.results.ledger import ledger

        return ledger(self, self._account, self._overtaken)

    def overtaken(self) -> "pd.DataFrame":
        """Return one row for each work done out of order, and what had overtaken it."""
        return self._overtaken.copy()

    @cached_property
    def _overtaken(self) -> "pd.DataFrame":
        from eda_sim.results.overtaking import overtaken

        return overtaken(self)

    @cached_property
    def _account(self) -> "Account":
        from eda_sim.results.ledger import account

        return account(self)

    def audit(self, request: int | None = None) -> "pd.DataFrame":
        """Explain every request that is not consistent: which effect, what happened, who did it.

        One row for each effect that is missing, repeated or out of order:

        - ``request`` and its ``verdict``; ``problem``: missing, repeated or out_of_order;
        - ``service``, ``label`` of the work and the ``message`` that it is done for;
        - ``what`` happened (a name of ``eda_sim.rules.incidents``, or still_under_way at the end of
          the run, or side_by_side with others), ``at`` which time (seconds);
        - ``by`` which fault or setting, and the ``policy`` that let it stand (the setting that
          would have helped, two with ``and``, or ``none``), each as ``path = value`` with a path
          for ``Scenario.replace``;
        - ``explanation``: all that in one sentence.

        Args:
            request: one request only, whatever its verdict.

        Raises:
            InvalidInput: if the run has no such request.

        Example:
            >>> from eda_sim import Outage, order_chain, simulate
            >>> faults = [Outage("payment", at=20, lasts=60)]
            >>> run = simulate(order_chain(duration=60, warmup=0, faults=faults), seed=7)
            >>> found = run.audit().query("what == 'refused'").iloc[0]
            >>> found["by"], found["policy"]
            ("faults[0] = Outage('payment', at=20.0, lasts=60.0)",
             'orders.PlaceOrder[ProcessPayment].retry = None')
        """
        from eda_sim.results.audit import audit

        return audit(self, self._account, self._ledger, self._overtaken, request)

    def verdicts(self) -> "pd.Series":
        """Return how many requests each verdict has, all verdicts listed.

        >>> from eda_sim import order_chain, simulate
        >>> int(simulate(order_chain(duration=5, warmup=0)).verdicts()["lost"])
        0
        """
        from eda_sim.results.ledger import VERDICTS

        counts = self._ledger["verdict"].value_counts()
        return counts.reindex(list(VERDICTS)).rename("requests")

    def timeline(
        self, what: str, subject: str | None = None, *, window: float = 10.0
    ) -> "StepFunction":
        """Return a quantity over the whole run as an exact step function of time.

        Args:
            what: ``queue`` (attempts that wait), ``busy`` (workers), ``backlog`` (deliveries
                published and not ended), ``requests`` (started and not answered),
                ``throughput`` (per second, over the ``window`` before; answers, or attempts
                of the subject), ``response_time`` (seconds, of the latest answer), ``lag``
                (seconds, of the latest handled delivery), ``dead_letters`` (so far), ``instances``.
            subject: a service; without it, all together.
            window: seconds, for ``throughput``.

        Raises:
            InvalidInput: if there is no such timeline or service.
        """
        from eda_sim.results.timelines import timeline

        return timeline(self, what, subject, window)

    def alerts(self, rules: "Rules") -> "pd.DataFrame":
        """Return when alert rules fire, a row for each time, in the order of time.

        The columns are ``alert`` (its name or rule), ``metric``, ``fired_at`` and
        ``resolved_at`` (seconds; NaN if it never did) and ``worst``, the greatest value
        between the two (the least, of a rule that fires below). Thresholds are crossed at
        computed times, not at sampled ones; where there is no value, nothing fires.

        Args:
            rules: an ``Alert``, a rule as a text, or a list of them.

        Raises:
            InvalidInput: if two have one name, or the subject is no service of the scenario.

        Example:
            >>> from eda_sim import Alert, Outage, order_pubsub, simulate
            >>> faults = [Outage("payment", at=20, lasts=10)]
            >>> run = simulate(order_pubsub(duration=60, warmup=0, faults=faults))
            >>> paged = run.alerts(Alert("backlog of payment > 100", lasting=2))
            >>> bool(22 < paged["fired_at"][0] < 30 < paged["resolved_at"][0])
            True
        """
        from eda_sim.results.alerts import alerts

        return alerts(self, rules)

    def interval(
        self, metric: str = "response_time", *, batches: int = 20, confidence: float = 0.95
    ) -> "Interval":
        """Return the mean of a measured time with its confidence interval, by batch means.

        Within one run neighbours resemble each other, so whole stretches of the run are
        compared instead of single values. For architectures use ``compare``.

        Args:
            metric: ``response_time``, ``completion_time``, ``consistency_lag`` or ``delivery_lag``.
            batches: into how many stretches the run is cut.
            confidence: the confidence level.
        """
        from eda_sim.results.statistics import batch_means
        from eda_sim.results.summary import measured

        times = measured(self, self._ledger)
        if metric not in times:
            raise InvalidInput(f"metric must be one of {', '.join(times)}, got {metric!r}")
        return batch_means(times[metric].to_numpy(), batches, confidence)

    def journey(self, request: int) -> "Journey":
        """Return the causal story of one request: who did what when, and because of what.

        Raises:
            InvalidInput: if the run has no such request.
        """
        from eda_sim.results.journey import journey

        return journey(self, self._ledger, request)

    def envelope(self, message: int) -> dict[str, Any]:
        """Return a command or event in its envelope, as CloudEvents 1.0 defines it in JSON.

        The attributes are those of CloudEvents (``id``, ``source``, ``type``, ``subject``: the
        key, ``time``: RFC 3339, second 0 of the run being the start of 2026, and so on),
        with ``dataversion``, ``correlationid`` (the request) and ``causationid`` (the message
        whose handling made this one) as extensions, and the ``data`` of the ``Publish`` step.

        Args:
            message: an id of the table ``messages``.

        Raises:
            InvalidInput: if the run has no such message.

        Example:
            >>> from eda_sim import order_pubsub, simulate
            >>> run = simulate(order_pubsub(duration=5, warmup=0), seed=7)
            >>> placed = run.envelope(run.messages.query("kind == 'event'")["message"].iloc[0])
            >>> placed["type"], placed["source"], placed["correlationid"]
            ('OrderPlaced', 'orders', '0')
        """
        from eda_sim.results.envelope import envelope

        return envelope(self, message)

    # -- storage ---------------------------------------------------------------------

    def to_parquet(self, directory: str | Path) -> Path:
        """Write the whole run into a new directory: its tables, scenario and seed.

        Raises:
            InvalidInput: if the directory exists and holds anything.
        """
        from eda_sim.results.storage import write

        return write(self, Path(directory))

    @classmethod
    def from_parquet(cls, directory: str | Path) -> "Run":
        """Read a run that ``to_parquet`` has written.

        Raises:
            InvalidInput: if the directory holds no such run.
        """
        from eda_sim.results.storage import read

        return cls(*read(Path(directory)))

    # -- how it shows itself -----------------------------------------------------------

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(self.tables[name]):,} {name}" for name in ("requests", "effects"))
        return f"Run({self.scenario.name!r}, seed={self.seed}: {sizes})"

    def _repr_html_(self) -> str:
        summary = self.summary().to_frame().to_html(float_format="{:.6g}".format, na_rep="–")
        return f"<p><b>{self.scenario.name}</b>, seed {self.seed}</p>{summary}"
