"""What someone has set, read by the table of a preset and refused where it does not fit.

Every refusal is one line: the preset and its setting, the rule, the value, the remedy.
"""

from collections.abc import Mapping
from typing import Any

from eda_sim.errors import InvalidInput, nearest
from eda_sim.scenario.presets.table import Preset


class Given:
    """The settings of one call of a preset."""

    def __init__(
        self, preset: Preset, settings: Mapping[str, Any] | None, named: Mapping[str, Any]
    ) -> None:
        self._preset = preset
        self._default = {row.name: row.preset for row in preset.settings}
        self._set = self._merged(settings, named)
        for name, value in self._set.items():
            if name in preset.inexpressible:
                raise InvalidInput(
                    f"{preset.call}: {name} cannot be expressed here, got {value!r}: "
                    f"{preset.inexpressible[name]}"
                )
            if name not in self._default:
                raise InvalidInput(
                    f"{preset.call}: {name} is not a known setting, got {value!r}: "
                    f"{nearest(name, [*self._default, *preset.inexpressible])}"
                )

    def _merged(
        self, settings: Mapping[str, Any] | None, named: Mapping[str, Any]
    ) -> dict[str, Any]:
        if settings is not None and not isinstance(settings, Mapping):
            raise InvalidInput(
                f"{self._preset.call} takes a mapping of setting names, got {settings!r}: "
                f"give {{{next(iter(self._default))!r}: ...}}, or keyword arguments"
            )
        merged = dict(settings or {})
        for name, value in named.items():
            if name in merged:
                raise InvalidInput(
                    f"{self._preset.call}: {name} must be given once, got {merged[name]!r} and "
                    f"{value!r}: leave one out"
                )
            merged[name] = value
        return {str(name): value for name, value in merged.items()}

    def __contains__(self, name: str) -> bool:
        """Say whether ``name`` was set, rather than left at its default."""
        return name in self._set

    def value(self, name: str) -> Any:
        """Return what ``name`` was set to, or what the preset takes."""
        return self._set.get(name, self._default[name])

    def refused(self, name: str, rule: str, remedy: str) -> InvalidInput:
        """Return the refusal of a value."""
        value = self.value(name)
        return InvalidInput(f"{self._preset.call}: {name} {rule}, got {value!r}: {remedy}")

    def number(self, name: str, least: int, most: int, remedy: str = "give one in between") -> int:
        """Return a whole number from ``least`` to ``most``."""
        value = self.value(name)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or not least <= value <= most:
            rule = f"a whole number from {least} to {most}" if least < most else f"{least}"
            raise self.refused(name, f"must be {rule}", remedy)
        return int(value)

    def milliseconds(self, name: str, least: int, most: int) -> float:
        """Return a whole number of milliseconds, in seconds."""
        return self.number(name, least, most) / 1000

    def truth(self, name: str) -> bool:
        """Return true or false."""
        value = self.value(name)
        if not isinstance(value, bool):
            raise self.refused(name, "must be true or false", "give True or False")
        return value

    def text(self, name: str) -> str:
        """Return a text."""
        value = self.value(name)
        if not isinstance(value, str):
            raise self.refused(name, "must be a text", "give it a name, or leave it out")
        return value

    def word(self, name: str, words: Mapping[Any, str], known: str) -> str:
        """Return what one of the ``words`` of the product stands for."""
        value = self.value(name)
        is_word = isinstance(value, (str, int)) and not isinstance(value, bool)
        if not is_word or value not in words:
            raise self.refused(name, f"must be {known}", "give one of them")
        return words[value]

    def leave_out(self, names: tuple[str, ...], because: str) -> None:
        """Refuse settings that contradict another one."""
        for name in names:
            if name in self:
                raise self.refused(name, f"contradicts {because}", "leave one of them out")
