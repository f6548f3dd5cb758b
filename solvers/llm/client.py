"""The client of an endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from secagent_env.support.extras import require
from secagent_env.support.secrets import excerpt, secrets_of, shown_url
from solvers.llm.bounded import ENDING, TOO_LARGE, TOO_LATE, bounded_client
from solvers.llm.chat import Closing, EndpointError, Reply, Request
from solvers.llm.completion import failed, reply_of
from solvers.llm.dialect import Dialect
from solvers.llm.options import check_url

OPENAI_URL = "https://api.openai.com/v1"

FAILURES_IN_A_ROW = 3
"""The number of broken connections in a row, each after its retries, that ends a run."""

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
"""Hosts on this machine, for which proxies are not used."""

UNREACHABLE = {"ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol"}

LOGGERS = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")
"""Libraries that log headers and addresses, with any secrets in them."""


class OpenAIChat(Closing):
    """Asks a model over HTTP; a context manager, safe to be used from several threads.

    The openai library retries temporary failures. Parameters that the server refuses are left out from then on;
    structured output falls back from a JSON schema to any JSON object, then to plain text.

    The arguments are those of :class:`~solvers.llm.options.ChatOptions`; an endpoint without a key gets a placeholder,
    and a body that begins in time may take up to twice as long. Without key and endpoint it raises EndpointError.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 2,
    ) -> None:
        self._openai = require("openai", extra="llm")
        url = base_url or os.environ.get("OPENAI_BASE_URL", "").strip()
        if url:
            check_url("base_url" if base_url else "OPENAI_BASE_URL", url)
        key = api_key or os.environ.get("OPENAI_API_KEY", "").strip()
        if not url and not key:
            raise EndpointError(
                f"there is no key to ask {model} with: give api_key= or set OPENAI_API_KEY, "
                "or give base_url= for a server that needs none"
            )
        if not (key.isascii() and key.isprintable()):
            raise EndpointError("the key in OPENAI_API_KEY holds characters that no key has: set it anew")
        self.model = model
        self._url = shown_url(url or OPENAI_URL)
        self._secrets = secrets_of(url, key)
        self._timeout_s = timeout_s
        self._dialect = Dialect()
        self._lock = threading.Lock()
        self._answered = False
        self._failures = 0
        for name in LOGGERS:
            logger = logging.getLogger(name)
            if logger.level == logging.NOTSET:
                logger.setLevel(logging.WARNING)
        self._client = self._openai.OpenAI(
            api_key=key or "none",
            base_url=url.partition("?")[0] or OPENAI_URL,
            default_query=dict(parse_qsl(urlsplit(url).query)),
            timeout=timeout_s,
            max_retries=retries,
            http_client=bounded_client(timeout_s, proxies=urlsplit(url).hostname not in LOOPBACK),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def complete(self, request: Request) -> Reply:
        """Return the reply; raise EndpointError where no request could be answered."""
        began = time.perf_counter()
        reply = self._complete(request)
        return dataclasses.replace(reply, seconds=time.perf_counter() - began)

    def _complete(self, request: Request) -> Reply:
        openai = self._openai
        dialect = self._dialect
        while True:
            try:
                raw = self._client.chat.completions.with_raw_response.create(**dialect.parameters(self.model, request))
            except openai.APIStatusError as error:
                self._note(answered=True)
                narrower = _after(error, dialect)
                if narrower is None:
                    return self._refused(error, request)
                dialect = narrower
            except openai.APIConnectionError as error:
                return self._unanswered(error, request)
            except openai.OpenAIError as error:
                return failed("server error", self._excerpt(str(error)), request, charged=False)
            else:
                self._note(answered=True)
                self._dialect = dialect
                return self._read(raw.http_response, request)

    def _read(self, response: Any, request: Request) -> Reply:
        ending = response.extensions.get(ENDING, "")
        if ending == TOO_LARGE:
            return failed(TOO_LARGE, "the reply is too large and was not read to its end", request, charged=True)
        if ending == TOO_LATE:
            return failed(TOO_LATE, f"the reply did not end within {self._timeout_s:g} s", request, charged=True)
        return reply_of(response.content, request, self._secrets)

    def _refused(self, error: Any, request: Request) -> Reply:
        """Return the fault of an error status; raise EndpointError where the next request would fail too."""
        status, text = error.status_code, self._excerpt(_message(error))
        if status in (401, 403):
            raise EndpointError(
                f"{self._url} refused the key ({status}): check api_key or OPENAI_API_KEY; it says: {text}"
            ) from None
        if status == 404:
            raise EndpointError(
                f"{self._url} knows no model {self.model!r} (404): check model and base_url; it says: {text}"
            ) from None
        if status == 402 or error.code == "insufficient_quota":
            raise EndpointError(f"the credit at {self._url} is used up ({status}); it says: {text}") from None
        if status == 429:
            return failed("rate limited", f"the server takes no more requests for now: {text}", request, charged=False)
        if status >= 500 or status in (408, 409):
            return failed("server error", f"the server failed ({status}): {text}", request, charged=False)
        return failed("rejected", f"the server rejected the request ({status}): {text}", request, charged=False)

    def _unanswered(self, error: Any, request: Request) -> Reply:
        """Return the fault of a broken connection; raise EndpointError where no server seems to be there."""
        reason = type(error.__cause__).__name__
        unreachable = reason in UNREACHABLE
        if isinstance(error, self._openai.APITimeoutError) and not unreachable:
            return failed(TOO_LATE, f"no reply came within {self._timeout_s:g} s", request, charged=True)
        text = self._excerpt(str(error.__cause__ or error)) or reason
        failures = self._note(answered=False)
        if unreachable and not self._answered:
            raise EndpointError(f"nobody answers at {self._url} ({text}): check base_url, and that it runs") from None
        if failures >= FAILURES_IN_A_ROW:
            raise EndpointError(f"{self._url} broke off {failures} connections in a row ({text})") from None
        return failed("broken connection", f"the connection broke: {text}", request, charged=not unreachable)

    def _note(self, *, answered: bool) -> int:
        """Count an answer or a failure, and return the number of failures in a row."""
        with self._lock:
            self._answered = self._answered or answered
            self._failures = 0 if answered else self._failures + 1
            return self._failures

    def _excerpt(self, text: str) -> str:
        return excerpt(text, 160, self._secrets)


def _after(error: Any, dialect: Dialect) -> Dialect | None:
    """Return the dialect to try after an error status; None where the error is not about parameters."""
    if error.status_code not in (400, 422):
        return None
    parameter = error.param if isinstance(error.param, str) else ""
    body = error.body
    if not parameter and isinstance(body, dict) and isinstance(body.get("detail"), list):
        places = [item.get("loc") for item in body["detail"] if isinstance(item, dict)]
        parameter = " ".join(str(name) for place in places if isinstance(place, list) for name in place)
    return dialect.after_refusal(parameter, _message(error))


def _message(error: Any) -> str:
    """Return the server's message in an error of any form."""
    body = error.body
    message = body.get("message") if isinstance(body, dict) else body
    return message if isinstance(message, str) else str(error.message)
