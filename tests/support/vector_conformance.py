"""What every vector environment here must do; Gymnasium has a checker for scalar environments only.

:func:`check_vector_env` raises AssertionError with a sentence where an environment in the mode ``SAME_STEP`` behaves
unlike Gymnasium's ``SyncVectorEnv`` over the scalar environment, down to the last bit. Episodes may have any length.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

NUM_ENVS = 5
MakeVector = Callable[[int], VectorEnv]
MakeScalar = Callable[[], gymnasium.Env]
Sample = Callable[[VectorEnv, np.random.Generator], Any]


def random_actions(envs: VectorEnv, rng: np.random.Generator) -> Any:
    """Return random actions, determined by ``rng``."""
    envs.action_space.seed(int(rng.integers(2**31)))
    return envs.action_space.sample()


def check_vector_env(
    make_vector: MakeVector, make_scalar: MakeScalar, *, steps: int = 20, sample: Sample = random_actions
) -> None:
    """Check a vector environment.

    Parameters
    ----------
    make_vector
        Makes it, with so many sub-environments.
    make_scalar
        Makes the environment that each sub-environment must equal.
    steps
        How many steps are compared; some episodes must end on the way.
    sample
        Returns the actions to play.
    """
    check_spaces(make_vector, make_scalar)
    check_results(make_vector, steps, sample)
    check_nothing_shared(make_vector, steps, sample)
    check_seeding(make_vector, make_scalar, sample)
    check_same_as_sync(make_vector, make_scalar, steps, sample)
    check_reset_mask(make_vector, sample)
    check_bad_actions(make_vector, sample)
    check_order_and_end(make_vector, sample)


def check_autoreset(
    make_vector: Callable[..., VectorEnv], make_scalar: MakeScalar, *, steps: int = 20, sample: Sample = random_actions
) -> None:
    """Check the modes ``NEXT_STEP`` and ``DISABLED`` of a vector environment, which ``make_vector(n, mode)`` makes.

    Everything is what ``SyncVectorEnv`` returns in the same mode, bit for bit, masked resets included.
    """
    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED):
        envs = make_vector(NUM_ENVS, mode)
        assert envs.metadata["autoreset_mode"] is mode, f"metadata['autoreset_mode'] must be {mode}"
        sync = SyncVectorEnv([make_scalar] * NUM_ENVS, autoreset_mode=mode)
        rng, over = np.random.default_rng(1), np.zeros(NUM_ENVS, bool)
        assert_same(envs.reset(seed=3), sync.reset(seed=3), f"reset, {mode}")
        for step in range(steps):
            actions = sample(envs, rng)
            if mode is AutoresetMode.DISABLED and over.any():
                with pytest.raises(gymnasium.error.ResetNeeded, match="are over: reset them with options"):
                    envs.step(actions)
            mask = over if mode is AutoresetMode.DISABLED else (rng.random(NUM_ENVS) < 0.3) & (step % 4 == 3)
            if mask.any():
                part = {"reset_mask": mask.copy()}
                got, wanted = envs.reset(options=dict(part)), sync.reset(options=dict(part))
                assert_same(got, wanted, f"reset of a part before step {step}, {mode}")
            got, wanted = envs.step(actions), sync.step(actions)
            assert_same(got, wanted, f"step {step}, {mode}")
            over = wanted[2] | wanted[3]
        for one, other in zip(envs.np_random, sync.np_random, strict=True):
            assert one.bit_generator.state == other.bit_generator.state, f"the generators must agree, {mode}"


def check_spaces(make_vector: MakeVector, make_scalar: MakeScalar) -> None:
    """Spaces, metadata and the number of environments."""
    scalar = make_scalar()
    for size in (1, NUM_ENVS):
        envs = make_vector(size)
        assert envs.num_envs == size, f"num_envs is {envs.num_envs}, asked for {size}"
        mode = envs.metadata.get("autoreset_mode")
        assert mode is AutoresetMode.SAME_STEP, f"metadata['autoreset_mode'] must be SAME_STEP, got {mode!r}"
        for kind in ("observation_space", "action_space"):
            single, batched = getattr(envs, f"single_{kind}"), getattr(envs, kind)
            assert single == getattr(scalar, kind), f"single_{kind} must be the scalar environment's"
            assert batched == batch_space(single, size), f"{kind} must be single_{kind}, batched"
        assert envs.unwrapped is envs
        assert not envs.closed
        envs.close()
    scalar.close()


def check_results(make_vector: MakeVector, steps: int, sample: Sample) -> None:
    """Types, shapes, and what infos hold."""
    envs, rng = make_vector(NUM_ENVS), np.random.default_rng(0)
    observations, infos = envs.reset(seed=0)
    assert isinstance(infos, dict), "reset must return infos as a dict"
    check_infos(infos, NUM_ENVS)
    check_observations(envs, observations)
    for _ in range(steps):
        observations, rewards, terminated, truncated, infos = envs.step(sample(envs, rng))
        check_observations(envs, observations)
        for name, array, dtype in (
            ("rewards", rewards, np.float64),
            ("terminations", terminated, np.bool_),
            ("truncations", truncated, np.bool_),
        ):
            assert isinstance(array, np.ndarray), f"{name} must be an array, got {type(array).__name__}"
            assert array.dtype == dtype, f"{name} must be {dtype.__name__}, got {array.dtype}"
            assert array.shape == (NUM_ENVS,), f"{name} must have shape ({NUM_ENVS},), got {array.shape}"
        assert not np.isnan(rewards).any(), "rewards must not be NaN"
        check_infos(infos, NUM_ENVS)
        ended = terminated | truncated
        for name in ("final_obs", "final_info"):
            assert (name in infos) == bool(ended.any()), f"{name} must be there when an episode ends, and only then"
            if ended.any():
                assert np.array_equal(infos[f"_{name}"], ended), f"_{name} must say which episodes ended"
        for i in np.flatnonzero(ended):
            last = infos["final_obs"][i]
            assert envs.single_observation_space.contains(last), f"final_obs[{i}] must be in the observation space"
    envs.close()


def check_observations(envs: VectorEnv, observations: Any) -> None:
    """A batch of observations is in the space, with its dtype."""
    assert envs.observation_space.contains(observations), "observations must be in the batched observation space"
    space = envs.observation_space
    parts = space.spaces.items() if isinstance(space, gymnasium.spaces.Dict) else [(None, space)]
    for name, part in parts:
        array = observations if name is None else observations[name]
        assert array.dtype == part.dtype, f"observations must be {part.dtype}, got {array.dtype}"


def check_infos(infos: dict[str, Any], size: int) -> None:
    """Every entry is batched, and has a mask that says whose it is."""
    for name, value in infos.items():
        if name.startswith("_"):
            assert name[1:] in infos, f"the mask {name!r} in infos has no entry"
            continue
        mask = infos.get(f"_{name}")
        assert isinstance(mask, np.ndarray), f"the entry {name!r} of infos must have a mask '_{name}'"
        assert mask.dtype == np.bool_, f"the mask '_{name}' must be boolean"
        assert mask.shape == (size,), f"the mask '_{name}' must have shape ({size},)"
        if isinstance(value, dict):
            check_infos(value, size)
        else:
            assert isinstance(value, np.ndarray), f"the entry {name!r} of infos must be an array"
            assert len(value) == size, f"the entry {name!r} of infos must be batched"


def check_seeding(make_vector: MakeVector, make_scalar: MakeScalar, sample: Sample) -> None:
    """Seeds determine everything; an integer s means s, s + 1, …; None goes on."""
    envs, twin = make_vector(NUM_ENVS), make_vector(NUM_ENVS)
    first = envs.reset(seed=7)
    assert_same(twin.reset(seed=list(range(7, 7 + NUM_ENVS))), first, "a list of seeds s, s + 1, … and the integer s")
    actions = sample(envs, np.random.default_rng(0))
    after = envs.step(actions)
    assert_same(twin.step(actions), after, "two environments with one seed")
    following = envs.reset()
    assert not same(following, first), "reset() without a seed must go on, not start again"
    assert_same(twin.reset(seed=[None] * NUM_ENVS), following, "seeds of None and no seed")
    assert_same(envs.reset(seed=7), first, "the same seed again")
    assert_same(envs.step(actions), after, "the same seed again, after a step")
    assert not same(envs.reset(seed=8), first), "another seed must give other episodes"
    scalar = make_scalar()
    for i in range(NUM_ENVS):
        assert_same(row_of(first[0], i), scalar.reset(seed=7 + i)[0], f"environment {i} and the scalar one")
    assert len({np.random.Generator.random(copy.deepcopy(g)) for g in envs.np_random}) == NUM_ENVS
    assert tuple(envs.np_random_seed) == tuple(range(8, 8 + NUM_ENVS)), "np_random_seed must tell the seeds"
    unseeded = make_vector(NUM_ENVS)
    assert not same(unseeded.reset()[0], make_vector(NUM_ENVS).reset()[0]), "without a seed, episodes are random"
    with pytest.raises(ValueError, match="seed"):
        envs.reset(seed=[1] * (NUM_ENVS + 1))


def check_same_as_sync(make_vector: MakeVector, make_scalar: MakeScalar, steps: int, sample: Sample) -> None:
    """Everything is what ``SyncVectorEnv`` returns, bit for bit, masked resets and the generators included."""
    envs = make_vector(NUM_ENVS)
    sync = SyncVectorEnv([make_scalar] * NUM_ENVS, autoreset_mode=AutoresetMode.SAME_STEP)
    rng = np.random.default_rng(1)
    assert_same(envs.reset(seed=3), sync.reset(seed=3), "reset")
    ended = 0
    for step in range(steps):
        actions = sample(envs, rng)
        got, wanted = envs.step(actions), sync.step(actions)
        assert_same(got, wanted, f"step {step}")
        ended += int((wanted[2] | wanted[3]).sum())
        if step % 5 == 3:
            mask = rng.random(NUM_ENVS) < 0.5
            mask[step % NUM_ENVS] = True
            seed = [int(rng.integers(100)) if rng.random() < 0.5 else None for _ in range(NUM_ENVS)]
            got = envs.reset(seed=seed, options={"reset_mask": mask})
            wanted = sync.reset(seed=seed, options={"reset_mask": mask})
            assert_same(got, wanted, f"reset of a part after step {step}")
        if step % 7 == 6:
            assert_same(envs.reset(), sync.reset(), f"reset after step {step}")
    assert ended, f"no episode ended in {steps} steps: autoreset was not checked"
    for i, (one, other) in enumerate(zip(envs.np_random, sync.np_random, strict=True)):
        assert one.bit_generator.state == other.bit_generator.state, f"the generators of environment {i} must agree"


def check_reset_mask(make_vector: MakeVector, sample: Sample) -> None:
    """A masked reset changes these environments alone, and a bad mask is refused as by Gymnasium."""
    envs = make_vector(NUM_ENVS)
    before, _ = envs.reset(seed=1)
    mask = np.arange(NUM_ENVS) % 2 == 0
    after, _ = envs.reset(options={"reset_mask": mask})
    for i in range(NUM_ENVS):
        changed = not same(row_of(before, i), row_of(after, i))
        assert changed == mask[i], f"environment {i} must {'' if mask[i] else 'not '}be reset"
    for bad, error in (
        ([True] * NUM_ENVS, TypeError),
        (np.ones(NUM_ENVS + 1, bool), ValueError),
        (np.ones(NUM_ENVS, int), TypeError),
        (np.zeros(NUM_ENVS, bool), ValueError),
    ):
        with pytest.raises(error, match="reset_mask"):
            envs.reset(options={"reset_mask": bad})
    envs.step(sample(envs, np.random.default_rng(0)))  # it still works


def check_nothing_shared(make_vector: MakeVector, steps: int, sample: Sample) -> None:
    """Results and actions belong to the caller: calls share nothing, and overwriting it changes nothing."""
    envs, twin, rng = make_vector(NUM_ENVS), make_vector(NUM_ENVS), np.random.default_rng(2)
    results = [envs.reset(seed=5)]
    twin.reset(seed=5)
    for step in range(min(steps, 8)):
        actions = sample(envs, rng)
        given = copy.deepcopy(actions)
        results.append(envs.step(actions))
        assert_same(actions, given, "actions before and after a step")
        for _, array in leaves(actions):
            array[...] = 0
        assert_same(results[-1], twin.step(given), f"step {step}, after results were overwritten")
        for path, array in leaves(results[-2]):
            for other_path, other in leaves(results[-1]):
                shared = np.shares_memory(array, other)
                assert not shared, f"{path} of a call and {other_path} of the next one share memory"
        arrays = list(leaves(results[-1]))
        for i, (path, array) in enumerate(arrays):
            for other_path, other in arrays[:i]:
                assert not np.shares_memory(array, other), f"{path} and {other_path} share memory"
        for _, array in arrays:
            array[...] = 1


def check_bad_actions(make_vector: MakeVector, sample: Sample) -> None:
    """Actions of a wrong shape and NaN raise ValueError, and leave the environment as it was."""
    envs, twin = make_vector(NUM_ENVS), make_vector(NUM_ENVS)
    envs.reset(seed=2)
    twin.reset(seed=2)
    actions = sample(envs, np.random.default_rng(0))
    wrong = {
        "too few": change(actions, lambda array: array[:-1]),
        "too many": change(actions, lambda array: np.concatenate([array, array[:1]])),
        "one for all": change(actions, lambda array: array[0]),
        "too short": change(actions, lambda array: array[..., :-1]),
        "too deep": change(actions, lambda array: array[None]),
        "NaN": change(actions, with_nan),
        "none": None,
    }
    for name, bad in wrong.items():
        said = error_of(envs, bad)
        assert said is not None, f"actions that are {name} must raise ValueError"
        assert "action" in said, f"the error for actions that are {name} must speak of actions, got: {said}"
    assert_same(envs.step(actions), twin.step(actions), "a step after bad actions")


def error_of(envs: VectorEnv, actions: Any) -> str | None:
    """Return what the ValueError of a step says, or None if there is none."""
    try:
        envs.step(actions)
    except ValueError as error:
        return str(error)
    return None


def check_order_and_end(make_vector: MakeVector, sample: Sample) -> None:
    """A step needs a reset, and closing twice is fine."""
    envs = make_vector(2)
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(sample(envs, np.random.default_rng(0)))
    envs.reset(seed=0)
    envs.close()
    envs.close()
    assert envs.closed


def change(actions: Any, function: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Return actions with every array changed."""
    if isinstance(actions, dict):
        return {name: function(array) for name, array in actions.items()}
    return function(actions)


def with_nan(actions: np.ndarray) -> np.ndarray:
    """Return actions of which the second environment's hold a NaN."""
    actions = actions.astype(float)
    actions[1, ..., 0] = np.nan
    return actions


def row_of(observations: Any, i: int) -> Any:
    """Return the observation of environment i."""
    return change(observations, lambda array: array[i])


def leaves(result: Any, path: str = "result") -> Iterator[tuple[str, np.ndarray]]:
    """Yield every array in nested results, of object arrays those in them."""
    if isinstance(result, dict):
        for name, value in result.items():
            yield from leaves(value, f"{path}[{name!r}]")
    elif isinstance(result, (tuple, list)) or (isinstance(result, np.ndarray) and result.dtype == object):
        for i, value in enumerate(result):
            yield from leaves(value, f"{path}[{i}]")
    elif isinstance(result, np.ndarray):
        yield path, result


def same(got: Any, wanted: Any) -> bool:
    """Whether nested results agree: types, keys, shapes, dtypes and bits."""
    return difference(got, wanted, "") is None


def assert_same(got: Any, wanted: Any, what: str) -> None:
    """Raise AssertionError that says where two nested results differ."""
    found = difference(got, wanted, "result")
    assert found is None, f"{what}: {found}"


def difference(got: Any, wanted: Any, path: str) -> str | None:
    """Return a sentence on the first difference of nested results, or None. The order of keys does not count."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict) or set(got) != set(wanted):
            return f"{path} must have the keys {sorted(wanted)}, got {sorted(got) if isinstance(got, dict) else got!r}"
        pairs = [(got[name], wanted[name], f"{path}[{name!r}]") for name in wanted]
    elif isinstance(wanted, np.ndarray) and wanted.dtype != object:
        if not isinstance(got, np.ndarray) or (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
            kind = f"{got.dtype} {got.shape}" if isinstance(got, np.ndarray) else type(got).__name__
            return f"{path} must be an array {wanted.dtype} {wanted.shape}, got {kind}"
        equal = got.tobytes() == wanted.tobytes()
        return None if equal else f"{path} must be {wanted.ravel()[:4]}…, got {got.ravel()[:4]}…"
    elif isinstance(wanted, (tuple, list, np.ndarray)):
        if type(got) is not type(wanted) or len(got) != len(wanted):
            return f"{path} must be a {type(wanted).__name__} of {len(wanted)}, got {got!r}"
        pairs = [(one, other, f"{path}[{i}]") for i, (one, other) in enumerate(zip(got, wanted, strict=True))]
    else:
        return None if type(got) is type(wanted) and got == wanted else f"{path} must be {wanted!r}, got {got!r}"
    return next((found for pair in pairs if (found := difference(*pair)) is not None), None)
