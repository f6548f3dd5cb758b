"""LAW (section IV-B): agent selection, beam and powers in turn, each by the same LLM optimiser.

One step of the optimiser: the generation module writes a prompt and reads the reply (:mod:`solvers.law.prompts`,
:mod:`solvers.law.proposals`); the evaluation module scores the proposal (:mod:`solvers.law.evaluation`). A better one
becomes the best example. Otherwise a reminder gives the reason, and the expert search scores candidates near the
proposal: the best of them can become the best example, and the best feasible ones become the expert examples of the
next prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from secagent_env import Instance, Outcome
from secagent_env.support.checks import flag, integer
from secagent_env.support.errors import check_name
from solvers.certificate.requirements import why_infeasible
from solvers.certificate.selection import eligible_agents, random_selection
from solvers.interface.base import Infeasible, Solver, SolverRun
from solvers.interface.ranking import relative_violations
from solvers.law import perturbing_standin, prompts
from solvers.law.controls import CONTROLS
from solvers.law.designs import START_SNR_DB, Design, Translator, Unusable, floor, to_dbm
from solvers.law.evaluation import Score, score
from solvers.law.neighbours import Facts, neighbour
from solvers.law.proposals import PROPOSALS, RAW, VIEWS, kind_of
from solvers.law.schemas import limits
from solvers.llm.chat import CapReached, EndpointError, Reply, Request
from solvers.llm.options import ChatOptions
from solvers.llm.session import Session
from solvers.llm.structured import Malformed, faults_of, parse_reply

SUB_PROBLEMS = tuple(PROPOSALS)


@dataclass(frozen=True, kw_only=True)
class LAW(ChatOptions, Solver):
    """The LLM-enabled agentic workflow; without a model, a stand-in perturbs the examples of the prompts.

    Parameters
    ----------
    rounds
        r^max: the most rounds through the three sub-problems; a round without progress is the last.
    iterations
        r_LLM^max: the steps of the optimiser per sub-problem.
    proposals
        The number of proposals requested in each step, several at a time; the best of them counts.
    candidates, experts
        Q and q: the candidates of an expert search, and the number of the best feasible ones that become examples.
    expert_search, reflection, examples
        Ablations: False searches no experts, writes no reminders, or shows no examples.
    jamming
        False keeps every unselected agent silent.
    view
        What the prompts show: ``"ranked"``, the agents from the least energy to the most, with what helps to decide;
        or ``"raw"``, the agents in random order under other numbers, with the equations and their constants alone.
    control
        Rules in the model's place that use one thing alone: ``"first-rows"`` copies the first rows of the list of
        agents, ``"random"`` proposes anything, ``"repeat"`` repeats the best example, so that the expert search does
        all. None: a model, or the stand-in.

    The options of :class:`~solvers.llm.options.ChatOptions` name the model and cap its cost.
    """

    rounds: int = 3
    iterations: int = 10
    proposals: int = 1
    candidates: int = 50
    experts: int = 5
    expert_search: bool = True
    reflection: bool = True
    examples: bool = True
    jamming: bool = True
    view: str = "ranked"
    control: str | None = None

    def __post_init__(self) -> None:
        self.check_chat_options()
        check_name("view", self.view, VIEWS)
        if self.control is not None:
            check_name("control", self.control, CONTROLS)
            if not self.in_process or self.transcript is not None:
                raise ValueError("control takes the place of a model: leave out model, base_url, transcript and replay")
        for field in fields(LAW):
            if field.name in {*ChatOptions.__dataclass_fields__, "view", "control"}:
                continue
            if isinstance(field.default, bool):
                flag(field.name, getattr(self, field.name))
            else:
                integer(field.name, getattr(self, field.name), 1)

    @property
    def name(self) -> str:  # type: ignore[override]
        """``law`` with the model's name, or with what takes its place: ``law (no LLM)``, ``law (first rows)``."""
        return f"law ({self.control.replace('-', ' ') if self.control else self.chat_name})"

    def _solve(self, run: SolverRun) -> None:
        with Session(self, CONTROLS[self.control] if self.control else perturbing_standin.reply) as session:
            workflow = Workflow(self, run, session)
            unfinished = False
            try:
                workflow.optimise()
            except (CapReached, EndpointError) as ending:
                if isinstance(ending, EndpointError) and not workflow.replies:
                    raise
                unfinished = isinstance(ending, EndpointError)
                run.message = f"stopped after {session.usage.calls} calls: {ending}"
            finally:
                counts = {"unusable": workflow.unusable, "steps": workflow.step, "improved": workflow.improved}
                run.usage = {**session.usage.to_dict(), **counts, "unfinished": unfinished}
                if not workflow.used:
                    run.failure = workflow.failure()
        if run.outcome is not None and not run.message:
            run.message = workflow.closing()


class Workflow:
    """One solve with LAW."""

    def __init__(self, options: LAW, run: SolverRun, session: Session) -> None:
        self.options, self.run, self.session = options, run, session
        # Spawned, so that both views start alike and ask with the same seeds.
        order = run.rng.spawn(1)[0].permutation(run.given.scenario.num_agents) if options.view == RAW else None
        self.translator = Translator(run.given, None if run.start is None else run.start.beamformer, order)
        self.replies = self.used = self.unusable = 0
        self.step = self.improved = 0
        self.complaint = ""

    def optimise(self) -> None:
        """Run the rounds."""
        design = self.start()
        for number in range(1, self.options.rounds + 1):
            before = design
            for sub_problem in SUB_PROBLEMS:
                design = self.solve(sub_problem, design, number)
            if design == before:
                break

    def start(self) -> Design:
        """Return the design of the user's start, or a random selection of N_min accurate agents at a high SNR."""
        design = self._random_start() if self.run.start is None else self.translator.design_of(self.run.start)
        return self.translator.in_raw_numbers(design) if self.translator.raw else design

    def _random_start(self) -> Design:
        instance = self.run.given
        selection = random_selection(instance, self.run.rng)
        if selection is None:
            raise Infeasible(why_infeasible(instance, eligible_agents(instance)))
        return Design(
            selected=tuple(map(int, np.flatnonzero(selection[self.translator.order]))),
            power_dbm=floor(float(to_dbm(instance.scenario.bs_power_w))),
            weights=(("filtered", 0.0, 0.0),),
            level_db=(START_SNR_DB,) * instance.scenario.num_agents,
        )

    def solve(self, sub_problem: str, design: Design, number: int) -> Design:
        """Return the best design found for one sub-problem, with the numbers of the others fixed."""
        [best] = score(self.run, self.translator, sub_problem, [design])
        facts = prompts.facts(self.run.given, sub_problem, design, self.translator, self.options.jamming)
        experts: list[Score] = []
        reminder = ""
        for iteration in range(1, self.options.iterations + 1):
            self.run.check_time()
            requests = self._requests(facts, design, best, experts, reminder)
            replies = self.session.ask(requests, self.run.seconds_left)
            self.replies += len(replies)
            proposed, complaint = self._proposed(facts, design, replies)
            if proposed is None:
                verdict = "unusable"
                reminder = f"Your last answer could not be used. {complaint}"
            elif proposed.beats(best):
                verdict, reminder, experts = "improved", "", []
                best = proposed
                self.improved += 1
            else:
                verdict = "infeasible" if proposed.complaint else "not better"
                if self.options.expert_search:
                    near = self._search(facts, proposed)
                    best = near[0] if near[0].beats(best) else best
                    feasible = [each for each in near if each.outcome.feasible and each.design != best.design]
                    experts = feasible[: self.options.experts]
                reminder = prompts.reminder(facts, proposed, best)  # of the best that the next prompt shows
            self.step += 1
            usage = self.session.usage
            self.run.record(
                iteration=self.step,
                sub_problem=sub_problem,
                round=number,
                step=iteration,
                verdict=verdict,
                complaint=complaint or ("" if proposed is None else proposed.complaint),
                f=None if proposed is None else proposed.f,
                best_f=best.f,
                experts=len(experts),
                calls=usage.calls,
                tokens=usage.prompt_tokens + usage.completion_tokens,
                evaluations=self.run.evaluations,
                prompt=[(message.role, message.content) for message in requests[0].messages],
                replies=[(reply.text, reply.fault, reply.detail) for reply in replies],
                feasible=bool(proposed is not None and proposed.outcome.feasible),
                **({} if proposed is None else _numbers(self.run.given, proposed.outcome)),
            )
        return best.design

    def _requests(
        self, facts: Facts, design: Design, best: Score, experts: Sequence[Score], reminder: str
    ) -> list[Request]:
        """Return the requests of one step: one prompt with different seeds."""
        options = self.options
        messages = prompts.messages(
            facts,
            design,
            self.translator,
            best if options.examples else None,
            experts if options.examples else (),
            reminder if options.reflection else "",
        )
        kind = kind_of(facts)
        seeds = self.run.rng.integers(2**31, size=options.proposals)
        return [options.request(messages, kind.sub_problem, kind, int(seed), limits(facts)) for seed in seeds]

    def _proposed(self, facts: Facts, design: Design, replies: Sequence[Reply]) -> tuple[Score | None, str]:
        """Return the best proposal in the replies, or None and the complaint about the last one."""
        designs, complaint = [], ""
        for reply in replies:
            try:
                proposal = parse_reply(reply, kind_of(facts))
                designs.append(design.replaced(proposal, self.translator.directions, self.options.jamming))
            except (Malformed, Unusable) as error:
                self.unusable += not reply.fault
                complaint = str(error)
                self.complaint = self.complaint or complaint
        if not designs:
            return None, complaint
        self.used += len(designs)
        return min(score(self.run, self.translator, facts["sub_problem"], designs), key=_rank), complaint

    def _search(self, facts: Facts, around: Score) -> list[Score]:
        """Return Q candidates near a proposal, best first: feasible ones, then the least violating (expert search)."""
        centre = around.design.proposal(kind_of(facts))
        near = [neighbour(centre, facts, self.run.rng) for _ in range(self.options.candidates)]
        # Each candidate once: a small neighbourhood holds fewer than Q.
        designs = list(dict.fromkeys(around.design.replaced(proposal, self.translator.directions) for proposal in near))
        return sorted(score(self.run, self.translator, facts["sub_problem"], designs), key=_rank)

    def closing(self) -> str:
        """Return the message of the solution."""
        outcome, calls = self.run.outcome, self.session.usage.calls
        assert outcome is not None
        if outcome.feasible:
            return f"feasible after {calls} calls{self._faults()}"
        violated = ", ".join(name for name, value in outcome.violated.items() if value)
        return f"no feasible decision found in {calls} calls; the best one violates {violated}{self._faults()}"

    def failure(self) -> str:
        """Return the message of a solution to which no reply has contributed."""
        why = self.complaint or self.run.message or "none came in time"
        return f"no reply of {self.session.model} could be used{self._faults()}: {why}"

    def _faults(self) -> str:
        counts = faults_of({**self.session.usage.to_dict(), "unusable": self.unusable})
        return f" ({', '.join(f'{count} × {name}' for name, count in counts.items())})" if counts else ""


def _rank(score: Score) -> tuple[int, float]:
    return score.rank


def _numbers(instance: Instance, outcome: Outcome) -> dict[str, float]:
    """Return the numbers of a proposal for convergence pictures."""
    energies = ("energy_j", "execution_energy_j", "transmission_energy_j")
    return {
        **{name: float(getattr(outcome, name)) for name in energies},
        "violation": max(map(float, relative_violations(instance, outcome).values())),
    }
