"""A session: requests are answered several at a time, within the caps that the user has set, and counted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

from solvers.llm.caps import Call, Caps, Usage
from solvers.llm.chat import STOPPED, CapReached, Chat, Closing, EndpointError, Reply, Request
from solvers.llm.options import ChatOptions
from solvers.llm.standin import Rules, StandIn
from solvers.llm.transcript import Recorded, Replay, Transcript

SECONDS_TO_STOP = 1.0
"""The longest wait for calls that are stopped, s; they take milliseconds."""
TOLD_EVERY = 100

logger = logging.getLogger("secagent.llm")


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
        self._caps = Caps(options)
        with ExitStack() as resources:
            self._chat = _chat(options, rules, resources)
            self._pool = resources.enter_context(ThreadPoolExecutor(self._caps.at_once, "secagent-llm"))
            self._resources = resources.pop_all()

    @property
    def model(self) -> str:
        """The name of the model that answers."""
        return self._chat.model

    @property
    def usage(self) -> Usage:
        """The requests so far, in numbers; a copy that does not change."""
        return self._caps.usage

    def close(self) -> None:
        """Wait for no reply any more, and close connections and files; closing twice does no harm."""
        self._caps.stop()
        super().close()

    def ask(self, requests: Sequence[Request], seconds: float | None = None) -> list[Reply]:
        """Return the replies to requests, in their order.

        Before it is sent, each request reserves the most that it can use, and so does each repetition. A request that
        does not fit into a cap waits until the use of earlier ones is known; if it does not fit then either, it and all
        later ones are not sent, and have the fault ``"cap"``. So the replies do not depend on their order of arrival.

        Parameters
        ----------
        requests
            The requests.
        seconds
            The time for all of them, s. What is missing then is not waited for, has the fault ``"stopped"``, as all
            later requests have.

        Raises
        ------
        CapReached
            If the first request could exceed a cap.
        EndpointError
            If the endpoint cannot be used. No more requests are sent, and later calls raise the same error.
        """
        futures: list[Future[Reply]] = []
        refusal = None
        clock = threading.Timer(max(0.0, seconds or 0.0), self._caps.stop)
        clock.daemon = True
        try:
            if seconds is not None:
                clock.start()
            for request in requests:
                call = self._caps.begin(request)
                if isinstance(call, Reply):
                    refusal = call
                    break
                futures.append(self._pool.submit(self._answer, call))
            replies = [future.result() for future in futures]
        except BaseException as error:
            self._caps.fail(error)
            interrupted = not isinstance(error, Exception)
            if interrupted:
                self._caps.stop()
            wait(futures, SECONDS_TO_STOP if interrupted else None)  # what is answered is recorded and counted
            raise
        finally:
            clock.cancel()
        if refusal is None:
            return replies
        if not replies and refusal.fault != STOPPED:
            raise CapReached(refusal.detail)
        return replies + [refusal] * (len(requests) - len(replies))

    def ask_all(self, requests: Sequence[Request]) -> list[Reply]:
        """Return the replies to many requests, in their order, and tell at each hundred how many there are.

        Replies that a cap forbids have the fault ``"cap"``.

        Raises
        ------
        EndpointError
            If the endpoint cannot be used.
        """
        replies: list[Reply] = []
        while len(replies) < len(requests):
            some = requests[len(replies) : len(replies) + TOLD_EVERY]
            try:
                replies += self.ask(some)
            except CapReached as error:
                replies += [Reply(fault="cap", detail=str(error))] * len(some)
            if len(requests) > TOLD_EVERY:
                logger.info("%d of %d requests are answered", len(replies), len(requests))
        return replies

    def _answer(self, call: Call) -> Reply:
        reply = None
        try:
            if ended := self._caps.ended():
                return ended
            reply = self._chat.complete(call.request, call)
            return reply
        except BaseException as error:
            self._caps.fail(error)
            raise
        finally:
            self._caps.end(call, reply)


def _chat(options: ChatOptions, rules: Rules, resources: ExitStack) -> Chat:
    """Return what answers the requests; ``resources`` hold its connections and files."""
    if isinstance(options.replay, (str, Path)):
        try:
            transcript = Transcript(options.replay)
        except FileNotFoundError:
            raise EndpointError(f"there is no transcript {options.replay} to replay; record one first") from None
        return Replay(resources.enter_context(transcript), options.model)
    if options.replay is not None:
        return options.replay.chat(options.model)
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
    if not isinstance(options.transcript, (str, Path)):
        return options.transcript.kept(chat, resources)
    return Recorded(chat, resources.enter_context(Transcript(options.transcript, writable=True)))
