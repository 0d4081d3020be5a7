"""What is public, and where it is at home: the one place that says so.

``__init__.py`` reads it, and so do type checkers, editors and tab completion.
"""

from eda_sim import catalog as catalog, theory as theory
from eda_sim.catalog import (
    consumer_group as consumer_group,
    event_bus as event_bus,
    event_flow as event_flow,
    fan_out as fan_out,
    order_chain as order_chain,
    order_crash as order_crash,
    order_pubsub as order_pubsub,
    retry_ladder as retry_ladder,
    retry_storm as retry_storm,
    service_chain as service_chain,
    town_announcement as town_announcement,
    town_conversation as town_conversation,
)
from eda_sim.errors import (
    EdaSimError as EdaSimError,
    EdaSimWarning as EdaSimWarning,
    InvalidInput as InvalidInput,
    SimulationError as SimulationError,
)
from eda_sim.experiments.compare import Comparison as Comparison, compare as compare
from eda_sim.results.run import Run as Run
from eda_sim.results.statistics import student_t as student_t
from eda_sim.results.step_function import StepFunction as StepFunction
from eda_sim.rules import lifecycle as lifecycle
from eda_sim.rules.partitioning import partition_of as partition_of
from eda_sim.scenario.alerts import Alert as Alert
from eda_sim.scenario.broker import Broker as Broker, Topic as Topic
from eda_sim.scenario.delivery import (
    Backoff as Backoff,
    CircuitBreaker as CircuitBreaker,
    Deduplication as Deduplication,
    DeliveryPolicy as DeliveryPolicy,
    Retry as Retry,
    RetryBudget as RetryBudget,
)
from eda_sim.scenario.distributions import (
    Constant as Constant,
    Empirical as Empirical,
    Exponential as Exponential,
    Gamma as Gamma,
    LogNormal as LogNormal,
    Pareto as Pareto,
    Recorded as Recorded,
    Uniform as Uniform,
)
from eda_sim.scenario.faults import (
    BadDeployment as BadDeployment,
    BrokerOutage as BrokerOutage,
    Duplicates as Duplicates,
    Loss as Loss,
    NetworkPartition as NetworkPartition,
    Outage as Outage,
    PoisonMessages as PoisonMessages,
    Reordering as Reordering,
    Slowdown as Slowdown,
)
from eda_sim.scenario.presets import preset_settings as preset_settings
from eda_sim.scenario.redrive import Redrive as Redrive
from eda_sim.scenario.scenario import Scenario as Scenario
from eda_sim.scenario.service import (
    Autoscale as Autoscale,
    Handler as Handler,
    RateLimit as RateLimit,
    Service as Service,
)
from eda_sim.scenario.steps import (
    Branch as Branch,
    Call as Call,
    Outbox as Outbox,
    Parallel as Parallel,
    Publish as Publish,
    Send as Send,
    Work as Work,
)
from eda_sim.scenario.traffic import (
    Bursts as Bursts,
    Diurnal as Diurnal,
    Poisson as Poisson,
    Regular as Regular,
    Spike as Spike,
    Trace as Trace,
    Traffic as Traffic,
    UniformKeys as UniformKeys,
    ZipfKeys as ZipfKeys,
)
from eda_sim.simulate import simulate as simulate
from eda_sim.units import day as day, hour as hour, minute as minute, ms as ms, second as second
from eda_sim.views import style as style
from eda_sim.views.comparison import draw_comparison as draw_comparison
from eda_sim.views.curve import draw_curve as draw_curve
from eda_sim.views.description import describe as describe
from eda_sim.views.distributions import draw_distribution as draw_distribution
from eda_sim.views.headline import draw_headline as draw_headline
from eda_sim.views.journey import draw_journey as draw_journey
from eda_sim.views.ledger import draw_ledger as draw_ledger
from eda_sim.views.lifecycle import draw_lifecycle as draw_lifecycle
from eda_sim.views.system import draw_system as draw_system
from eda_sim.views.timelines import draw_timeline as draw_timeline

__version__: str
