"""The conversation of a solver with its language model, as text: prompts, replies, verdicts and what they cost."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from solvers import Solution, Solver
from solvers.law import LAW
from solvers.law.evaluation import OBJECTIVES
from solvers.law.rehearsal import rehearse
from solvers.llm.structured import faults_of

REPLY_CHARACTERS = 2000
"""Longer replies are cut where they are shown."""


def conversation(solution: Solution) -> str:
    """Return the prompts, replies and verdicts of a solution, step by step.

    A prompt is shown whole at the first step of a sub-problem; later ones only from where they differ. Lines of replies
    begin with ``>``: what a model writes cannot pass for anything else.

    Raises
    ------
    ValueError
        If the solver asked no language model.
    """
    if not solution.usage:
        raise ValueError(f"{solution.solver} asks no language model: there is no conversation to show")
    if not solution.history:
        return "\nNothing was asked."
    return "\n".join(_steps(solution))


def _steps(solution: Solution) -> Iterator[str]:
    system, before = "", ""
    for record in solution.history:
        title = f"round {record['round']}, {record['sub_problem']}, step {record['step']}"
        yield f"\n=== {title} (call {record['calls']}) ===\n"
        *first, (_, prompt) = record["prompt"]
        if first and first[0][1] != system:
            system = first[0][1]
            yield f"[system]\n{system}\n"
        yield f"[prompt]\n{prompt if record['step'] == 1 else _news(before, prompt)}\n"
        before = prompt
        for text, fault, detail in record["replies"]:
            yield f"[no answer: {fault}]\n{_quoted(detail)}\n" if fault else f"[reply]\n{_quoted(text)}\n"
        yield f"[verdict] {_verdict(record)}"


def _news(before: str, prompt: str) -> str:
    """Return the paragraphs of a prompt from the first one on that the one before it does not have."""
    earlier, paragraphs = set(before.split("\n\n")), prompt.split("\n\n")
    index = next((i for i, paragraph in enumerate(paragraphs) if paragraph not in earlier), len(paragraphs) - 1)
    return "\n\n".join(["… as before …", *paragraphs[index:]])


def _verdict(record: Mapping[str, Any]) -> str:
    unit = OBJECTIVES[record["sub_problem"]][2]

    def value(f: float | None) -> str:
        return "+inf" if f is None or not math.isfinite(f) else f"{f:.6g} {unit}"

    reached = "" if record["f"] is None else f": f = {value(record['f'])}"
    why = f". {record['complaint']}" * bool(record["complaint"])
    experts = f"; {record['experts']} expert examples" * bool(record["experts"])
    return f"{record['verdict']}{reached}; the best has f = {value(record['best_f'])}{experts}{why}"


def printable(text: str) -> str:
    """Return a text of unknown origin so that a terminal shows it and does nothing else; cut where it is long."""
    shown = "".join(
        character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode()
        for character in text[:REPLY_CHARACTERS]
    )
    rest = len(text) - REPLY_CHARACTERS
    return shown + f"… ({rest} more characters)" * (rest > 0)


def _quoted(text: str) -> str:
    return textwrap.indent(printable(text), "> ", lambda line: True)


def usage(solution: Solution) -> str:
    """Return the calls, tokens, cost and faults of a language model in one line; empty if there was no call."""
    used = solution.usage
    if not used:
        return ""
    about = "about " * bool(used["estimated"])
    sent = used["requests"]
    parts = [
        f"{used['calls']} calls" + f" in {sent} requests" * (sent != used["calls"]),
        f"{about}{used['prompt_tokens']} + {used['completion_tokens']} tokens",
    ]
    if "steps" in used:
        parts.append(f"own proposals better in {used['improved']} of {used['steps']} steps")
    if used["recorded"]:
        parts.insert(1, f"{used['recorded']} of them answered by the transcript")
    if used["cost"] is not None:
        parts.append(f"cost {used['cost']:.4g}")
    if used.get("adapted"):
        parts.append(f"adapted to the server: {', '.join(used['adapted'])}")
    parts += [f"{count} × {name}" for name, count in faults_of(used).items()]
    return ", ".join(parts)


def dry_run(solver: Solver, instance: Any, seed: int = 0) -> str:
    """Return the prompts that a solver will send, and about what its whole run costs; nothing is sent.

    Raises
    ------
    ValueError
        If the solver asks no language model.
    """
    if not isinstance(solver, LAW):
        raise ValueError(f"{solver.name} asks no language model: there is nothing to rehearse")
    rehearsal = rehearse(solver, instance, seed)
    if not rehearsal.calls:
        return f"Nothing is sent, and {solver.name} would ask nothing: {rehearsal.message}"
    lines = [f"Nothing is sent. This is what {solver.name} would ask."]
    for sub_problem, messages in rehearsal.prompts.items():
        exact = "exactly" if sub_problem == next(iter(rehearsal.prompts)) else "but for what replies before it change"
        lines += [f"\n=== the first prompt for {sub_problem}, {exact} ===\n"]
        lines += [f"[{message.role}]\n{message.content}\n" for message in messages]
    lines += [
        "=== the whole run ===\n",
        f"calls         about {rehearsal.calls}, at most {rehearsal.most_calls}",
        f"tokens asked  about {rehearsal.prompt_tokens}, at most {rehearsal.most_prompt_tokens}",
        f"tokens told   about {rehearsal.reply_tokens}, at most {rehearsal.most_reply_tokens}",
    ]
    if solver.prices is None:
        lines.append("cost          unknown: give prices={input=…, output=…}, what a million tokens costs")
    else:
        about, most = rehearsal.cost(solver.prices)
        lines.append(f"cost          about {about:.4g}, at most {most:.4g}, in the currency of the prices")
    caps = {name: getattr(solver, name) for name in ("max_calls", "max_tokens", "max_cost")}
    if limits := ", ".join(f"{name}={cap:g}" for name, cap in caps.items() if cap is not None):
        lines.append(f"caps          {limits}: what could exceed one is not asked")
    lines.append(
        "Estimated from a run with the stand-in: a token is four characters, or two at most; a model's replies change "
        "the prompts after them, and what is repeated after a failure comes on top."
    )
    return "\n".join(lines)
