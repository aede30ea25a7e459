"""What the recipe `fast` gives up where a budget is short: half its channels, and augmentation."""

from __future__ import annotations

import time
from dataclasses import replace

from tellapart.approaches.within_budget import ENOUGH_SEEN, seen_in
from tellapart.data.material import Material
from tellapart.models.fast import FAST
from tellapart.models.registry import Network
from tellapart.models.speed import operations_per_second, training_operations
from tellapart.planning import Plan, narrowed
from tellapart.resumption import Request
from tellapart.training.events import Noted, Observer
from tellapart.training.fast_recipe import FEW_TIMES, leaves_augmentation_open, no_augmentation


def suit_to_the_time(
    plan: Plan, material: Material, request: Request, deadline: float, emit: Observer
) -> Plan:
    """Takes the narrow network, and pictures as they are, where more would not be learned in time.

    Both follow from how many pictures a network would be trained on, which follows from how fast
    the machine multiplies. What was asked for by name stays.

    Args:
        plan: of a network of the recipe `fast`.
        material: what it is to be trained on.
        request: what the caller asked for.
        deadline: when the run must end.
        emit: is told what is given up, and why.
    """
    assert plan.build is not None  # noqa: S101 (it is not transferred)
    network, speed = plan.build(), operations_per_second()

    def seen(network: Network) -> int:
        seconds = deadline - time.monotonic()
        operations = training_operations(network.model)
        return seen_in(seconds, len(material.parts.test), operations, speed)

    expected = seen(network)
    if plan.recipe.model == FAST and request.model is None and expected < ENOUGH_SEEN:
        narrow = narrowed(plan, len(material.dataset.class_names))
        emit(
            Noted(
                f"Network {narrow.recipe.model} instead of {plan.recipe.model}, which would be "
                f"trained on about {expected:,} pictures in the time that there is, each as often "
                f"as it comes: with fewer than {ENOUGH_SEEN:,}, the narrow one learns more."
            )
        )
        assert narrow.build is not None  # noqa: S101
        plan, network = narrow, narrow.build()
        expected = seen(network)
    times = expected / max(1, len(material.parts.train))
    augments = plan.recipe.augment != "none" and leaves_augmentation_open(request.options)
    if times < FEW_TIMES and augments:
        recipe, why = (
            replace(plan.recipe, augment="none"),
            no_augmentation("in the time that there is"),
        )
        looks_twice = recipe.test_time_augmentation != "none"
        if looks_twice and request.options.get("test_time_augmentation") is None:
            recipe = replace(recipe, test_time_augmentation="none")
            why += " So it is classified without its mirror image."
        plan = replace(plan, recipe=recipe)
        emit(Noted(why))
    return replace(plan, build=lambda: network)
