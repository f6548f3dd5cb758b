"""What a session has used, and the caps that its user has set."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from solvers.llm.chat import STOPPED, Permit, Reply, Request, estimated_tokens
from solvers.llm.options import ChatOptions

NAMES = ("max_calls", "max_tokens", "max_cost")

Amounts = dict[str, float]
"""Requests, tokens and cost, by the names of their caps."""


@dataclass(frozen=True)
class Usage:
    """The requests of a session so far, in numbers.

    Attributes
    ----------
    calls
        Replies, including recorded and faulty ones.
    requests
        Requests that were sent for these: also repetitions, and other forms after refusals. Those of recorded replies
        are the requests of the recorded run; a stand-in in this process counts as one that is sent.
    recorded
        Replies from a transcript.
    prompt_tokens, completion_tokens
        Tokens of the prompts and of the replies, as the server counts them.
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
    adapted
        What was other than asked for in some requests, since the server takes no such requests.
    """

    calls: int = 0
    requests: int = 0
    recorded: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    cost: float | None = None
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    fingerprints: tuple[str, ...] = ()
    adapted: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        return {**dataclasses.asdict(self), "fingerprints": list(self.fingerprints), "adapted": list(self.adapted)}


class Call(Permit):
    """One call of a session: its requests, one after the other, each of which has to fit into the caps."""

    def __init__(self, caps: Caps, request: Request) -> None:
        super().__init__(caps.stopped)
        self._caps, self.request = caps, request
        self.used: Amounts = dict.fromkeys(NAMES, 0.0)
        self.under_way = False

    def another(self, used: Reply) -> str:
        """Return an empty text once another request fits after those of ``used``, else a sentence why it does not."""
        return self._caps.again(self, used)


class Caps:
    """Admits requests that fit into the caps, and counts them; safe to be used from several threads.

    Before it is sent, each request reserves the most that it can use. What is known of it afterwards counts instead:
    of tokens the server's count, or an estimate from the texts where that is larger.

    Attributes
    ----------
    at_once
        The most calls under way at a time.
    stopped
        Done once nobody waits for replies any more.
    """

    def __init__(self, options: ChatOptions) -> None:
        self.stopped: Future[None] = Future()
        self.at_once = 1 if options.in_process else options.concurrency
        self._caps = {name: cap for name in NAMES if (cap := getattr(options, name)) is not None}
        self._prices = None if options.in_process else options.prices
        self._usage = Usage(cost=None if self._prices is None else 0.0)
        self._used: Amounts = dict.fromkeys(NAMES, 0.0)
        self._calls: list[Call] = []
        self._begun = 0
        self._changed = threading.Condition()
        self._failure: BaseException | None = None

    @property
    def usage(self) -> Usage:
        """What has been used so far; a copy that does not change."""
        with self._changed:
            return dataclasses.replace(self._usage, faults=dict(self._usage.faults))

    def begin(self, request: Request) -> Call | Reply:
        """Return the call of a request as soon as it fits and can be sent; a reply with the fault if it never will.

        The error that has ended the session is raised.
        """
        call = Call(self, request)
        with self._changed:
            # What has reserved is under way: nothing waits for a thread that itself waits for room to ask again.
            while len(self._calls) >= self.at_once and not self._ended():
                self._changed.wait()
            refusal = self._admitted(call)
            if refusal is None:
                call.number, self._begun = self._begun, self._begun + 1
                self._calls.append(call)
        return refusal or call

    def ended(self) -> Reply | None:
        """Return a reply with the fault of what is not sent, since the session was stopped; None if it goes on.

        The error that has ended the session is raised.
        """
        with self._changed:
            return self._ended()

    def again(self, call: Call, used: Reply) -> str:
        """Return an empty text as soon as another request of a call fits; a sentence if it never will."""
        with self._changed:
            call.under_way, call.used = False, self._amounts(call.request, used)
            self._changed.notify_all()
            refusal = self._admitted(call)
        return refusal.detail if refusal else ""

    def end(self, call: Call, reply: Reply | None) -> None:
        """Count a call; None for one that an error has ended."""
        with self._changed:
            self._calls.remove(call)
            if reply is not None:
                call.used = self._amounts(call.request, reply)
                self._usage = self._with(reply)
            else:
                self._usage = dataclasses.replace(self._usage, requests=self._usage.requests + call.requests)
            for name in NAMES:
                self._used[name] += call.used[name]
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Let no more requests begin: they raise this error."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    def stop(self) -> None:
        """End all waits at once, for replies and for room; later requests have the fault ``"stopped"``."""
        with self._changed:
            if not self.stopped.done():
                self.stopped.set_result(None)
            self._changed.notify_all()

    def _admitted(self, call: Call) -> Reply | None:
        """Reserve what a request needs as soon as it fits; return a reply with the fault if it never will."""
        while (refusal := self._refusal(call)) is not None:
            if refusal.fault == STOPPED or not any(other.under_way for other in self._calls):
                return refusal
            self._changed.wait()
        call.under_way = True
        return None

    def _refusal(self, call: Call) -> Reply | None:
        """Return a reply with the first cap that leaves no room; raise the error that has ended the session."""
        if ended := self._ended():
            return ended
        needs = self._needs(call.request)
        for name, cap in self._caps.items():
            used = self._used[name] + sum(each.used[name] for each in {*self._calls, call})
            reserved = sum(self._needs(each.request)[name] for each in self._calls if each.under_way)
            if used + reserved + needs[name] > cap:
                detail = f"{name}={cap:g} leaves no room for another request, which can take {needs[name]:.3g}: "
                return Reply(fault="cap", detail=f"{detail}{used:.6g} used so far", requests=0)
        return None

    def _ended(self) -> Reply | None:
        if self._failure is not None:
            raise self._failure
        stopped = Reply(fault=STOPPED, detail="the run was stopped before this was asked", requests=0)
        return stopped if self.stopped.done() else None

    def _needs(self, request: Request) -> Amounts:
        """Return the most that a request can use."""
        # The schema is a part of the prompt; and text full of numbers has up to twice the tokens of prose.
        prompt = 2 * estimated_tokens([*(message.content for message in request.messages), str(request.schema)])
        return self._sum(1, prompt, request.max_tokens)

    def _amounts(self, request: Request, reply: Reply) -> Amounts:
        """Return what a reply counts: at least a request with its prompt for each that was sent, and its text."""
        requests = max(1, reply.requests)
        prompt = requests * estimated_tokens([message.content for message in request.messages])
        text = estimated_tokens([reply.text]) if reply.text else 0
        return self._sum(requests, max(prompt, reply.prompt_tokens), max(text, reply.completion_tokens))

    def _sum(self, requests: int, prompt_tokens: int, completion_tokens: int) -> Amounts:
        cost = self._cost(prompt_tokens, completion_tokens) or 0.0
        return dict(zip(NAMES, (requests, prompt_tokens + completion_tokens, cost), strict=True))

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        if self._prices is None:
            return None
        return (prompt_tokens * self._prices["input"] + completion_tokens * self._prices["output"]) / 1e6

    def _with(self, reply: Reply) -> Usage:
        usage = self._usage
        faults = Counter(usage.faults) + Counter([reply.fault] * bool(reply.fault))
        prints = {*usage.fingerprints, reply.fingerprint} - {""}
        adapted = {*usage.adapted, *reply.adapted.split("; ")} - {""}
        prompt = usage.prompt_tokens + reply.prompt_tokens
        completion = usage.completion_tokens + reply.completion_tokens
        return Usage(
            calls=usage.calls + 1,
            requests=usage.requests + reply.requests,
            recorded=usage.recorded + reply.recorded,
            prompt_tokens=prompt,
            completion_tokens=completion,
            estimated=usage.estimated or reply.estimated,
            cost=self._cost(prompt, completion),
            seconds=usage.seconds + reply.seconds,
            faults=dict(sorted(faults.items())),
            fingerprints=tuple(sorted(prints)),
            adapted=tuple(sorted(adapted)),
        )
