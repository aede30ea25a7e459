"""The settings of the recipe `fast`, by the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tellapart as ta
from tellapart.errors import UsageError
from tellapart.training.fast_recipe import choose_fast_recipe, wants_fast


def made(count: int, side: int = 8, channels: int = 1) -> ta.Dataset:
    pixels = np.zeros((count, side, side, channels), np.uint8)
    return ta.load((pixels, np.arange(count) % 2))


@pytest.mark.parametrize(
    ("pictures", "batch", "epochs", "validation"),
    [
        (100, 32, 60, 0.2),  # 64 are trained on: 2 updates an epoch, and 60 epochs at most
        (6_400, 51, 10, 0.2),  # 4,096: 51 a batch, 81 updates an epoch, 800 / 81
        (60_000, 500, 10, 0.1),  # 43,200: 87 updates an epoch
    ],
)
def test_batch_and_epochs_follow_the_number_of_pictures(
    pictures: int, batch: int, epochs: int, validation: float
) -> None:
    recipe, why = choose_fast_recipe(made(pictures), "fast")
    assert (recipe.batch_size, recipe.epochs) == (batch, epochs)
    assert recipe.validation_split == validation
    assert (recipe.optimizer, recipe.schedule) == ("conv-muon", "one-cycle")
    assert why.startswith("Network fast, as asked.")


def test_what_is_asked_for_is_kept() -> None:
    options = {"epochs": 3, "batch_size": 7, "optimizer": "sgd", "learning_rate": 0.2}
    recipe, _ = choose_fast_recipe(made(100), "fast", options=options)
    assert {name: getattr(recipe, name) for name in options} == options


def test_in_few_epochs_pictures_are_not_augmented() -> None:
    def augmentation(**options: object) -> tuple[str, bool]:
        recipe, why = choose_fast_recipe(made(100), "fast", options=options)
        said = (
            "No augmentation: in 3 epochs, each training picture is seen less than 4 times, too "
            "seldom to be learned by heart (--augment asks for it all the same)."
        )
        return recipe.augment, said in why

    assert augmentation(epochs=3) == ("none", True)
    assert augmentation(epochs=3, augment="auto") == ("none", True)
    assert augmentation(epochs=3, augment="flip") == ("flip", False)
    assert augmentation(epochs=4) == ("light,flip=none", False)
    assert augmentation() == ("light,flip=none", False)


def test_mirror_images_are_looked_at_where_they_were_learned_from() -> None:
    said = (
        "Each picture will be classified together with its mirror image "
        "(--test-time-augmentation none: by itself, in half the time)."
    )

    def looks(*, letters: bool = False, **options: object) -> tuple[str, bool]:
        names = ("a", "b") if letters else ("cat", "dog")
        dataset = replace(made(100), class_names=names, labels=np.arange(100) % 2)
        recipe, why = choose_fast_recipe(dataset, "fast", options=options)
        return recipe.test_time_augmentation, said in why

    assert looks() == ("flip", True)
    assert looks(letters=True) == ("none", False)
    assert looks(letters=True, augment="light") == ("flip", True)
    assert looks(augment="flip=both") == ("flip", True)
    assert looks(augment="flip=vertical") == ("none", False)
    assert looks(epochs=3) == ("none", False)  # too few to be augmented
    assert looks(test_time_augmentation="none") == ("none", False)
    assert looks(letters=True, test_time_augmentation="flip") == ("flip", False)


def test_integer_labels_are_not_smoothed() -> None:
    options = {"loss": "sparse_categorical_crossentropy"}
    recipe, _ = choose_fast_recipe(made(100), "fast", options=options)
    assert recipe.label_smoothing == 0


def test_large_pictures_are_made_smaller() -> None:
    recipe, _ = choose_fast_recipe(made(20, side=97), "fast")
    assert recipe.image_size == (64, 64)


def test_who_wants_it() -> None:
    tiny, small, mixed = made(10, side=15), made(10, side=16), of_mixed_sizes()
    assert wants_fast(tiny, "fast", None)
    assert wants_fast(tiny, "fast", "fast")
    assert wants_fast(tiny, "auto", "fast")
    assert not wants_fast(tiny, "auto", None)
    assert wants_fast(small, "auto", None)
    assert wants_fast(mixed, "auto", None)
    assert wants_fast(small, "fast", "fast-narrow")
    assert wants_fast(small, "auto", "fast-narrow")
    assert wants_fast(small, "auto", "fast-wide")
    assert not wants_fast(small, "auto", "classic-28")
    assert not wants_fast(small, "classic", None)
    assert not wants_fast(small, "classic", "fast")  # that network, trained by the textbook
    with pytest.raises(UsageError) as caught:
        wants_fast(small, "fast", "classic-32")
    assert str(caught.value) == (
        "The recipe fast is for the networks fast, fast-narrow, fast-wide, and 'classic-32' is "
        "another one. Leave out --recipe or --model."
    )


def of_mixed_sizes() -> ta.Dataset:
    dataset = made(10)
    return replace(dataset, sizes=tuple((20 + n, 30, 3) for n in range(10)))


def test_it_says_why() -> None:
    def why(dataset: ta.Dataset, name: str = "auto", **options: object) -> str:
        return choose_fast_recipe(dataset, name, options=options)[1]

    assert why(made(10, side=28)).startswith("Network fast, since the pictures are 28x28.")
    assert why(of_mixed_sizes()).startswith(
        "Network fast, since the pictures are small and differ in size."
    )
    assert why(made(10), model="fast").startswith("Network fast, as asked.")
    assert why(made(10), model="fast-narrow").startswith("Network fast-narrow, as asked.")
    rate = "The learning rate is for conv-muon, which takes 0.12 by itself."
    assert rate in why(made(10), learning_rate=0.001)
    assert rate not in why(made(10), learning_rate=0.001, optimizer="adam")


def test_digits_from_the_first_pixel_to_the_file(tmp_path: Path) -> None:
    run = ta.train("digits", recipe="fast", epochs=8, out=tmp_path / "run", observers=[])
    assert run.evaluation.accuracy.value > 0.95
    classifier = ta.Classifier.load(run.path)
    assert classifier.novelty_limit is not None
    digits = ta.load("digits")
    pixels = np.stack([np.asarray(digits.source.read(i)) for i in range(32)])
    given = pixels if pixels.ndim == 4 else pixels[..., np.newaxis]
    labels = [prediction.label for prediction in classifier.predict(given)]
    expected = run.model.predict_on_batch(given).argmax(axis=1)
    assert labels == [digits.class_names[k] for k in expected]


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    runs = [
        ta.train("digits", recipe="fast", epochs=1, seed=3, out=tmp_path / name, observers=[])
        for name in ("first", "second")
    ]
    for first, second in zip(*(run.model.get_weights() for run in runs), strict=True):
        np.testing.assert_array_equal(first, second)
