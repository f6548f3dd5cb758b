"""A training: segments with a checkpoint after each, evaluations, logs, and the policy's file at the end."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from secagent_env.support import checks
from secagent_env.support.errors import check_name
from secagent_env.support.extras import require
from secagent_env.support.files import held
from secagent_env.support.interrupts import Interrupts, remembered

for module in ("torch", "stable_baselines3", "tensorboard", "tqdm"):
    require(module, "rl")

import torch  # noqa: E402
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat  # noqa: E402
from torch.utils.tensorboard import SummaryWriter  # noqa: E402
from tqdm import tqdm  # noqa: E402

from training.learn.checkpoint import Checkpoint, broken  # noqa: E402
from training.learn.export import export_policy, policy_metadata  # noqa: E402
from training.learn.learner import Learner, Task, learner_class  # noqa: E402
from training.learn.run_folder import RunFolder, policy_digest  # noqa: E402
from training.learn.sb3 import make_envs  # noqa: E402
from training.learn.seeds import train_seed  # noqa: E402
from training.learn.tracking import TRACKERS, trackers  # noqa: E402
from training.learn.validation import (  # noqa: E402
    EPISODES,
    AllocationValidation,
    EpisodeValidation,
    MixedValidation,
    Validation,
)

logger = logging.getLogger("secagent.training")


def train(
    task: Task,
    out: str | Path,
    *,
    device: str = "cpu",
    threads: int = 1,
    command: str = "",
    progress: bool | None = None,
    judge: Callable[[Mapping[str, Any]], None] | None = None,
    track: Sequence[str] = (),
) -> dict[str, Any]:
    """Train, or resume an interrupted training, and return the best evaluation.

    On one machine and one thread a resumed training ends bit for bit like an uninterrupted one.

    Parameters
    ----------
    task
        The algorithm, its settings, and the networks to train on.
    out
        The run's folder; see :mod:`training.learn.run_folder`.
    device
        Torch's device.
    threads
        Torch's threads; the last bits of sums depend on their number.
    command
        The command that started the training, for the record.
    progress
        Whether to show a progress bar; None: on a terminal only.
    judge
        Called after every evaluation but the first, before any step; what it raises ends the training, which the next
        call resumes.
    track
        What writes the figures down beside TensorBoard, of :data:`training.learn.tracking.TRACKERS`.

    Raises
    ------
    ValueError
        If the folder holds another training, its checkpoint is broken, or hyperparameters do not fit; if there is no
        policy to start from, or it is of another network.
    OSError
        If a file cannot be written.
    KeyboardInterrupt
        If interrupted; the next call goes on from the last checkpoint.
    """
    folder = RunFolder(out)
    _check(task, device, threads)
    for name in track:
        require(check_name("tracker", name, TRACKERS), "track")
    with _threads(threads), remembered() as interrupts:
        learner = learner_class(task.algo)(task, device)  # first: a wrong hyperparameter leaves no folder behind
        try:
            if task.start_from is not None:
                _start(learner, Path(task.start_from))
            folder.open(task, command)
            with held(folder.path) as alone:
                if not alone:
                    raise ValueError(f"another process trains in {out}; wait for it, or name another folder with --out")
                return _trained(task, folder, learner, interrupts, progress, judge, track)
        finally:
            learner.close()


def _trained(
    task: Task,
    folder: RunFolder,
    learner: Learner,
    interrupts: Interrupts,
    progress: bool | None,
    judge: Callable[[Mapping[str, Any]], None] | None,
    track: Sequence[str],
) -> dict[str, Any]:
    """Train, or go on with the training in the folder, and return the best evaluation."""
    checkpoint = Checkpoint.load(folder.checkpoint)
    training = _Training(task, folder, learner, _validation(task, folder, learner.samples), interrupts)
    if checkpoint is None:
        folder.forget_evaluations_after(-1)
        training.evaluate()
    else:
        checkpoint.restore(learner, folder.checkpoint)
        try:
            training.resume(checkpoint)
        except (KeyError, TypeError) as error:
            raise broken(folder.checkpoint, error) from error
    training.go(progress, judge, track)
    return training.finish()


def _start(learner: Learner, run: Path) -> None:
    """Give a learner the best policy of another training; ValueError if there is none, or it does not fit."""
    policy_digest(run)  # which tells where there is none
    checkpoint = Checkpoint.load(RunFolder(run).checkpoint)
    assert checkpoint is not None
    assert checkpoint.best is not None
    try:
        learner.load_policy_state(checkpoint.best)
    except (RuntimeError, KeyError, TypeError) as error:
        algo = RunFolder(run).read_config().get("algo")
        raise ValueError(f"the policy of {run}, of {algo}, is another network than the one that is trained") from error


def _validation(task: Task, folder: RunFolder, samples: int) -> Validation:
    """Return what judges the policy: on each of the scenarios, where there are several."""

    def alone(part: Task, number: int | None = None) -> Validation:
        if part.environment == "allocation":
            return AllocationValidation(part, folder.bounds(number), samples)
        return EpisodeValidation(make_envs(part, EPISODES, held_out=True))

    return MixedValidation([alone(part, k) for k, part in enumerate(task.parts, 1)]) if task.mixed_with else alone(task)


def _check(task: Task, device: str, threads: int) -> None:
    train_seed(task.seed, 0)
    checks.integer("threads", threads, 1)
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"torch cannot compute on device {device!r}: {reason}") from error


class _Training:
    """A running training."""

    def __init__(
        self, task: Task, folder: RunFolder, learner: Learner, validation: Validation, interrupts: Interrupts
    ) -> None:
        self.task, self.folder, self.learner, self.validation = task, folder, learner, validation
        self.interrupts = interrupts
        self.segment = 0
        self.best: dict[str, Any] | None = None
        self.best_row: dict[str, Any] | None = None
        self.used = _Clock()

    def resume(self, checkpoint: Checkpoint) -> None:
        progress = checkpoint.progress
        self.segment, self.best, self.best_row = progress["segment"], checkpoint.best, progress["best"]
        self.used = _Clock(progress["wall_seconds"], progress["cpu_seconds"])
        self.folder.forget_evaluations_after(self.learner.steps)
        logger.info("resuming after %d of %d steps", self.learner.steps, self.task.settings.steps)

    def go(
        self, progress: bool | None, judge: Callable[[Mapping[str, Any]], None] | None, track: Sequence[str] = ()
    ) -> None:
        settings = self.task.settings
        disable = None if progress is None else not progress
        done = min(self.learner.steps, settings.steps)
        writers = [_TensorBoard(self.folder.tensorboard, self.learner.steps), *trackers(track, self.folder)]
        with (
            closing(Logger(str(self.folder.tensorboard), writers)) as log,
            tqdm(total=settings.steps, initial=done, unit="step", unit_scale=True, disable=disable) as bar,
        ):
            bar.set_description(self.task.algo)

            def advance(steps: int) -> None:
                bar.update(steps)
                self.interrupts.check()

            while self.learner.steps < settings.steps:
                self.segment += 1
                steps = min(settings.segment_steps, settings.steps - self.learner.steps)
                self.learner.learn(self.segment, steps, log, advance)
                last = self.learner.steps >= settings.steps
                if evaluated := last or self.segment % settings.evaluate_every == 0:
                    row = self.evaluate(log)
                    shown = {name: f"{row[name]:.3g}" for name in ("score", "feasible", "gap") if row.get(name)}
                    bar.set_postfix(shown, refresh=False)
                self.save()
                if judge is not None and evaluated:
                    judge(row)

    def evaluate(self, log: Logger | None = None) -> dict[str, Any]:
        """Measure the policy, write the figures down, and keep its parameters if it is the best so far."""
        figures = self.validation.measure(self.learner.act)
        plain = {name: value if math.isfinite(value) else None for name, value in figures.items()}  # JSON has no NaN
        row: dict[str, Any] = {"steps": self.learner.steps, **self.used.row(), **plain}
        self.folder.append_evaluation(row)
        if self.best_row is None or row["score"] > self.best_row["score"]:
            self.best, self.best_row = self.learner.policy_state(), row
        if log is not None:
            for name, value in figures.items():
                log.record(f"validation/{name}", value)
            log.dump(self.learner.steps)
        logger.debug("after %d steps: %s", self.learner.steps, json.dumps(figures))
        return row

    def save(self) -> None:
        progress = {"segment": self.segment, "best": self.best_row, **self.used.row()}
        Checkpoint(self.learner.state(), self.best, progress).save(self.folder.checkpoint)

    def finish(self) -> dict[str, Any]:
        """Export the best policy and write down the steps and seconds used."""
        assert self.best is not None
        assert self.best_row is not None
        self.learner.load_policy_state(self.best)
        export(self.learner, self.task, self.folder.policy)
        config = self.folder.read_config()
        used = {"steps": self.learner.steps, **self.used.row()}
        if config.get("used", {}).get("steps") != self.learner.steps:  # else it was done before
            self.folder.write_config({**config, "used": used, "best": self.best_row})
        return self.best_row


def export(learner: Learner, task: Task, path: Path) -> None:
    """Write the policy of a learner of a task as an ONNX file; for errors see :func:`training.learn.export`."""
    module, inputs = learner.exportable()
    inputs = {name: example.cpu() for name, example in inputs.items()}
    metadata = policy_metadata(
        task.algo,
        task.scenario,
        environment=task.environment_id,
        observation_format=task.settings.observation_format,
        action_format=task.settings.action_format,
        any_agents="observation" not in inputs,
        csi_error=task.csi_error,
        samples=learner.samples,
    )
    export_policy(path, module.cpu(), inputs, metadata)


class _Clock:
    """Wall and processor seconds, those of earlier processes included."""

    def __init__(self, wall: float = 0.0, cpu: float = 0.0) -> None:
        self._wall, self._cpu = time.perf_counter() - wall, time.process_time() - cpu

    def row(self) -> dict[str, float]:
        return {
            "wall_seconds": round(time.perf_counter() - self._wall, 2),
            "cpu_seconds": round(time.process_time() - self._cpu, 2),
        }


class _TensorBoard(TensorBoardOutputFormat):
    """SB3's writer; on resuming it hides the points that will be written again."""

    def __init__(self, folder: Path, steps: int) -> None:
        self.writer = SummaryWriter(log_dir=str(folder), purge_step=steps + 1)
        self._is_closed = False


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
