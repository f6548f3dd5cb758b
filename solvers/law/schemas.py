"""What a proposal may hold in the case at hand, as limits of its schema: a server that keeps to it errs in less.

Schemas say what is possible; what is good, and what they cannot say (each agent once), is checked in the reply.
"""

from __future__ import annotations

from solvers.law.neighbours import Facts
from solvers.law.proposals import RAW, AntennasProposal, kind_of
from solvers.llm.structured import Limits


def limits(facts: Facts) -> Limits:
    """Return the limits of a sub-problem's proposal, from the facts of its prompt."""
    sub_problem, agents = facts["sub_problem"], facts["agents"]
    if sub_problem == "selection":
        return {
            "selected": {"minItems": facts["select_at_least"], "maxItems": agents},
            "selected.*": {"maximum": agents - 1},
        }
    if kind_of(facts) is AntennasProposal:
        return {"w": {"minItems": facts["antennas"], "maxItems": facts["antennas"]}}
    highest = {"maximum": facts["max_power_dbm"]}
    if sub_problem == "beam":
        return {
            "power_dbm": highest,
            "weights": {"minItems": 1, "maxItems": len(facts["directions"])},
            "weights.*.direction": {"enum": facts["directions"]},
        }
    computing = facts["computing"]
    idle = [agent for agent in range(agents) if agent not in computing]
    jammers = idle if facts["jamming"] else []
    return {
        "senders": {"minItems": len(computing), "maxItems": len(computing)},
        "senders.*.agent": {"enum": computing},
        **({"senders.*.power_dbm": highest} if facts.get("view") == RAW else {}),
        "jammers": {"maxItems": len(jammers)},
        **({"jammers.*.agent": {"enum": jammers}} if jammers else {}),
        "jammers.*.power_dbm": highest,
    }
