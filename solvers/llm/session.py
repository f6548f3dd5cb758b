"""A session: requests are answered several at a time, within the caps that the user has set, and counted."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from solvers.llm.chat import CapReached, Chat, Closing, EndpointError, Reply, Request, estimated_tokens
from solvers.llm.options import ChatOptions
from solvers.llm.standin import Rules, StandIn
from solvers.llm.transcript import Recorded, Replay, Transcript


@dataclass(frozen=True)
class Usage:
    """The requests of a session so far, in numbers.

    Attributes
    ----------
    calls
        Requests, including those with a recorded or a faulty reply; retries are not counted.
    recorded
        Requests that a transcript answered.
    prompt_tokens, completion_tokens
        Tokens of the prompts and of the replies.
    estimated
        Whether some of the tokens are estimated, not counted by a server.
    cost
        In the currency of the prices; None without prices, or where the stand-in answers in this process.
    seconds
        The sum of the waits for replies, s; longer than the run where several requests are under way at a time.
    faults
        The number of replies without an answer, by the kind of fault.
    fingerprints
        The versions that the servers report.
    """

    calls: int = 0
    recorded: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    cost: float | None = None
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    fingerprints: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        return {**dataclasses.asdict(self), "fingerprints": list(self.fingerprints)}


class Session(Closing):
    """Asks the model that the options name; a context manager, safe to be used from several threads.

    Parameters
    ----------
    options
        The model, how it is asked, and the caps.
    rules
        The stand-in's rules, which answer where no model is named.

    Raises
    ------
    ValueError
        If an option is bad, or a file is no transcript.
    ImportError
        If the extra ``llm`` is needed and not installed.
    EndpointError
        If there is no key and no endpoint, or no such transcript to replay.
    """

    def __init__(self, options: ChatOptions, rules: Rules) -> None:
        options.check_chat_options()
        self._caps = {"max_calls": options.max_calls, "max_tokens": options.max_tokens, "max_cost": options.max_cost}
        self._prices = None if options.in_process else options.prices
        self._usage = Usage(cost=None if self._prices is None else 0.0)
        self._reserved: list[dict[str, float]] = []
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        with ExitStack() as resources:
            self._chat = _chat(options, rules, resources)
            threads = 1 if options.in_process else options.concurrency
            self._pool = resources.enter_context(ThreadPoolExecutor(threads, "secagent-llm"))
            self._resources = resources.pop_all()

    @property
    def model(self) -> str:
        """The name of the model that answers."""
        return self._chat.model

    @property
    def usage(self) -> Usage:
        """The requests so far, in numbers; a copy that does not change."""
        with self._changed:
            return dataclasses.replace(self._usage, faults=dict(self._usage.faults))

    def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Return the replies to requests, in their order.

        Before it is sent, each request reserves the most that it can use. A request that does not fit into a cap waits
        until the use of earlier ones is known; if it does not fit then either, it and all later ones are not sent, and
        have the fault ``"cap"``. So the replies do not depend on their order of arrival.

        Raises
        ------
        CapReached
            If the first request could exceed a cap.
        EndpointError
            If the endpoint cannot be used. No more requests are sent, and later calls raise the same error.
        """
        futures: list[Future[Reply]] = []
        obstacle = ""
        try:
            for request in requests:
                needs = self._needs(request)
                if obstacle := self._reserve(needs):
                    break
                futures.append(self._pool.submit(self._answer, request, needs))
            replies = [future.result() for future in futures]
        except BaseException as error:
            with self._changed:
                self._failure = self._failure or error
            for future in futures:
                future.cancel()
            raise
        if obstacle and not replies:
            raise CapReached(obstacle)
        return replies + [Reply(fault="cap", detail=obstacle)] * (len(requests) - len(replies))

    def _needs(self, request: Request) -> dict[str, float]:
        """Return the most that a request can use, by the names of the caps."""
        # The schema is a part of the prompt; and text full of numbers has up to twice the tokens of prose.
        texts = [message.content for message in request.messages]
        prompt = 2 * estimated_tokens([*texts, str(request.schema)])
        cost = self._cost(prompt, request.max_tokens)
        return {"max_calls": 1, "max_tokens": prompt + request.max_tokens, "max_cost": cost or 0.0}

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        if self._prices is None:
            return None
        return (prompt_tokens * self._prices["input"] + completion_tokens * self._prices["output"]) / 1e6

    def _reserve(self, needs: dict[str, float]) -> str:
        """Reserve the needs of a request as soon as they fit; return a sentence with the cap if they never will."""
        with self._changed:
            while obstacle := self._obstacle(needs):
                if not self._reserved:
                    return obstacle
                self._changed.wait()
            self._reserved.append(needs)
            return ""

    def _obstacle(self, needs: dict[str, float]) -> str:
        """Return a sentence with the first cap that leaves no room; raise the error that has ended the session."""
        if self._failure is not None:
            raise self._failure
        usage = self._usage
        tokens = usage.prompt_tokens + usage.completion_tokens
        used: dict[str, float] = {"max_calls": usage.calls, "max_tokens": tokens, "max_cost": usage.cost or 0.0}
        for name, cap in self._caps.items():
            most = used[name] + sum(reserved[name] for reserved in self._reserved) + needs[name]
            if cap is not None and most > cap:
                return f"{name}={cap:g} leaves no room for another request, which can take {needs[name]:.3g}: " + (
                    f"{used[name]:.6g} used so far"
                )
        return ""

    def _answer(self, request: Request, needs: dict[str, float]) -> Reply:
        reply = None
        try:
            if self._failure is not None:
                raise self._failure
            reply = self._chat.complete(request)
            return reply
        except BaseException as error:
            with self._changed:
                self._failure = self._failure or error
            raise
        finally:
            with self._changed:
                self._reserved.remove(needs)
                if reply is not None:
                    self._count(reply)
                self._changed.notify_all()

    def _count(self, reply: Reply) -> None:
        usage = self._usage
        faults = Counter(usage.faults) + Counter([reply.fault] * bool(reply.fault))
        prints = {*usage.fingerprints, reply.fingerprint} - {""}
        prompt = usage.prompt_tokens + reply.prompt_tokens
        completion = usage.completion_tokens + reply.completion_tokens
        self._usage = Usage(
            calls=usage.calls + 1,
            recorded=usage.recorded + reply.recorded,
            prompt_tokens=prompt,
            completion_tokens=completion,
            estimated=usage.estimated or reply.estimated,
            cost=self._cost(prompt, completion),
            seconds=usage.seconds + reply.seconds,
            faults=dict(sorted(faults.items())),
            fingerprints=tuple(sorted(prints)),
        )


def _chat(options: ChatOptions, rules: Rules, resources: ExitStack) -> Chat:
    """Return what answers the requests; ``resources`` hold its connections and files."""
    if options.replay is not None:
        try:
            transcript = Transcript(options.replay)
        except FileNotFoundError:
            raise EndpointError(f"there is no transcript {options.replay} to replay; record one first") from None
        return Replay(resources.enter_context(transcript), options.model)
    chat: Chat
    if options.in_process:
        chat = StandIn(rules)
    else:
        from solvers.llm.client import OpenAIChat  # needs the extra llm

        assert options.model is not None
        chat = resources.enter_context(
            OpenAIChat(
                options.model,
                base_url=options.endpoint,
                api_key=options.api_key,
                timeout_s=options.timeout_s,
                retries=options.retries,
            )
        )
    if options.transcript is None:
        return chat
    return Recorded(chat, resources.enter_context(Transcript(options.transcript, writable=True)))
