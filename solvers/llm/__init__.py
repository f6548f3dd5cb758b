"""Requests to a language model, or to the rules that stand in for one, over OpenAI's chat interface.

The way of a request: ``Request`` → ``Session`` (caps, several at a time) → ``Recorded`` or ``Replay`` (a transcript)
→ ``OpenAIChat`` (an endpoint) in the ``Dialect`` that it takes → ``Reply`` → ``parse`` (a validated answer, or a
sentence with the error).
"""

from solvers.llm.caps import Usage
from solvers.llm.chat import STANDIN_MODEL, CapReached, EndpointError, Message, NotRecorded, Reply, Request
from solvers.llm.options import ChatOptions
from solvers.llm.session import Session
from solvers.llm.structured import Malformed, parse, schema_of

__all__ = [
    "STANDIN_MODEL",
    "CapReached",
    "ChatOptions",
    "EndpointError",
    "Malformed",
    "Message",
    "NotRecorded",
    "Reply",
    "Request",
    "Session",
    "Usage",
    "parse",
    "schema_of",
]
