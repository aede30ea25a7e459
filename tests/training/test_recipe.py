"""The recipes of the tutorials, and what is chosen when nothing is said."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.data.dataset import PARTS, UNASSIGNED, Dataset
from tellapart.errors import UsageError
from tellapart.images import Raw
from tellapart.training.recipe import Recipe, choose_recipe


@dataclass
class NoSource:
    key: str = "none"

    def read(self, index: int) -> Raw:
        raise AssertionError("choosing a recipe reads no picture")


def dataset(
    count: int, *sizes: tuple[int, int, int], names: tuple[str, ...] = ("ant", "bee"), rare: int = 2
) -> Dataset:
    """Every `rare`-th picture is a bee."""
    return Dataset(
        name="made-up",
        location="made-up",
        class_names=names,
        paths=[str(i) for i in range(count)],
        labels=(np.arange(count) % rare == 0).astype(np.int64),
        parts=np.full(count, UNASSIGNED, np.int8),
        source=NoSource(),
        sizes=sizes,
    )


def values(recipe: Recipe) -> tuple[Any, ...]:
    return (
        recipe.model,
        recipe.image_size,
        recipe.channels,
        recipe.epochs,
        recipe.batch_size,
        recipe.validation_split,
        recipe.loss,
        recipe.optimizer,
    )


def test_the_three_classic_recipes() -> None:
    sparse, one_hot = "sparse_categorical_crossentropy", "categorical_crossentropy"
    mnist, _ = choose_recipe(dataset(70_000, (28, 28, 1)), "classic")
    assert values(mnist) == ("classic-28", (28, 28), 1, 3, 32, 0.1, sparse, "adam")
    cifar, _ = choose_recipe(dataset(60_000, (32, 32, 3)), "classic")
    assert values(cifar) == ("classic-32", (32, 32), 3, 15, 64, 0.2, one_hot, "adam")
    large, _ = choose_recipe(dataset(1_000, (64, 64, 3)), "classic")
    assert values(large) == ("classic-64", (64, 64), 3, 10, 32, 0.2, sparse, "adam")


def test_pictures_of_different_sizes_become_64_by_64() -> None:
    recipe, why = choose_recipe(dataset(500, (375, 500, 3), (500, 375, 3)), "classic")
    assert (recipe.model, recipe.image_size) == ("classic-64", (64, 64))
    assert "differ in size" in why


def test_a_stray_picture_of_another_size_changes_nothing() -> None:
    recipe, _ = choose_recipe(dataset(500, *[(20, 24, 3)] * 9, (300, 400, 3)), "classic")
    assert (recipe.model, recipe.image_size) == ("classic-28", (20, 24))


def test_large_pictures_of_one_size_become_64_by_64() -> None:
    recipe, _ = choose_recipe(dataset(500, (480, 640, 3)), "classic")
    assert (recipe.model, recipe.image_size) == ("classic-64", (64, 64))


def test_one_colour_picture_makes_it_a_colour_recipe() -> None:
    recipe, _ = choose_recipe(dataset(500, (28, 28, 1), (28, 28, 3)), "classic")
    assert recipe.channels == 3


def test_auto_gives_small_data_more_epochs_and_says_so() -> None:
    # 1,797 * 0.8 * 0.9 = 1,294 pictures, 41 updates an epoch; 1,000 / 41 = 24.4 epochs
    recipe, why = choose_recipe(dataset(1_797, (20, 20, 1)), "auto")
    assert (recipe.model, recipe.epochs) == ("classic-28", 25)
    assert "25 epochs instead of 3" in why
    large, _ = choose_recipe(dataset(70_000, (28, 28, 1)), "auto")
    assert large.epochs == 3


def test_auto_smooths_labels_unless_the_loss_is_given() -> None:
    smoothed, _ = choose_recipe(dataset(100, (28, 28, 1)), "auto")
    assert (smoothed.loss, smoothed.label_smoothing) == ("categorical_crossentropy", 0.1)
    sparse = {"loss": "sparse_categorical_crossentropy"}
    plain, _ = choose_recipe(dataset(100, (28, 28, 1)), "auto", options=sparse)
    assert plain.label_smoothing == 0
    smooth = {"label_smoothing": 0.2}
    asked, _ = choose_recipe(dataset(100, (28, 28, 1)), "classic", options=smooth)
    assert (asked.loss, asked.label_smoothing) == ("categorical_crossentropy", 0.2)


def test_tiny_pictures_keep_their_rim() -> None:
    tiny, why = choose_recipe(dataset(1_797, (8, 8, 1)), "auto")
    assert tiny.model == "classic-32"
    assert "no rim should be lost" in why


def test_every_value_can_be_set() -> None:
    options = {
        "model": "classic-64",
        "image_size": (48, 40),
        "channels": 1,
        "epochs": 2,
        "batch_size": 7,
        "validation_split": 0.3,
        "test_split": 0.4,
        "loss": "categorical_crossentropy",
        "optimizer": "sgd",
        "learning_rate": 0.5,
        "label_smoothing": 0.1,
        "early_stopping": 3,
        "restore_best_weights": True,
        "resize": "pad",
        "interpolation": "lanczos",
        "rescale": 1.0,
        "augment": "flip,mixup",
        "class_weight": "balanced",
        "budget_seconds": 60.0,
        "seed": 9,
    }
    recipe, _ = choose_recipe(dataset(100, (28, 28, 3)), "auto", options=options)
    assert {key: getattr(recipe, key) for key in options} == options
    assert recipe.image_spec.shape == (48, 40, 1)


def test_an_input_shape_that_the_model_insists_on() -> None:
    recipe, _ = choose_recipe(
        dataset(100, (28, 28, 1)), input_shape=(96, None, 3), options={"model": "mine"}
    )
    assert recipe.image_size == (96, 28)
    assert recipe.channels == 3


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(UsageError) as caught:
        choose_recipe(
            dataset(100, (28, 28, 1)),
            options={"epochs": 0, "batch_size": -1, "learning_rate": 0.0, "validation_split": 1},
        )
    text = str(caught.value)
    assert "epochs is 0, expected a whole number of at least 1" in text
    assert "batch_size is -1" in text
    assert "learning_rate is 0.0, expected a number above 0" in text
    assert "validation_split is 1, expected a share of at least 0 and below 1" in text


def test_features_are_of_one_look() -> None:
    options = {"model": "x", "transfer": True, "test_time_augmentation": "flip"}
    with pytest.raises(UsageError) as caught:
        Recipe(name="transfer", image_size=(8, 8), channels=3, epochs=0, **options)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "The recipe cannot be used: test_time_augmentation is for networks that are trained from "
        "scratch."
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "mse"}, "loss is 'mse', expected sparse_categorical_crossentropy or"),
        ({"image_size": (0, 8)}, "Image height 0: expected a whole number from 1 to 4096"),
        ({"channels": 2}, "Image channels 2: expected 1"),
        ({"resize": "stretch"}, "Image resize 'stretch': expected one of crop, pad, squash"),
        (
            {"label_smoothing": 0.1, "loss": "sparse_categorical_crossentropy"},
            "label_smoothing needs the loss categorical_crossentropy",
        ),
        (
            {"validation_split": 0.0, "early_stopping": 2},
            "need a validation_split above 0",
        ),
        ({"seed": -1}, "seed is -1"),
        ({"augment": "flp"}, "unknown operation 'flp' (did you mean 'flip'?), expected flip"),
        ({"class_weight": "inverse"}, "class_weight is 'inverse', expected balanced, none or auto"),
        (
            {"test_time_augmentation": "mirror"},
            "test_time_augmentation is 'mirror', expected none or flip",
        ),
        ({"budget_seconds": 0}, "budget_seconds is 0, expected seconds above 0"),
        (
            {"augment": "mixup", "loss": "sparse_categorical_crossentropy"},
            "mixup and cutmix need the loss categorical_crossentropy",
        ),
        ({"epoch": 3}, "Unknown option 'epoch'. Did you mean 'epochs'"),
    ],
)
def test_a_value_out_of_range(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_recipe(dataset(100, (28, 28, 1)), options=options)
    assert words in str(caught.value)


def test_an_unknown_recipe_suggests_the_closest() -> None:
    with pytest.raises(UsageError, match="Unknown recipe 'clasic'. Did you mean 'classic'"):
        choose_recipe(dataset(100, (28, 28, 1)), "clasic")


def test_the_classic_recipe_augments_and_weighs_nothing_by_itself() -> None:
    recipe, why = choose_recipe(dataset(1_000, (28, 28, 1), rare=50), "classic")
    assert (recipe.augment, recipe.class_weight) == ("none", "none")
    assert why == "Network classic-28, since the pictures are 28x28."


def test_augmentation_that_the_classes_allow() -> None:
    photos, why = choose_recipe(dataset(100, (28, 28, 3)))
    assert photos.augment == "light"
    assert "are mirrored and shifted a little" in why
    digits, why = choose_recipe(dataset(100, (28, 28, 1), names=("3", "8")))
    assert digits.augment == "light,flip=none"
    assert "No mirroring, since the classes look like digits" in why
    mine, why = choose_recipe(
        dataset(100, (28, 28, 1), names=("3", "8")), options={"augment": "light"}
    )
    assert mine.augment == "light"
    assert "irror" not in why
    asked, why = choose_recipe(dataset(100, (28, 28, 3)), "classic", options={"augment": "auto"})
    assert asked.augment == "light"


def test_mixing_switches_the_loss() -> None:
    recipe, _ = choose_recipe(dataset(100, (28, 28, 3)), "classic", options={"augment": "mixup"})
    assert (recipe.loss, recipe.label_smoothing) == ("categorical_crossentropy", 0)
    plain, _ = choose_recipe(dataset(100, (28, 28, 3)), "classic", options={"augment": "light"})
    assert plain.loss == "sparse_categorical_crossentropy"


def test_classes_are_weighed_where_they_are_uneven() -> None:
    even, why = choose_recipe(dataset(300, (28, 28, 3), rare=3))  # 100 bees for 200 ants
    assert even.class_weight == "none"
    assert "Uneven" not in why
    uneven, why = choose_recipe(dataset(400, (28, 28, 3), rare=4))  # 100 for 300
    assert uneven.class_weight == "balanced"
    assert "300 pictures of 'ant', 100 of 'bee'. In training each of the latter counts" in why
    assert "about 3.0 times as much" in why
    off, why = choose_recipe(dataset(400, (28, 28, 3), rare=4), options={"class_weight": "none"})
    assert off.class_weight == "none"
    assert "Uneven" not in why
    on, _ = choose_recipe(
        dataset(400, (28, 28, 3), rare=4), "classic", options={"class_weight": "auto"}
    )
    assert on.class_weight == "balanced"


def test_pictures_to_test_on_do_not_make_classes_uneven() -> None:
    data = dataset(400, (28, 28, 3), rare=2)
    parts = data.parts.copy()
    parts[(data.labels == 1) & (np.arange(400) > 100)] = PARTS.index("test")
    recipe, why = choose_recipe(replace(data, parts=parts))
    assert recipe.class_weight == "balanced"
    assert "200 pictures of 'ant', 51 of 'bee' in the data's own training part." in why


def test_a_budget_buys_as_many_epochs_as_fit() -> None:
    recipe, _ = choose_recipe(dataset(1_000, (28, 28, 1)), options={"budget_seconds": 60.0})
    assert recipe.epochs == 200
    most, _ = choose_recipe(
        dataset(1_000, (28, 28, 1)), options={"budget_seconds": 60.0, "epochs": 7}
    )
    assert most.epochs == 7


NUMERIC = {field.name for field in fields(Recipe) if re.search(r"\b(int|float)\b", str(field.type))}

MAY_BE_ZERO = {"validation_split", "test_split", "label_smoothing", "seed"}

NO_NUMBERS = st.sampled_from([math.nan, math.inf, -math.inf])
NEGATIVE = st.floats(max_value=0, exclude_max=True, allow_infinity=False) | st.integers(
    max_value=-1
)


@given(st.sampled_from(sorted(NUMERIC)), NO_NUMBERS | NEGATIVE | st.sampled_from([0, 0.0]))
def test_numbers_that_mean_nothing_are_refused_by_name(option: str, value: float) -> None:
    if value == 0 and option in MAY_BE_ZERO:
        return
    given_value = (value, 32) if option == "image_size" else value
    name = option.replace("image_size", "height")
    with pytest.raises(UsageError, match=rf"{name} (is )?{re.escape(repr(value))}(, |: )expected"):
        choose_recipe(dataset(100, (28, 28, 3)), options={option: given_value})


def test_every_number_of_a_recipe_is_among_them() -> None:
    assert {"rescale", "learning_rate", "epochs", "image_size", "channels"} <= NUMERIC


def test_the_factor_of_pixels() -> None:
    with pytest.raises(UsageError, match=r"rescale is nan, expected a number above 0\."):
        choose_recipe(dataset(100, (28, 28, 3)), options={"rescale": math.nan})


def test_uneven_classes_are_counted_as_what_they_are() -> None:
    # Pictures 0, 11, 22, ...: 10 of 110 are bees. A part of them will be the test part.
    uneven = dataset(110, (28, 28, 1), rare=11)
    _, why = choose_recipe(uneven, "auto")
    assert "Uneven classes: 100 pictures of 'ant', 10 of 'bee'. In training" in why
    own = np.full(110, PARTS.index("train"), np.int8)
    own[:11] = PARTS.index("test")
    _, why = choose_recipe(replace(uneven, parts=own), "auto")
    assert "90 pictures of 'ant', 9 of 'bee' in the data's own training part. In training" in why
