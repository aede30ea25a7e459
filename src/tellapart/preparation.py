"""All that comes before training: look at the pictures, decode them, divide them, build.

What cannot be read is left out, and where a budget is short, so is more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from tellapart.approaches import Approach
from tellapart.approaches.fine_tuning import FineTuning
from tellapart.approaches.scratch import FromScratch
from tellapart.approaches.transfer import FeatureHead, feature_measure
from tellapart.approaches.within_budget import fit_decoding, fit_features
from tellapart.broadcast import Broadcast
from tellapart.data.audit import SIGNATURES, Audit, audit
from tellapart.data.audit.signature import joint_maker
from tellapart.data.cache import LIMIT_VARIABLE, store_limit
from tellapart.data.columns import is_kept, make_together, open_column
from tellapart.data.dataset import Dataset
from tellapart.data.material import Material
from tellapart.data.split import Split
from tellapart.data.store import Store, fingerprint, open_store, pixel_measure
from tellapart.data.wording import size
from tellapart.fast_within_budget import suit_to_the_time
from tellapart.left_out import say_what_is_lost, say_what_is_unreadable, unreadable
from tellapart.models.backbones import Backbone
from tellapart.models.backend import import_keras
from tellapart.models.fast import WIDTHS
from tellapart.planning import Plan, decodes_as_it_looks, look_twice
from tellapart.resumption import Request, Resumption
from tellapart.runs import RunFolder
from tellapart.session import DataFacts, Session
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.events import Noted, Observer, Progressed


def prepare(
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
    """Makes a run ready for training.

    Args:
        folder: the run's.
        dataset: listed, not decoded.
        plan: network and recipe, as far as they follow from the listing.
        request: what the caller asked for.
        emit: is told what is done and what is left out.
        started: when the run was, by the clock.
        checkpoints: to write, and to go on from.
        resumption: what is known of the run, where it is not new.
        divide: `split` of the data set; takes what cannot be read and the groups of copies.

    Raises:
        DataError: the pictures cannot be trained on.
        ModelError: the network does not fit them.
        RunError: the data is not what it was, or the disk has no room.
    """
    made = _look_and_decode(dataset, plan, emit)
    found = _audit(dataset, emit)
    budget_seconds = plan.recipe.budget_seconds
    if budget_seconds is not None and plan.backbone is None:
        # It has been starting meanwhile; a budget is for the pictures.
        import_keras(request.backend)
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
        say_what_is_lost(lost, emit)
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
    say_what_is_unreadable(dataset, found, emit)
    return found


def _within_budget(
    plan: Plan, material: Material, request: Request, deadline: float, emit: Observer
) -> tuple[Plan, Material]:
    """Suits `fast` to the time; where that is short, gives up size of pictures, then pictures."""
    if plan.recipe.model in WIDTHS:
        plan = suit_to_the_time(plan, material, request, deadline, emit)
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
    network = look_twice(plan.build(), recipe)
    approach = FromScratch(network.model, recipe, dataset, store.pixels, deadline, network.twin)
    return approach, store.failures


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


def _facts(dataset: Dataset, found: Audit) -> DataFacts:
    return DataFacts(
        fingerprint(dataset, found.signatures.digests),
        found.groups,
        unreadable(dataset, found),
        found.to_json(),
    )
