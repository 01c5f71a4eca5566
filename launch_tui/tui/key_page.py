"""``docs/keys.md``, written from the table of keys: ``just keys``; a test says when it is stale."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from launch_tui.tui import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.tui.keys import Action

_HEAD = """\
# Keys

Written from `launch_tui/tui/keys.py` by `just keys`. In the UI `?` shows the keys of where one is,
and `:` or `ctrl+p` finds every action by its name; both show the keys that hold.

Lower case is harmless or can be undone, upper case is not. Actions marked with ! change something:
`launch-tui --read-only` greys them out.

## Other keys

`ui.yaml` in the data directory moves them, by the names below:

```yaml
keymap:
  run.stop: X
  app.help: [f1, ctrl+t]
```

A key is a character, or a name such as `space`, `f6`, `ctrl+t`, `shift+tab`, `pagedown`. An action
that there is not, a key that is none, and a key that another action has which acts at the same time
are refused in one line that names the file and the action; the UI then starts with its own keys and
says so. What acts in forms too (`form.*`, `app.leave`) takes no key that one types.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_scopes()])


def _scopes() -> Iterator[str]:
    for scope, heading in keys.SCOPES.items():
        yield f"## {heading}\n"
        yield "| key | does | name |"
        yield "|---|---|---|"
        yield from (_row(action) for action in keys.of_scopes((scope,)))
        yield ""


def _row(action: Action) -> str:
    shown = " ".join(_code(keys.shown_key(key)) for key in action.keys.split(",") if key)
    mark = " !" if action.dangerous else ""
    found = shown or f"palette: {action.palette}"
    return f"| {found} | {_escaped(action.help)}{mark} | `{action.id}` |"


def _code(key: str) -> str:
    return f"`{_escaped(key)}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
