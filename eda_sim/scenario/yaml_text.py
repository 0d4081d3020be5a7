"""YAML as people mean it: ``on`` is a word here, not a truth value.

YAML 1.1, which PyYAML reads, takes the bare words on, off, yes and no for
booleans; YAML 1.2 keeps only true and false. A service's ``on:`` needs the latter.
"""

import re
from typing import Any

import yaml

from eda_sim.errors import InvalidInput

_BOOL = "tag:yaml.org,2002:bool"
_TRUE_FALSE = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")


def _without_on_and_off(resolvers: dict[str, Any]) -> dict[str, Any]:
    kept = {
        first: [(tag, pattern) for tag, pattern in pairs if tag != _BOOL]
        for first, pairs in resolvers.items()
    }
    for first in "tTfF":
        kept.setdefault(first, []).append((_BOOL, _TRUE_FALSE))
    return kept


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = _without_on_and_off(yaml.SafeLoader.yaml_implicit_resolvers)


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers = _without_on_and_off(yaml.SafeDumper.yaml_implicit_resolvers)


def load(text: str) -> Any:
    """Read YAML text; raises ``yaml.YAMLError``, or ``InvalidInput`` where it is nested too deeply.

    >>> load("on: [yes, true]")
    {'on': ['yes', True]}
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise InvalidInput("must be YAML that can be read, but it is nested too deeply") from None


def dump(data: Any) -> str:
    """Write plain data as YAML text, in the order given."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text
