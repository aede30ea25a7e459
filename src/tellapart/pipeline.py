"""From a folder of pictures to a classifier: the stages, in order, each visible.

load -> choose -> build -> decode -> split -> train -> evaluate -> export -> report
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

from tellapart import runs
from tellapart.approaches import Approach
from tellapart.approaches.fine_tuning import FineTuning
from tellapart.approaches.scratch import FromScratch
from tellapart.approaches.transfer import FeatureHead, feature_measure
from tellapart.approaches.within_budget import (
    ENOUGH_SEEN,
    fit_decoding,
    fit_features,
    seen_in,
)
from tellapart.data import load
from tellapart.data.audit import SIGNATURES, Audit, audit
from tellapart.data.audit.signature import joint_maker
from tellapart.data.cache import LIMIT_VARIABLE, store_limit
from tellapart.data.columns import is_kept, make_together, open_column
from tellapart.data.dataset import Dataset, Excluded
from tellapart.data.material import Material
from tellapart.data.relabel import relabel
from tellapart.data.split import Split, split
from tellapart.data.store import Store, fingerprint, open_store, pixel_measure
from tellapart.data.wording import SHOWN, count, size
from tellapart.errors import TellapartError
from tellapart.images import Interpolation, Resize
from tellapart.models import registry
from tellapart.models.backbones import Backbone
from tellapart.models.backend import import_keras
from tellapart.models.fast import FAST
from tellapart.models.speed import operations_per_second, training_operations
from tellapart.planning import Plan, decodes_as_it_looks, make_plan, narrowed
from tellapart.resumption import Request, Resumption
from tellapart.runs import RunFolder, check_free
from tellapart.session import Broadcast, DataFacts, Run, Session, how_to_go_on
from tellapart.training.budget import parse_budget
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.events import (
    Noted,
    Observer,
    Progressed,
)
from tellapart.training.recipe import Loss, Schedule
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
            session = _prepare(
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


def _prepare(
    folder: RunFolder,
    dataset: Dataset,
    plan: Plan,
    request: Request,
    emit: Broadcast,
    started: float,
    checkpoints: Checkpoints,
    resumption: Resumption | None,
    divide: Callable[..., Split],
) -> Session:
    """All that comes before training: look, decode, divide."""
    made = _look_and_decode(dataset, plan, emit)
    found = _audit(dataset, emit)
    budget_seconds = plan.recipe.budget_seconds
    if budget_seconds is not None and plan.backbone is None:
        import_keras(
            request.backend
        )  # it has been starting meanwhile; a budget is for the pictures
    audited = time.monotonic()
    spent = 0.0 if checkpoints.newest is None else checkpoints.newest.state["spent"]
    checkpoints.began = audited - spent
    deadline = None if budget_seconds is None else checkpoints.began + budget_seconds
    facts = _facts(dataset, found)
    kept = None
    if resumption is not None:
        kept = _parts_as_they_were(resumption, dataset, plan.recipe.seed, facts, emit)
    parts = divide(exclude=found.failures, groups=found.groups) if kept is None else kept
    for note in parts.notes:
        emit(Noted(note))
    material = Material(dataset, parts, found.signatures, found.groups)
    if kept is not None and len(material.used) < len(dataset) - len(found.failures):
        material = material.only_used()
    elif kept is None and deadline is not None:
        plan, material = _within_budget(plan, material, request, deadline, emit)
    approach, failures = _approach(plan, material, deadline, emit, new=made)
    try:
        material, lost = material.without(failures)
        _say_what_is_lost(lost, emit)
        facts = replace(facts, groups=material.groups, excluded=[*facts.excluded, *lost])
        session = Session(
            folder,
            material.dataset,
            material.parts,
            plan.recipe,
            approach,
            facts,
            emit,
            started,
            audited,
            request.asked,
            request.source(),
            checkpoints,
            resumption,
        )
        folder.check_space(session.needed_bytes)
    except BaseException:
        approach.close()
        raise
    return session


def _parts_as_they_were(
    resumption: Resumption, dataset: Dataset, seed: int, facts: DataFacts, emit: Observer
) -> Split | None:
    """Makes sure that the data is what it was; returns the parts, where they were drawn."""
    for difference in resumption.check_data(dataset, facts.fingerprint):
        emit(Noted(f"Not as it was when the run began: {difference}.", "warning"))
    return resumption.parts(dataset, seed)


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


def _look_and_decode(dataset: Dataset, plan: Plan, emit: Observer) -> bool:
    """Reads pictures that are all new once, for the audit and for the network; or does nothing.

    With a budget, how many large pictures the network is to see is not known yet.
    """
    spec = plan.recipe.image_spec
    measure = pixel_measure(spec)
    fits = measure.row_bytes * len(dataset) <= store_limit()
    untimed = plan.recipe.budget_seconds is None or decodes_as_it_looks(dataset)
    if plan.backbone is not None or not untimed or not fits:
        return False
    return make_together(
        dataset,
        (SIGNATURES, measure),
        joint_maker(spec),
        on_progress=lambda done, total: emit(Progressed("looking at the pictures", done, total)),
    )


def _audit(dataset: Dataset, emit: Observer) -> Audit:
    signatures = open_column(
        dataset,
        SIGNATURES,
        on_progress=lambda done, total: emit(Progressed("looking at the pictures", done, total)),
    )
    emit(Progressed("searching for copies", 0, len(dataset)))
    found = audit(dataset, signatures)
    emit(Progressed("searching for copies", len(dataset), len(dataset)))
    for text, level in found.notes():
        emit(Noted(text, level))
    _say_what_is_left_out(dataset, found, emit)
    return found


def _within_budget(
    plan: Plan, material: Material, request: Request, deadline: float, emit: Observer
) -> tuple[Plan, Material]:
    """Where time is short, gives up channels of the network, or size of pictures, then pictures."""
    if plan.recipe.model == FAST and request.model is None:
        plan = _narrowed_if_short(plan, material, deadline, emit)
    spec, dataset, used = plan.recipe.image_spec, material.dataset, material.used
    seconds = deadline - time.monotonic()
    if plan.backbone is None:
        if is_kept(dataset, pixel_measure(spec)):
            return plan, material
        fit = fit_decoding(dataset, spec, used, seconds)
    elif is_kept(dataset, feature_measure(plan.backbone, spec)):
        return plan, material
    else:
        may_shrink = request.options.get("image_size") is None
        fit = fit_features(dataset, plan.backbone, spec, used, seconds, may_shrink=may_shrink)
    if fit.note:
        emit(Noted(fit.note, "warning" if fit.keep < len(used) else "note"))
    plan = replace(plan, recipe=replace(plan.recipe, image_size=fit.image_size))
    return plan, material if fit.keep >= len(used) else material.thin(fit.keep)


def _narrowed_if_short(plan: Plan, material: Material, deadline: float, emit: Observer) -> Plan:
    """Takes the narrow network where the other one would see too few pictures."""
    assert plan.build is not None  # noqa: S101 (it is not transferred)
    network = plan.build()
    operations, speed = training_operations(network.model), operations_per_second()
    seen = seen_in(deadline - time.monotonic(), len(material.parts.test), operations, speed)
    if seen >= ENOUGH_SEEN:
        return replace(plan, build=lambda: network)
    narrow = narrowed(plan, len(material.dataset.class_names))
    emit(
        Noted(
            f"Network {narrow.recipe.model} instead of {plan.recipe.model}, which would be trained "
            f"on about {seen:,} pictures in the time that there is, each as often as it comes: "
            f"with fewer than {ENOUGH_SEEN:,}, the narrow one learns more."
        )
    )
    return narrow


def _approach(
    plan: Plan, material: Material, deadline: float | None, emit: Observer, *, new: bool
) -> tuple[Approach, Mapping[int, str]]:
    """Decodes the pictures; also says which cannot be, and why, by index."""
    recipe, dataset = plan.recipe, material.dataset
    if isinstance(plan.backbone, Backbone):
        known = material.signatures.failures
        frozen = FeatureHead(plan.backbone, recipe, dataset, material.groups, known)
        try:
            failures = frozen.compute_features(emit)
        except BaseException:
            frozen.close()
            raise
        if not recipe.epochs:
            return frozen, failures
        return FineTuning(frozen, plan.backbone, recipe, dataset, deadline), failures
    store = open_store(
        dataset,
        recipe.image_spec,
        read=material.signatures,
        limit_bytes=store_limit(),
        on_progress=lambda done, total: emit(Progressed("decoding", done, total)),
    )
    _say_what_was_kept(store, emit, new=new)
    assert plan.build is not None  # noqa: S101 (one of the two is there)
    network = plan.build()
    approach = FromScratch(network.model, recipe, dataset, store.pixels, deadline, network.twin)
    return approach, store.failures


@contextlib.contextmanager
def _saying_what_is_kept(emit: Observer) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        emit(Noted("What was made of the pictures is kept: the next run goes on from there."))
        raise


def _say_what_is_lost(lost: Sequence[Excluded], emit: Observer) -> None:
    if lost:
        emit(
            Noted(
                f"{count(len(lost), 'picture')} could be read a moment ago and cannot be read any "
                f"more: left out.{_named(lost)}",
                "warning",
            )
        )


def _say_what_was_kept(store: Store, emit: Observer, *, new: bool) -> None:
    if store.folder is None:
        emit(
            Noted(
                f"A store of the decoded pictures would take more than {LIMIT_VARIABLE} allows "
                f"({size(store_limit())}): they are decoded anew in each epoch."
            )
        )
        return
    if store.was_cached and not new:
        return
    emit(
        Noted(
            f"Decoded pictures are kept in {store.folder} ({store.bytes / 2**20:,.1f} MiB; "
            "`tellapart cache --clear` frees it)."
        )
    )


def _excluded(dataset: Dataset, found: Audit) -> list[Excluded]:
    """What cannot be read; it stays where it is, unchanged."""
    undecodable = sorted(found.failures.items())
    return [*dataset.excluded, *(Excluded(dataset.paths[i], why) for i, why in undecodable)]


def _say_what_is_left_out(dataset: Dataset, found: Audit, emit: Observer) -> None:
    excluded = _excluded(dataset, found)
    if not excluded:
        return
    total = len(dataset) + len(dataset.excluded)
    emit(
        Noted(
            f"{len(excluded):,} of {total:,} pictures cannot be read and are left out:"
            f"{_named(excluded)}",
            level="warning",
        )
    )


def _named(excluded: Sequence[Excluded]) -> str:
    shown = "".join(f"\n  {item.path}: {item.reason}" for item in excluded[:SHOWN])
    more = len(excluded) - SHOWN
    return shown + (f"\n  and {more:,} more, listed in run.json" if more > 0 else "")


def _facts(dataset: Dataset, found: Audit) -> DataFacts:
    return DataFacts(
        fingerprint(dataset, found.signatures.digests),
        found.groups,
        _excluded(dataset, found),
        found.to_json(),
    )


def _default_observers() -> list[Observer]:
    from tellapart.progress import TerminalProgress

    return [TerminalProgress()]
