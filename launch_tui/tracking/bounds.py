"""How much of what a job logs is kept: no job may fill the agent's memory or the store.

What is over the bound stays in the job's own ``.wandb`` file, whole, for ``wandb sync``; how many
values were left out here is counted and told. A key that was kept once is kept on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from launch_tui.domain.limits import METRIC_KEY_LENGTH, METRIC_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 4 * 1024 * 1024
"""Characters that keys, texts and lists of a summary or a configuration may have together."""

_LONGEST_LAST = 4_096
_HEAVY = frozenset({str, list, dict})


class Tree:
    """A tree of values by key path that grows up to a bound.

    Args:
        values: The tree as it is; it is changed in place.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.left_out = 0
        """Values that were not kept."""
        self._keys, self._size = _measured(values)

    def put(self, path: tuple[str, ...], value: object) -> None:
        """Set a value, unless it is over the bound."""
        if max(map(len, path)) > METRIC_KEY_LENGTH:
            self.left_out += 1
            return
        tree = self.values
        for key in path[:-1]:
            inner = tree.get(key)
            if not isinstance(inner, dict):
                if not self._replaced(tree, key, {}):
                    return
                inner = tree[key]
            tree = inner
        self._replaced(tree, path[-1], value)

    def remove(self, path: tuple[str, ...]) -> None:
        """Take away a value, or all that is below a key."""
        tree = self.values
        for key in path[:-1]:
            inner = tree.get(key)
            if not isinstance(inner, dict):
                return
            tree = inner
        if path[-1] in tree:
            keys, size = _measured({path[-1]: tree.pop(path[-1])})
            self._keys -= keys
            self._size -= size

    def _replaced(self, tree: dict[str, Any], key: str, value: object) -> bool:
        keys, size = _measured({key: value})
        if key in tree:
            old_keys, old_size = _measured({key: tree[key]})
            keys, size = keys - old_keys, size - old_size
        too_many = keys > 0 and self._keys + keys > METRIC_KEYS
        if too_many or (size > 0 and self._size + size > MAX_BYTES):
            self.left_out += 1
            return False
        self._keys += keys
        self._size += size
        tree[key] = value
        return True


def merge_known(known: dict[str, Any], values: Mapping[str, Any]) -> int:
    """Lay values over those that are known, new keys up to the bound; return how many are left out.

    Args:
        known: The last value of each key; it is changed.
        values: Newer ones.
    """
    light = not any(type(value) in _HEAVY for value in values.values())
    if light and known.keys() >= values.keys():
        known.update(values)
        return 0
    left_out = 0
    for key, whole in values.items():
        value = whole if size_of(whole) <= _LONGEST_LAST else {"_type": "too-large"}
        if key in known or (len(known) < METRIC_KEYS and len(key) <= METRIC_KEY_LENGTH):
            known[key] = value
        else:
            left_out += 1
    return left_out


def size_of(value: object) -> int:
    """Return the characters of a text, or of the JSON of a list; a number weighs nothing."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, (list, dict)):
        return len(json.dumps(value, default=str))
    return 0


def _measured(tree: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many keys are in a tree, and what they, its texts and its lists weigh."""
    keys = size = 0
    rest: list[Mapping[str, Any]] = [tree]
    while rest:
        for key, value in rest.pop().items():
            keys += 1
            size += len(key)
            if isinstance(value, dict):
                rest.append(value)
            else:
                size += size_of(value)
    return keys, size
