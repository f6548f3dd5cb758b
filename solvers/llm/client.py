"""The client of an endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import dataclasses
import logging
import os
import queue
import threading
import time
from concurrent.futures import wait
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from secagent_env.support.extras import require
from secagent_env.support.secrets import excerpt, secrets_of, shown_url
from solvers.llm.bounded import (
    ENDING,
    TOO_LARGE,
    Stopped,
    backoff_s,
    bounded_client,
    no_certificates,
    retry_after_s,
    trusted_certificates,
    within,
)
from solvers.llm.chat import STOPPED, Closing, EndpointError, Permit, Reply, Request
from solvers.llm.completion import failed, no_completion, reply_of
from solvers.llm.dialect import FEWER_TOKENS, KNOWN, Dialect
from solvers.llm.environment import URL_VARIABLE, check_environment, endpoint_url, needs_certificates, proxy_variables
from solvers.llm.options import check_url
from solvers.llm.refusal import TEMPORARY, Refusal, correction, ending, error_in, refusal_of

OPENAI_URL = "https://api.openai.com/v1"

FAILURES_IN_A_ROW = 3
"""The number of broken connections in a row, each after its retries, that ends a run."""

COMPLETIONS = "/chat/completions"

BAD_BODY, CONTEXT = "bad body", "context too small"
"""Faults that the client tells apart."""

LOGGERS = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")
"""Libraries that log headers and addresses, with any secrets in them."""

logger = logging.getLogger("secagent.llm.client")

LONGEST_WAIT_S = 1e6
"""The longest wait for a socket, s: some eleven days."""


@dataclass(frozen=True)
class Attempt:
    """What became of one request.

    Attributes
    ----------
    reply
        The reply, or the fault.
    dialect
        The dialect to ask in at once; None if there is no other.
    wait_s
        The wait that the server asks for before it is asked again, s, 0 if none; None if asking again does not help.
    broken
        What broke the connection; empty where the server answered, or only came too late.
    """

    reply: Reply
    dialect: Dialect | None = None
    wait_s: float | None = None
    broken: str = ""


class OpenAIChat(Closing):
    """Asks a model over HTTP; a context manager, safe to be used from several threads.

    Temporary failures are retried here, not by the openai library, so that every request that is sent is counted and
    allowed. What the server refuses is asked for in another form, which is remembered for the endpoint as long as this
    process lives (:mod:`solvers.llm.dialect`). Redirects are not followed.

    The arguments are those of :class:`~solvers.llm.options.ChatOptions`; an endpoint without a key gets a placeholder.
    Without key and endpoint, and for a proxy or certificates that cannot be used, it raises EndpointError.
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
        url = endpoint_url(base_url)
        if url:
            check_url("base_url" if base_url else URL_VARIABLE, url)
        key = api_key or os.environ.get("OPENAI_API_KEY", "").strip()
        if not url and not key:
            raise EndpointError(
                f"there is no key to ask {model} with: give api_key= or set OPENAI_API_KEY, "
                "or give base_url= for a server that needs none"
            )
        if not (key.isascii() and key.isprintable()):
            raise EndpointError("the key in OPENAI_API_KEY holds characters that no key has: set it anew")
        self.model = model
        self._secrets = secrets_of(url, key)
        url = url or OPENAI_URL
        check_environment(url)
        self._endpoint = url
        self._url, self._proxies = shown_url(url), proxy_variables(url)
        self._timeout_s, self._retries = min(timeout_s, LONGEST_WAIT_S), retries
        self._lock = threading.Lock()
        self._answered = self._completed = False
        self._failures = 0
        for name in LOGGERS:
            library = logging.getLogger(name)
            if library.level == logging.NOTSET:
                library.setLevel(logging.WARNING)
        self._context = trusted_certificates() if needs_certificates(url) else no_certificates()
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._api = self._openai.OpenAI(
            api_key=key or "none",
            base_url=url.partition("?")[0],
            default_query=dict(parse_qsl(urlsplit(url).query)),
            timeout=self._timeout_s,
            max_retries=0,
            http_client=self._connection(),
        )

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        while not self._idle.empty():
            self._idle.get().close()

    def _connection(self) -> Any:
        """Return a connection that nobody uses, which may be a new one."""
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return bounded_client(self._timeout_s, context=self._context, proxies=bool(self._proxies))

    def complete(self, request: Request, permit: Permit | None = None) -> Reply:
        """Return the reply; raise EndpointError where no request could be answered.

        Each request that is sent is counted in ``permit``, and every one after the first needs its leave.
        """
        began = time.perf_counter()
        permit = permit or Permit()
        reply = self._complete(request, permit)
        return dataclasses.replace(reply, requests=permit.requests, seconds=time.perf_counter() - began)

    def _complete(self, request: Request, permit: Permit) -> Reply:
        known = dialect = KNOWN.of(self._endpoint, self.model)
        retries, used = 0, Reply()
        while True:
            attempt = self._attempt(dialect, request, permit)
            used = dataclasses.replace(
                attempt.reply,
                prompt_tokens=used.prompt_tokens + attempt.reply.prompt_tokens,
                completion_tokens=used.completion_tokens + attempt.reply.completion_tokens,
                estimated=used.estimated or attempt.reply.estimated,
                requests=permit.requests,
                adapted=dialect.adapted(request),
            )
            if attempt.dialect is not None:
                dialect = attempt.dialect
            elif attempt.wait_s is not None and retries < self._retries:
                wait([permit.stopped], min(attempt.wait_s or backoff_s(retries), self._timeout_s))
                retries += 1
            else:
                break
            if obstacle := permit.another(used):
                used = dataclasses.replace(used, detail=f"{used.detail}; {obstacle}")
                break
        if attempt.broken:
            self._check_server(attempt.broken, reached=permit.requests > 0)
        if dialect != known and not used.fault:
            KNOWN.learn(self._endpoint, self.model, dialect)
            self._tell(used.adapted, f"{dialect.reply_tokens(request)} of {request.max_tokens} reply tokens")
        elif used.fault == CONTEXT and dialect.room != known.room:
            KNOWN.learn(self._endpoint, self.model, dataclasses.replace(known, room=dialect.room))
        return used

    def _tell(self, adapted: str, tokens: str) -> None:
        """Tell what of a request is lost in the form that the server takes."""
        if adapted:
            instead = adapted.replace(FEWER_TOKENS, tokens)
            logger.warning(
                "%s does not take all that %s is asked with; sent instead: %s", self._url, self.model, instead
            )

    def _attempt(self, dialect: Dialect, request: Request, permit: Permit) -> Attempt:
        """Send a request once, and wait for what comes of it."""
        openai, timeout_s, connection = self._openai, self._timeout_s, self._connection()
        create = self._api.with_options(http_client=connection).chat.completions.with_raw_response.create
        parameters = dialect.parameters(self.model, request)
        before = connection.sent
        try:
            raw = within(timeout_s, connection, lambda: create(**parameters), permit.stopped)
        except openai.APIStatusError as error:
            self._note(answered=True)
            response = error.response
            refusal = refusal_of(response.status_code, response.content, response.headers)
            return self._refused(refusal, dialect, request, _target(response))
        except Stopped:
            sent = connection.sent > before
            return Attempt(failed(STOPPED, "the run was stopped before the reply came", request, charged=sent))
        except (TimeoutError, openai.APIConnectionError) as error:
            return self._unanswered(error, request, sent=connection.sent > before)
        except openai.OpenAIError as error:
            return Attempt(failed("server error", self._excerpt(str(error)), request))
        else:
            self._note(answered=True)
            response = raw.http_response
            if refused := error_in(response.content, response.headers):
                return self._refused(refused, dialect, request)
            return Attempt(self._read(response, request))
        finally:
            permit.requests += connection.sent - before
            if not connection.over:
                self._idle.put(connection)

    def _read(self, response: Any, request: Request) -> Reply:
        if response.extensions.get(ENDING) == TOO_LARGE:
            return failed(TOO_LARGE, "the reply is too large and was not read to its end", request, charged=True)
        reply = reply_of(response.content, request, self._secrets)
        if reply.fault != BAD_BODY:
            self._completed = True
        elif not self._completed and no_completion(response.content):
            raise EndpointError(f"{self._url} answers, but with no chat completions{correction(self._url)}")
        return reply

    def _refused(self, refusal: Refusal, dialect: Dialect, request: Request, target: str = "") -> Attempt:
        """Return what follows from a refusal; raise EndpointError where the next request would fail too."""
        status = refusal.status
        text = self._excerpt(target if 300 <= status < 400 else refusal.text)
        if not refusal.final and refusal.about_context:
            fault = failed(CONTEXT, f"the model's context is too small: {text}", request)
            return Attempt(fault, dialect=None if refusal.about_prompt else dialect.shorter(request))
        if not refusal.final and (other := dialect.after(refusal, request)):
            return Attempt(failed("rejected", text, request), dialect=other)
        if why := ending(refusal, self.model, self._url, text, first=not self._completed):
            raise EndpointError(why) from None
        if status == 429:
            fault = failed("rate limited", f"the server takes no more requests for now: {text}", request)
        elif status >= 500 or status in (200, *TEMPORARY):
            fault = failed("server error", f"the server failed ({status}): {text}", request)
        else:
            return Attempt(failed("rejected", f"the server rejected the request ({status}): {text}", request))
        wait_s = retry_after_s(refusal.headers)
        if wait_s > self._timeout_s:
            detail = f"{fault.detail}; it asks to wait {wait_s:.3g} s, longer than timeout_s={self._timeout_s:g}"
            return Attempt(dataclasses.replace(fault, detail=detail))
        return Attempt(fault, wait_s=wait_s)

    def _unanswered(self, error: Exception, request: Request, *, sent: bool) -> Attempt:
        """Return the fault of a connection without a reply."""
        if sent and isinstance(error, (TimeoutError, self._openai.APITimeoutError)):
            late = failed("timeout", f"no whole reply came within {self._timeout_s:g} s", request, charged=True)
            return Attempt(late, wait_s=0.0)
        cause = error.__cause__ or error
        text = self._excerpt(str(cause)) or f"{type(cause).__name__} after {self._timeout_s:g} s"
        fault = failed("broken connection", f"the connection broke: {text}", request, charged=sent)
        return Attempt(fault, wait_s=0.0, broken=text)

    def _check_server(self, broken: str, *, reached: bool) -> None:
        """Count a broken connection; raise EndpointError where no server seems to be there."""
        failures = self._note(answered=False)
        if not reached and not self._answered:
            proxies = f", and the proxies in {', '.join(self._proxies)}" * bool(self._proxies)
            raise EndpointError(f"nobody answers at {self._url} ({broken}): check base_url, and that it runs{proxies}")
        if failures >= FAILURES_IN_A_ROW:
            raise EndpointError(f"{self._url} broke off {failures} connections in a row ({broken})")

    def _note(self, *, answered: bool) -> int:
        """Count an answer or a failure, and return the number of failures in a row."""
        with self._lock:
            self._answered = self._answered or answered
            self._failures = 0 if answered else self._failures + 1
            return self._failures

    def _excerpt(self, text: str) -> str:
        return excerpt(text, 160, self._secrets)


def _target(response: Any) -> str:
    """Return the address of a redirect that would be base_url, without secrets."""
    try:
        target = shown_url(urljoin(str(response.request.url), response.headers.get("location", "")))
    except ValueError:
        return "no address"
    return target.removesuffix(COMPLETIONS)
