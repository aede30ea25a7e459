"""What the recipe `fast` makes of a budget: how wide a network, and whether it augments."""

from __future__ import annotations

import time
from dataclasses import replace

from tellapart.approaches.within_budget import ENOUGH_SEEN, PLENTY_SEEN, seen_in
from tellapart.data.material import Material
from tellapart.models.fast import FAST, FAST_NARROW, FAST_WIDE
from tellapart.models.registry import Network
from tellapart.models.speed import operations_per_second, training_operations
from tellapart.planning import Plan, with_network
from tellapart.resumption import Request
from tellapart.training.events import Noted, Observer
from tellapart.training.fast_recipe import FEW_TIMES, leaves_augmentation_open, no_augmentation


def suit_to_the_time(
    plan: Plan, material: Material, request: Request, deadline: float, emit: Observer
) -> Plan:
    """Takes the network, and pictures augmented or not, of which most is learned in time.

    Both follow from how many pictures a network would be trained on, which follows from how fast
    the machine multiplies. What was asked for by name stays.

    Args:
        plan: of a network of the recipe `fast`.
        material: what it is to be trained on.
        request: what the caller asked for.
        deadline: when the run must end.
        emit: is told what is taken instead, and why.
    """
    assert plan.build is not None  # noqa: S101 (it is not transferred)
    network, speed = plan.build(), operations_per_second()
    trained = len(material.parts.train)

    def seen(network: Network) -> int:
        seconds = deadline - time.monotonic()
        operations = training_operations(network.model)
        return seen_in(seconds, len(material.parts.test), operations, speed)

    expected = seen(network)
    if plan.recipe.model == FAST and request.model is None:
        name, why = _network_for(expected, plan.recipe.epochs * trained)
        if name != FAST:
            emit(Noted(why))
            plan = with_network(plan, name, len(material.dataset.class_names))
            assert plan.build is not None  # noqa: S101
            network = plan.build()
            expected = seen(network)
    augments = plan.recipe.augment != "none" and leaves_augmentation_open(request.options)
    if augments and expected / max(1, trained) < FEW_TIMES:
        plan = _without_augmentation(plan, request, emit)
    return replace(plan, build=lambda: network)


def _network_for(expected: int, most: int) -> tuple[str, str]:
    """Returns a network's name, and why it is not `fast`.

    Args:
        expected: pictures that `fast` would be trained on in the time that there is.
        most: pictures that it would be trained on in all its epochs.
    """
    if expected < ENOUGH_SEEN:
        name, why = FAST_NARROW, f"with fewer than {ENOUGH_SEEN:,}, the narrow one learns more."
    elif min(expected, most) >= PLENTY_SEEN:
        name, why = FAST_WIDE, f"with {PLENTY_SEEN:,} and more, the wide one learns more."
    else:
        return FAST, ""
    about = round(expected, 2 - len(str(expected)))  # two digits are as many as it is known to
    return name, (
        f"Network {name} instead of {FAST}, which would be trained on about {about:,} pictures in "
        f"the time that there is, each as often as it comes: {why}"
    )


def _without_augmentation(plan: Plan, request: Request, emit: Observer) -> Plan:
    recipe = replace(plan.recipe, augment="none")
    why = no_augmentation("in the time that there is")
    looks_twice = recipe.test_time_augmentation != "none"
    if looks_twice and request.options.get("test_time_augmentation") is None:
        recipe = replace(recipe, test_time_augmentation="none")
        why += " So it is classified without its mirror image."
    emit(Noted(why))
    return replace(plan, recipe=recipe)
