"""What is decided before a single picture is decoded: the network, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tellapart.data.dataset import Dataset
from tellapart.export.trial import try_export
from tellapart.models import registry
from tellapart.models.backbones import Backbone, get_backbone
from tellapart.models.backend import (
    begin_importing_keras,
    check_transfer_backend,
    import_keras,
)
from tellapart.models.classic import CLASSIC, check_classic
from tellapart.models.fast import WIDTHS, check_fast
from tellapart.models.mirror_image import with_mirror_image
from tellapart.training.fast_recipe import choose_fast_recipe, wants_fast
from tellapart.training.recipe import CONV_MUON, Recipe, choose_recipe
from tellapart.training.transfer_recipe import choose_transfer_recipe, wants_transfer

SMALL_SIDE = 96
"""Of pictures up to so many pixels a side, the first look decodes all of them that there is."""


@dataclass(frozen=True)
class Plan:
    """What was decided before a single picture is decoded.

    Attributes:
        recipe: what decides the run.
        build: makes the network to train from scratch; None: one is transferred.
        backbone: the pretrained network to transfer, or None.
        notes: what the user should know.
    """

    recipe: Recipe
    notes: tuple[str, ...]
    build: Callable[[], registry.Network] | None = None
    backbone: Backbone | None = None


def make_plan(
    dataset: Dataset,
    recipe_name: str,
    model: registry.Model | None,
    backend: str | None,
    options: Mapping[str, Any],
) -> Plan:
    """Decides what is trained, and how; what cannot be shows now, before minutes of decoding.

    Args:
        dataset: its pictures and classes decide.
        recipe_name: "auto", or another one's.
        model: a name, a file, a function or a `keras.Model`; None: what fits.
        backend: of Keras.
        options: fields of `Recipe` that were set.

    Raises:
        ModelError: the network does not fit the pictures.
        UsageError: an option cannot be used.
    """
    named = None if model is None else registry.describe(model)
    if wants_transfer(dataset, recipe_name, named):
        check_transfer_backend(backend)
        recipe, why = choose_transfer_recipe(
            dataset, recipe_name, options={**options, "model": named}
        )
        backbone = get_backbone(recipe.model, weights=recipe.weights)
        backbone.onnx(recipe.image_size)  # weights that are missing show now; it is kept
        return Plan(recipe, (why,), backbone=backbone)
    # With a budget, decoding may be timed next, and nothing else may take the cores meanwhile.
    named_ours = model is None or named in (*CLASSIC, *WIDTHS)
    untimed = options.get("budget_seconds") is None or decodes_as_it_looks(dataset)
    if named_ours and untimed:
        begin_importing_keras(backend)
    else:
        import_keras(backend)
    resolved = registry.resolve(model) if model is not None else None
    options = {**options, "model": named}
    if wants_fast(dataset, recipe_name, named):
        recipe, why = choose_fast_recipe(dataset, recipe_name, options=options)
    else:
        shape = None if resolved is None else registry.fixed_input_shape(resolved)
        recipe, why = choose_recipe(dataset, recipe_name, input_shape=shape, options=options)
    build = partial(_build, recipe, resolved, len(dataset.class_names))
    if recipe.model in (*CLASSIC, *WIDTHS) and recipe.optimizer in ("adam", CONV_MUON):
        check = check_fast if recipe.model in WIDTHS else partial(check_classic, recipe.model)
        check(recipe.image_spec.shape)
        return Plan(recipe, (why,), build=build)  # once Keras is there
    network = build()  # what is wrong with it shows now
    look_twice(network, recipe)
    if callable(resolved):
        try_export(network.model)
    return Plan(recipe, (why, *network.notes), build=lambda: network)


def look_twice(network: registry.Network, recipe: Recipe) -> registry.Network:
    """The same, with the mirror image where the recipe wants it.

    Raises:
        ModelError: the network cannot.
    """
    if recipe.test_time_augmentation == "none":
        return network
    return with_mirror_image(network)


def with_network(plan: Plan, name: str, classes: int) -> Plan:
    """The same with another one of our networks, by its name."""
    recipe = replace(plan.recipe, model=name)
    return replace(plan, recipe=recipe, build=partial(_build, recipe, None, classes))


def _build(recipe: Recipe, resolved: Any, classes: int) -> registry.Network:
    from tellapart.training.trainer import make_optimizer, set_seed

    make_optimizer(recipe)  # an unknown one shows now
    set_seed(recipe.seed)
    return registry.build(
        recipe.model if resolved is None else resolved,
        recipe.image_spec.shape,
        classes,
        rescale=recipe.rescale,
        seed=recipe.seed,
    )


def decodes_as_it_looks(dataset: Dataset) -> bool:
    """Whether the audit decodes pictures in full anyway: small ones."""
    return all(max(height, width) <= SMALL_SIDE for height, width, _ in dataset.sizes)
