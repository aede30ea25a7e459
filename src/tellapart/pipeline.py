"""From a folder of pictures to a classifier: the stages, in order, each visible.

load -> choose -> build -> decode -> split -> train -> evaluate -> export -> report
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

from tellapart import runs
from tellapart.broadcast import Broadcast
from tellapart.data import load
from tellapart.data.dataset import Dataset
from tellapart.data.relabel import relabel
from tellapart.data.split import Split, split
from tellapart.errors import TellapartError
from tellapart.finished_run import Run
from tellapart.images import Interpolation, Resize
from tellapart.models import registry
from tellapart.planning import Plan, make_plan
from tellapart.preparation import prepare
from tellapart.resumption import Request, Resumption
from tellapart.runs import RunFolder, check_free
from tellapart.session import how_to_go_on
from tellapart.training.budget import parse_budget
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.events import Noted, Observer
from tellapart.training.recipe import Loss, Schedule, TestTimeAugmentation
from tellapart.training.stopping import Stopped, Stopping


class RecipeOptions(TypedDict, total=False):
    """The fields of `Recipe` that a caller may set; see there what they mean."""

    image_size: tuple[int, int] | None
    channels: int | None
    epochs: int | None
    batch_size: int | None
    validation_split: float | None
    test_split: float | None
    loss: Loss | None
    optimizer: str | None
    learning_rate: float | None
    schedule: Schedule | None
    label_smoothing: float | None
    early_stopping: int | None
    restore_best_weights: bool | None
    resize: Resize | None
    interpolation: Interpolation | None
    rescale: float | None
    augment: str | None
    class_weight: str | None
    test_time_augmentation: TestTimeAugmentation | None
    weights: str | None
    seed: int | None


def train(
    data: Any,
    *,
    recipe: str = "auto",
    model: registry.Model | None = None,
    out: str | Path | None = None,
    keep_validation: bool = False,
    labels: str | Path | None = None,
    budget: str | float | None = None,
    backend: str | None = None,
    observers: Sequence[Observer] | None = None,
    **options: Unpack[RecipeOptions],
) -> Run:
    """Trains a classifier and measures it: the whole pipeline.

    Args:
        data: a folder, an archive, a `.npz`, a CSV, a catalog name, `(x, y)` arrays or a
            `Dataset`; see `load`.
        recipe: "auto" fits the data; "classic" is the textbook's, to the letter; "transfer" is a
            linear head on a pretrained network's features, fine-tuned for `epochs`.
        model: a network's name, pretrained or not, a `keras.Model` (trained in place), a function
            of `(input_shape, classes)` that builds one, a `.keras` file or "file.py:function".
            The last is code, and is run.
        out: the run's folder, new or empty; None: the next free `runs/<data>-<n>`.
        keep_validation: the source's own validation part stays that, even where there is no
            test part; one is then split off the training part.
        labels: a CSV of path and label that corrects labels of the data, as `tellapart check
            --labels-out` writes it.
        budget: "60s", "5m", "2h" or seconds: the best classifier in that time, from the end of
            the audit to the end of the run.
        backend: of Keras: "tensorflow", "jax" or "torch".
        observers: called with each event; None shows progress in the terminal.
        **options: fields of `Recipe`.

    Returns:
        The finished run. Ctrl-C while training ends it early, and the run is still whole.

    Raises:
        DataError: the pictures cannot be trained on.
        ModelError: the network does not fit them.
        UsageError: an option cannot be used.
        ExportError: the classifier file disagrees with the network.
        RunError: `out` is taken.
    """
    seconds = None if budget is None else parse_budget(budget)
    asked = _asked(
        options,
        recipe=recipe,
        model=None if model is None else registry.describe(model),
        keep_validation=keep_validation or None,
        labels=None if labels is None else str(labels),
        budget=None if seconds is None else f"{seconds:g}s",
        backend=backend,
    )
    corrections = None if labels is None else Path(labels)
    request = Request(
        data, recipe, model, keep_validation, corrections, seconds, backend, options, asked
    )
    return _run(request, observers, out=None if out is None else Path(out))


def resume(
    run: str | Path,
    data: Any = None,
    *,
    model: registry.Model | None = None,
    allow_changes: bool = False,
    budget: str | float | None = None,
    observers: Sequence[Observer] | None = None,
    **changes: Unpack[RecipeOptions],
) -> Run:
    """Goes on with a run that did not come to its end, from its newest checkpoint.

    On a CPU, the run ends with the weights that it would have had without the interruption, bit
    for bit, unless it has a budget or something differs.

    Args:
        run: its folder.
        data: where the data is now; None: where it was.
        model: a `keras.Model` or a function, which `run.json` cannot name; None: as it was.
        allow_changes: whether data and options may differ from what the run was begun with.
        budget: another one, in all; see `train`.
        observers: see `train`.
        **changes: fields of `Recipe` that are to differ.

    Returns:
        The finished run.

    Raises:
        RunError: there is no such run, a process is at work in it, it is whole, or something
            differs that must not.
        UsageError: data or model must be given again.
    """
    resumption = Resumption.open(run, allow_changes=allow_changes)
    try:
        seconds = None if budget is None else parse_budget(budget)
        request = resumption.request(data, model, {**changes, "budget": seconds})
        return _run(request, observers, resumption=resumption)
    finally:
        resumption.folder.release()


def _run(
    request: Request,
    observers: Sequence[Observer] | None,
    *,
    out: Path | None = None,
    resumption: Resumption | None = None,
) -> Run:
    started = time.monotonic()
    emit = Broadcast(_default_observers() if observers is None else observers)
    if out is not None:
        check_free(out)
    stopping = Stopping()
    with stopping.listening():
        dataset = load(request.data)
        if request.labels is not None:
            dataset = relabel(dataset, request.labels)
        options = {**request.options, "budget_seconds": request.budget_seconds}
        plan = make_plan(dataset, request.recipe, request.model, request.backend, options)
        known = resumption is not None and resumption.had_begun  # and was told then
        for note in () if known else (*dataset.notes, *plan.notes):
            emit(Noted(note))
        divide = _divider(dataset, plan, request)
        divide()  # classes that are too small show before minutes of decoding
        made = out is None or not out.exists()
        if resumption is None:
            folder = RunFolder.create(dataset.name, out=out)
        else:
            folder = resumption.folder
        with _being_prepared(folder, plan, request, emit, resumption, made=made):
            checkpoints = Checkpoints(folder.path / runs.CHECKPOINTS, stopping)
            session = prepare(
                folder, dataset, plan, request, emit, started, checkpoints, resumption, divide
            )
        with contextlib.closing(session.approach), session.recorded():
            return session.run()


@contextlib.contextmanager
def _being_prepared(
    folder: RunFolder,
    plan: Plan,
    request: Request,
    emit: Observer,
    resumption: Resumption | None,
    *,
    made: bool,
) -> Iterator[None]:
    """Lets a run be found that is killed before it trains; where it fails, all is as before."""
    if resumption is None:
        folder.claim()
        info: dict[str, Any] = {
            "started": runs.now(),
            "recipe": plan.recipe.to_json(),
            "asked": request.asked,
            "source": request.source(),
            "machine": runs.describe_machine(),
            "versions": runs.describe_versions(),
        }
    else:
        info = {name: resumption.info[name] for name in resumption.info if name != "error"}
    try:
        folder.write_info(info | {"status": "running", "process": os.getpid()})
        with _saying_what_is_kept(emit):
            yield
    except Stopped as stopped:
        info = folder.read_info()
        folder.write_info(info | {"status": "stopped", "ended": runs.now()})
        emit(Noted(f"{stopped.signal}: the run stops. {how_to_go_on(folder)}", "warning"))
        raise
    except BaseException:
        with contextlib.suppress(TellapartError):  # the first error is the one to show
            if resumption is None:
                folder.withdraw(made=made)
            else:
                folder.write_info(resumption.info)
        raise


@contextlib.contextmanager
def _saying_what_is_kept(emit: Observer) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        emit(Noted("What was made of the pictures is kept: the next run goes on from there."))
        raise


def _divider(dataset: Dataset, plan: Plan, request: Request) -> Callable[..., Split]:
    return partial(
        split,
        dataset,
        test_split=plan.recipe.test_split,
        validation_split=plan.recipe.validation_split,
        seed=plan.recipe.seed,
        validation_is_test=False if request.keep_validation else None,
    )


def _asked(options: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """What the caller set, by name, for `run.json`."""
    return {name: value for name, value in {**others, **options}.items() if value is not None}


def _default_observers() -> list[Observer]:
    from tellapart.progress import TerminalProgress

    return [TerminalProgress()]
