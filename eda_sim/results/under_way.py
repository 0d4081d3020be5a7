"""What was still under way when a run ended: the ledger judges such requests with patience."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eda_sim.later.pandas import pd
from eda_sim.results.record import Record
from eda_sim.rules.outcomes import Outcome
from eda_sim.rules.plan import Plan, PublicationNode


def under_way(record: Record) -> npt.NDArray[np.bool_]:
    """Say for each request whether anything of it had not ended when the run did."""
    deliveries = record.deliveries
    messages = record.messages[record.messages["accepted_at"].isna()]
    messages = messages[~messages["message"].isin(deliveries["message"])]
    said = messages["sender"].astype(str) + "/" + messages["name"].astype(str)
    open_ids = [
        messages["request"][said.isin(_outboxes(record.plan))],
        deliveries["request"][deliveries["outcome"] == Outcome.PENDING],
        *(
            table["request"][table["outcome"] == Outcome.UNFINISHED]
            for table in (record.requests, record.calls, record.attempts)
        ),
    ]
    return record.requests["request"].isin(pd.concat(open_ids)).to_numpy()


def _outboxes(plan: Plan) -> set[str]:
    """Return who keeps which event in an outbox, as ``sender/event``."""
    return {
        f"{message.owner}/{message.name}"
        for unfolding in plan.unfoldings
        for message in unfolding.messages
        if isinstance(message, PublicationNode) and message.outbox is not None
    }
