"""The registry's protocol, as far as the digest of a manifest needs it, with both ways to log in.

It is https://distribution.github.io/distribution/spec/api/ and its token authentication. What
answers is not trusted: a manifest has a largest size, and a password goes nowhere in the clear
that the registry itself is not asked in the clear.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from launch_tui.engine.failure import one_line
from launch_tui.engine.registry_failure import registry_failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.image import ImageReference
    from launch_tui.engine.credentials import Login
    from launch_tui.engine.registry import Way
    from launch_tui.errors import RegistryError

ANSWER_S = 20.0
"""How long a registry may be silent."""
LARGEST_BODY = 16 * 2**20
"""Bytes; a manifest list of every platform has some kilobytes."""
MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
CLIENT = "launch-tui"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')


class Unreached(Exception):
    """No answer came; another way of asking may bring one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry answered."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def words(self) -> str:
        """What it says about its refusal, with the status."""
        said = ""
        try:
            told = json.loads(self.body)
            errors = told.get("errors") or [told]
            said = str(errors[0].get("message") or errors[0].get("details") or "")
        except (ValueError, AttributeError, LookupError, TypeError):
            pass
        return one_line(f"{said or 'it refuses'} (status: {self.status})")


class RegistryApi:
    """Asks one registry about one image.

    Args:
        reference: The image.
        login: What the user is logged in with.
    """

    def __init__(self, reference: ImageReference, login: Login) -> None:
        self._reference = reference
        self._login = login

    async def digest(self, way: Way) -> str | None:
        """Return the digest of the image; None when there is no such image.

        Raises:
            Unreached: When it cannot be reached this way.
            RegistryError: When it answers, and refuses.
        """
        tag = self._reference.tag or "latest"
        url = f"{way.address}/v2/{self._reference.repository}/manifests/{tag}"
        try:
            async with httpx.AsyncClient(
                verify=way.context,
                trust_env=way.proxied,
                follow_redirects=True,
                timeout=ANSWER_S,
                headers={"Accept": MANIFESTS, "User-Agent": CLIENT},
            ) as client:
                return await self._look(client, url)
        except httpx.TimeoutException as error:
            raise Unreached(f"i/o timeout: no answer within {ANSWER_S:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreached(one_line(str(error)) or type(error).__name__) from error

    async def _look(self, client: httpx.AsyncClient, url: str) -> str | None:
        authorisation: dict[str, str] = {}
        answer = await _ask(client, "HEAD", url)
        if answer.status == httpx.codes.UNAUTHORIZED:
            authorisation = await self._authorisation(client, answer, url)
            answer = await _ask(client, "HEAD", url, headers=authorisation)
        digest = answer.headers.get("Docker-Content-Digest", "")
        # Not every registry answers HEAD as it answers GET, and only GET says why it refuses.
        if answer.status != httpx.codes.NOT_FOUND and not _DIGEST.match(digest):
            answer = await _ask(client, "GET", url, headers=authorisation)
            digest = answer.headers.get("Docker-Content-Digest", "")
        if answer.status == httpx.codes.NOT_FOUND:
            return None
        if answer.status != httpx.codes.OK:
            raise self._failed(answer.words)
        return digest if _DIGEST.match(digest) else _digest_of(answer.body)

    async def _authorisation(
        self, client: httpx.AsyncClient, answer: Answer, url: str
    ) -> dict[str, str]:
        """Return the header that the registry asks for."""
        for challenge in answer.headers.get_list("WWW-Authenticate"):
            scheme, _, rest = challenge.partition(" ")
            said = {key: quoted or plain for key, quoted, plain in _PARAMETER.findall(rest)}
            if scheme.lower() == "bearer":
                return {"Authorization": f"Bearer {await self._token(client, said, url)}"}
            if scheme.lower() == "basic" and self._login.user:
                return self._basic()
        raise self._failed("authentication required")

    async def _token(self, client: httpx.AsyncClient, said: Mapping[str, str], url: str) -> str:
        """Return a token from where the registry says that tokens are given."""
        realm = said.get("realm", "")
        if urlsplit(realm).scheme not in ("https", urlsplit(url).scheme):
            raise self._failed(f"its login at {realm!r} is not by HTTPS")
        scope = said.get("scope") or f"repository:{self._reference.repository}:pull"
        wanted = {"service": said.get("service", ""), "scope": scope}
        if self._login.token:
            granted = {"grant_type": "refresh_token", "refresh_token": self._login.token}
            form = wanted | granted | {"client_id": CLIENT}
            answer = await _ask(client, "POST", realm, data=form)
        else:
            headers = self._basic() if self._login.user else {}
            answer = await _ask(client, "GET", realm, params=wanted, headers=headers)
        try:
            given = json.loads(answer.body) if answer.status == httpx.codes.OK else {}
            token = given.get("token") or given.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str) or not token:
            raise self._failed(answer.words)
        return token

    def _basic(self) -> dict[str, str]:
        pair = f"{self._login.user}:{self._login.password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def _failed(self, words: str) -> RegistryError:
        reference = self._reference
        what = f"cannot look up {reference}"
        return registry_failed(what, words, reference.registry, self._login)


async def _ask(client: httpx.AsyncClient, method: str, url: str, **how: Any) -> Answer:  # noqa: ANN401 (httpx's own)
    async with client.stream(method, url, **how) as response:
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise Unreached(f"its answer has more than {LARGEST_BODY} bytes")
        return Answer(response.status_code, response.headers, body)


def _digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
