"""Trained agents: a policy's ONNX file as a solver, run by onnxruntime on one thread, without torch.

An ONNX file is a graph of known operators and their weights: loading one executes nothing of it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from secagent_env import Decision, Instance, Scenario
from secagent_env.allocation.actions import ACTION_FORMATS
from secagent_env.allocation.guided import SelectionFormat
from secagent_env.allocation.observations import OBSERVATION_FORMATS, observation_shapes, observe
from secagent_env.allocation.rules import decoder
from secagent_env.support import checks
from secagent_env.support.extras import require
from secagent_env.support.reading import parse_json, read_bytes, short
from solvers import Solver
from solvers.interface.base import SolverRun
from solvers.onnx_models.sealing import check_policy
from solvers.onnx_models.session import open_session
from training.play.draws import best_drawn
from training.play.refine import refine as refined
from training.play.repair import changed, repair_all
from training.play.repair import repair as repaired

POLICY_FORMAT, POLICY_VERSION = "secagent.policy", "1"
METADATA = ("agent", "environment", "scenario", "observation_format", "action_format", "any_agents")
"""Entries of a policy file's metadata besides ``format`` and ``version``; all are texts, the scenario as JSON."""

SOLVED = "secagent/Allocation-v0"
"""The environment whose policies can solve an Instance."""
MOST_SAMPLES = 10_000
CHUNK = 1024
"""How many instances one run of the network takes, at most."""

_sessions: dict[str, Any] = {}


class TrainedAgent(Solver):
    """A policy that decides in one forward pass; a solver like any other.

    A decision that is not feasible is repaired (:mod:`training.play.repair`), unless that is switched off; the
    solution's message and history say whether. It can be refined by a few steps of local search
    (:mod:`training.play.refine`).

    Parameters
    ----------
    path
        The policy's .onnx file.
    repair
        Whether a decision that is not feasible is repaired.
    refine
        Steps of refinement, at most.
    samples
        Of a policy in the selection format: of how many selections the best decision counts
        (:mod:`training.play.draws`); by default as many as its training was for. ``act``, which knows no instance,
        returns the policy's own alone.
    compiled
        Whether actions are decoded in machine code, which agrees to rounding and needs numba.

    Attributes
    ----------
    name
        The name in the policy's metadata, such as ``"ppo"``.
    scenario
        The scenario that it was trained on.
    environment, observation_format, action_format
        Its environment, and the formats of its observations and actions.
    any_agents
        Whether it takes other numbers of agents, antennas and, where its network does, eavesdroppers.
    digest
        A hash of the file.

    Raises
    ------
    ValueError
        If the file is broken, foreign or newer, or an option out of range.
    OSError
        If the file cannot be read.
    ImportError
        If onnxruntime, or for ``compiled`` numba, is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        repair: bool = True,
        refine: int = 0,
        samples: int | None = None,
        compiled: bool = False,
    ) -> None:
        self.repair, self.refine = checks.flag("repair", repair), checks.integer("refine", refine)
        self.samples = 1 if samples is None else checks.integer("samples", samples, 1, MOST_SAMPLES)
        self.compiled = checks.flag("compiled", compiled)
        if compiled:
            require("numba", extra="fast")
        self._content = read_bytes(path)
        self.digest = hashlib.sha256(self._content).hexdigest()[:20]
        try:
            check_policy(self._content, path)
            self._describe(self._session.get_modelmeta().custom_metadata_map, chosen=samples is not None)
        except ValueError as error:
            raise ValueError(f"cannot load a policy from {path}: {short(error, 800)}") from None

    def _describe(self, metadata: Mapping[str, str], chosen: bool) -> None:
        """Check the metadata and keep them; ``chosen`` tells whether the number of samples is not theirs."""
        if metadata.get("format") != POLICY_FORMAT:
            raise ValueError("it holds no secagent policy")
        if metadata.get("version") != POLICY_VERSION:
            raise ValueError(
                f"it has format version {metadata.get('version')}, this secagent reads {POLICY_VERSION}; "
                "upgrade secagent to read it"
            )
        missing = [name for name in METADATA if name not in metadata]
        if missing:
            raise ValueError(f"its metadata lack {', '.join(missing)}")
        for kind, known in (("observation_format", OBSERVATION_FORMATS), ("action_format", ACTION_FORMATS)):
            if metadata[kind] not in known:
                raise ValueError(f"this secagent does not know its {kind} {metadata[kind]!r}; upgrade secagent")
        self.name, self.environment = metadata["agent"], metadata["environment"]
        self.observation_format, self.action_format = metadata["observation_format"], metadata["action_format"]
        if not chosen and "samples" in metadata:
            self.samples = checks.integer("samples", parse_json(metadata["samples"]), 1, MOST_SAMPLES)
        if self.samples > 1 and self.action_format != "selection":
            raise ValueError(f"its actions are {self.action_format}: only selections are sampled, leave samples out")
        self.any_agents = metadata["any_agents"] == "true"
        self.scenario = Scenario.coerce(parse_json(metadata["scenario"]))
        self._shapes = {entry.name: tuple(entry.shape) for entry in self._session.get_inputs()}
        if [entry.name for entry in self._session.get_outputs()] != ["action"] or not self._fits(self.scenario):
            raise ValueError("its network's inputs and output are not those that its metadata describe")

    # --- As a solver ------------------------------------------------------------------------------------------

    def _solve(self, run: SolverRun) -> None:
        instance = run.given
        decision, served = self._forward(instance)
        run.evaluations += int(served) - 1  # the best counts below
        outcome = run.consider(decision)
        violated = [name for name, beyond in outcome.violated.items() if beyond]
        self._record(run, "forward pass", violated=violated, selections=int(served))
        best = f", the best of {self.samples} selections" if self.samples > 1 else ""
        run.message = f"one forward pass{best}{', which violates ' * bool(violated)}{', '.join(violated)}"
        if violated and self.repair:
            run.check_time()
            decision = repaired(instance, decision, run.consider)
            self._record(run, "repair")
            run.message = (
                f"{'repaired' if run.history[-1]['feasible'] else 'could not be repaired'}: {', '.join(violated)}"
            )
        if self.refine:
            run.check_time()
            refined(instance, decision, self.refine, run.consider)
            self._record(run, "refinement")
            run.message += ", refined"

    @staticmethod
    def _record(run: SolverRun, sub_problem: str, **entries: Any) -> None:
        """Append the present best decision to the history."""
        assert run.outcome is not None
        energies = {name: float(getattr(run.outcome, name)) for name in ("energy_j", "transmission_energy_j")}
        run.record(iteration=1, sub_problem=sub_problem, feasible=bool(run.outcome.feasible), **energies, **entries)

    def solve_batch(self, instances: Instance) -> Decision:
        """Return the decisions for a batch of instances, with its leading dimensions: one forward pass for all.

        Those that are not feasible are repaired, and all refined, one by one, as :meth:`solve` does.

        Raises
        ------
        ValueError
            If the agent does not take instances of this size.
        """
        if not isinstance(instances, Instance):
            raise ValueError(f"instances must be an Instance, got {type(instances).__name__}")
        instances = instances if isinstance(instances.channel_bs, np.ndarray) else instances.to(np)
        decision, _ = self._forward(instances)
        if self.repair:
            decision = repair_all(instances, decision)
        if self.refine:
            everyone = np.ones(instances.batch_shape, bool)
            decision = changed(instances, decision, everyone, partial(refined, steps=self.refine))
        return decision

    def check(self, scenario: Scenario) -> None:
        """Raise ValueError if the agent does not take instances of this scenario; the sentence names both sizes."""
        if self.environment != SOLVED:
            raise ValueError(f"the agent {self.name} plays {self.environment}: it acts there, and solves no instances")
        if not self._fits(scenario) or not (self.any_agents or _sizes(scenario) == _sizes(self.scenario)):
            raise ValueError(
                f"the agent {self.name} was trained for {_in_words(self.scenario)} and takes no other number of "
                f"{'eavesdroppers' if self.any_agents else 'them'}; the instance has {_in_words(scenario)}"
            )

    def _forward(self, instances: Instance) -> tuple[Decision, np.ndarray]:
        """Return the decisions (…), neither repaired nor refined, and of how many each is the best."""
        self.check(instances.scenario)
        observation = observe(instances, self.observation_format)
        action = self._run(self._inputs(observation, instances.scenario), instances.batch_shape)
        form = decoder(self.action_format, instances.scenario, compiled=self.compiled)
        if self.samples > 1:
            assert isinstance(form, SelectionFormat)
            return best_drawn(form, instances, action, self.samples)
        return form.decode(action, instances), np.ones(instances.batch_shape, int)

    # --- As a policy ------------------------------------------------------------------------------------------

    def reset(self, seed: int = 0) -> None:
        """Do nothing: the policy is deterministic and has no memory."""

    def act(self, observation: Any) -> np.ndarray:
        """Return the action (…, A), float32, in the agent's format, for an observation in its format.

        Parameters
        ----------
        observation
            Flat (…, D), or a dict of parts, with any leading dimensions. Of a flat one of an agent that takes any
            number of agents, N follows from D; the number of eavesdroppers is that of the agent's scenario.

        Raises
        ------
        ValueError
            If the observation has another format or size.
        """
        if isinstance(observation, Mapping) != (self.observation_format == "dict"):
            raise ValueError(f"the agent {self.name} takes observations in the {self.observation_format} format")
        if isinstance(observation, Mapping):
            batch = np.shape(observation["task"])[:-1]
            return self._run(self._inputs(observation, self.scenario), batch)
        flat = np.asarray(observation, np.float32)
        return self._run(self._inputs(flat, self._scenario_of(flat.shape[-1])), flat.shape[:-1])

    def _scenario_of(self, size: int) -> Scenario:
        """Return the scenario, with as many agents as a flat observation of this size has."""
        own = self._flat_size(self.scenario)
        if size == own:
            return self.scenario
        for agents in range(1, size) if self.any_agents else ():
            scenario = self.scenario.replace(num_agents=agents, min_selected=None)
            if self._flat_size(scenario) >= size:
                if self._flat_size(scenario) == size:
                    return scenario
                break
        raise ValueError(
            f"the agent {self.name} was trained on observations of {own} numbers, this one has {size}, "
            f"which is {'no' if self.any_agents else 'another'} number of agents"
        )

    # --- The network ------------------------------------------------------------------------------------------

    def _fits(self, scenario: Scenario) -> bool:
        """Whether the network's inputs are parts of the observations of a scenario, and can have their shapes."""
        wanted = {**self._parts(scenario), "observation": (self._flat_size(scenario),)}
        return all(
            len(shape) == 1 + len(wanted.get(name, ()))
            and all(
                not isinstance(fixed, int) or fixed == size for fixed, size in zip(shape[1:], wanted[name], strict=True)
            )
            for name, shape in self._shapes.items()
        )

    def _flat_size(self, scenario: Scenario) -> int:
        return sum(map(math.prod, self._parts(scenario).values()))

    def _parts(self, scenario: Scenario) -> dict[str, tuple[int, ...]]:
        shapes = observation_shapes(scenario, self.observation_format)
        return shapes if self.environment == SOLVED else {**shapes, "batteries": (scenario.num_agents, 2)}

    def _inputs(self, observation: Any, scenario: Scenario) -> dict[str, np.ndarray]:
        """Return the network's inputs of an observation: parts of it, or the flat whole."""
        if "observation" in self._shapes:
            return {"observation": np.asarray(observation, np.float32)}
        if isinstance(observation, Mapping):
            return {name: np.asarray(observation[name], np.float32) for name in self._shapes}
        shapes = self._parts(scenario)
        ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
        parts = dict(zip(shapes, np.split(observation, ends[:-1], axis=-1), strict=True))
        return {name: parts[name].reshape(*observation.shape[:-1], *shapes[name]) for name in self._shapes}

    def _run(self, inputs: Mapping[str, np.ndarray], batch: tuple[int, ...]) -> np.ndarray:
        """Return the actions (…, A) for inputs with the leading dimensions ``batch``."""
        size = math.prod(batch)
        flat = {name: np.reshape(array, (size, *array.shape[len(batch) :])) for name, array in inputs.items()}
        chunks = [{name: array[i : i + CHUNK] for name, array in flat.items()} for i in range(0, max(size, 1), CHUNK)]
        try:
            actions = [self._session.run(["action"], chunk)[0] for chunk in chunks]
        except Exception as error:  # onnxruntime's own types
            raise ValueError(f"the network of the policy {self.name} cannot be computed: {short(error)}") from None
        for action, chunk in zip(actions, chunks, strict=True):
            rows = len(next(iter(chunk.values()), ()))
            if not isinstance(action, np.ndarray) or action.shape[:1] != (rows,) or action.ndim != 2:
                raise ValueError(f"the network of the policy {self.name} returns no action for each observation")
        action = actions[0] if len(actions) == 1 else np.concatenate(actions)
        return np.asarray(action.reshape(*batch, action.shape[-1]))

    @property
    def _session(self) -> Any:
        """The network in onnxruntime; one for each file and process, so that copies of the agent share it."""
        if self.digest not in _sessions:
            _sessions[self.digest] = open_session(self._content)
        return _sessions[self.digest]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        _ = self._session  # in a worker, before the clock of the first solve runs

    def __deepcopy__(self, memo: Any) -> Self:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)  # nothing in it ever changes
        return copied


def _sizes(scenario: Scenario) -> tuple[int, int, int]:
    return scenario.num_agents, scenario.num_antennas, scenario.num_eavesdroppers


def _in_words(scenario: Scenario) -> str:
    agents, antennas, eavesdroppers = _sizes(scenario)
    return f"{agents} agents, {antennas} antennas and {eavesdroppers} eavesdropper{'s' * (eavesdroppers != 1)}"
