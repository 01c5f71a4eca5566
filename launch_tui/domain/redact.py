"""Secrets masked in what a person hands on: by what they are called, what they are, how they look.

A report is pasted into an issue or a chat, so what may be a secret is masked, and rather once too
often: the values that are known to be secret wherever they stand, what is assigned to a name that
says so (``HF_TOKEN=…``, ``"api_key": "…"``, ``--password …``), the credentials in a URL, and what
has the shape of a well-known kind of key. A name like ``max_tokens`` or ``tokenizer`` says nothing.
Pure: whoever asks brings the values.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MASK = "••••"
LEAST = 6
"""A shorter value is not looked for: it would be found in what is none."""

_NAME = (
    r"passw(?:or)?d|passphrase|secret|credential|private[_-]?key|access[_-]?key|api[_-]?key"
    r"|auth[_-]?key|signing[_-]?key|authorization|cookie|token(?![a-z])"
)
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""(?P<name>(?<![\w.-])[\w.-]{{0,128}}(?:{_NAME})[\w.-]{{0,64}}(?:\\?["'])?)
        (?P<sign>[ \t]{{0,3}}(?:=>|[:=])[ \t]{{0,3}})
        (?P<value>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | \\"(?:[^"\\\n]|\\(?!"))*\\"
            | (?:(?:Bearer|Basic|Token)[ ])?[^\s"',;{{}}()\[\]&]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_FLAG = re.compile(
    rf"(?P<flag>(?<!\S)--?[\w-]{{0,64}}(?:{_NAME})[\w-]{{0,64}}[ ]+)(?P<value>[^\s-]\S*)",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(://)[^/@\s\"'<>]{1,512}@")
_SHAPES = re.compile(
    r"""-----BEGIN[A-Z ]{0,40}PRIVATE[ ]KEY-----.*?(?:-----END[A-Z ]{0,40}PRIVATE[ ]KEY-----|\Z)
      | (?<![\w-])(?:
            hf_[A-Za-z0-9]{16,} | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,}
          | glpat-[\w-]{16,} | sk-[\w-]{20,} | xox[abeoprs]-[\w-]{10,} | ya29\.[\w-]{20,}
          | (?:AKIA|ASIA)[0-9A-Z]{16} | AIza[\w-]{30,} | wandb_v\d_[\w-]{16,}
          | eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}
        )""",
    re.VERBOSE | re.DOTALL,
)
_BEARER = re.compile(r"\b(Bearer|Basic)(\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_LIKE_A_KEY = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])\S{8,}\Z")
"""What is no word that may stand for anything else: long, of letters and digits."""
_SHORT_NUMBER = re.compile(r"[-+]?[\d.]{1,5}\Z")


def is_secret_name(name: str) -> bool:
    """Say whether a name says that its value is a secret."""
    return _SECRET_NAME.search(name) is not None


class Redactor:
    """Masks secrets.

    Args:
        values: Values that are known to be secret; short ones and plain words are passed over.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = tuple(values)
        known = {text for value in self._values for text in _written(value)}
        # The longest first: one may be a part of another.
        alternatives = "|".join(re.escape(text) for text in sorted(known, key=len, reverse=True))
        self._known = re.compile(alternatives) if known else None

    def learning(self, text: str) -> Redactor:
        """Return one that also knows what a text assigns to names that say so.

        What is a secret in one line of a log may stand in another without its name.
        """
        assigned = [match["value"].strip("\\\"'") for match in _ASSIGNED.finditer(text)]
        assigned += [match["value"] for match in _FLAG.finditer(text)]
        said = [value.rpartition(" ")[2] for value in assigned]
        return Redactor([*self._values, *(value for value in said if _LIKE_A_KEY.match(value))])

    def text(self, text: str) -> str:
        """Return a text without its secrets; lines stay lines, but for a private key."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        text = _SHAPES.sub(MASK, text)
        text = _USERINFO.sub(rf"\1{MASK}@", text)
        text = _BEARER.sub(rf"\1\2{MASK}", text)
        text = _FLAG.sub(rf"\g<flag>{MASK}", text)
        return _ASSIGNED.sub(_masked, text)

    def tree(self, tree: Mapping[str, Any]) -> dict[str, Any]:
        """Return an object as it would be of JSON, without its secrets."""
        return {self.text(key): self._value(key, value) for key, value in tree.items()}

    def words(self, words: Iterable[str]) -> list[str]:
        """Return the words of a command, without the secret after a flag that names one."""
        masked: list[str] = []
        follows = False
        for word in words:
            masked.append(MASK if follows and not word.startswith("-") else self.text(word))
            follows = word.startswith("-") and "=" not in word and is_secret_name(word)
        return masked

    def _value(self, key: str, value: Any) -> Any:  # noqa: ANN401
        if is_secret_name(key):
            return _all_masked(value)
        if isinstance(value, dict):
            return self.tree(value)
        if isinstance(value, list | tuple):
            return [self._value(key, each) for each in value]
        return self.text(value) if isinstance(value, str) else value


def _all_masked(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _all_masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_all_masked(inner) for inner in value]
    return value if value is None or value == "" or isinstance(value, bool) else MASK


def _masked(match: re.Match[str]) -> str:
    name, value = match["name"], match["value"]
    bare = value.strip("\\\"'")
    # `token: 5` counts tokens; MASK itself is what was masked already.
    if bare in ("", MASK, "None", "null") or _SHORT_NUMBER.match(bare):
        return match[0]
    mark = '\\"' if value.startswith('\\"') else value[0] if value[0] in "\"'" else ""
    return f"{name}{match['sign']}{mark}{MASK}{mark}"


def _written(value: str) -> set[str]:
    """Return how a secret may be written: as it is, within JSON, within a URL."""
    value = value.strip()
    if len(value) < LEAST or value.lower() in ("false", "disabled", "enabled", "offline", "online"):
        return set()
    return {value, json.dumps(value)[1:-1], quote(value, safe=""), *_lines(value)}


def _lines(value: str) -> list[str]:
    return [line for line in value.splitlines() if len(line) >= LEAST] if "\n" in value else []
