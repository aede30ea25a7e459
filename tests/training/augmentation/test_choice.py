from __future__ import annotations

import pytest

from tellapart.training.augmentation import choose_augmentation, parse_augmentation


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (tuple("0123456789"), "the classes look like digits"),
        (("00000", "00001", "00042"), "the classes look like digits"),
        (("one", "two", "three"), "the classes look like digits"),
        (("٠", "١"), "the classes look like digits"),
        (tuple("abcXYZ"), "the classes look like letters"),
        (("あ", "い"), "the classes look like letters"),
        (("digit_0", "digit_1"), "the classes look like digits or letters"),
        (("letter-a", "Letter B"), "the classes look like digits or letters"),
        (("thumb up", "thumb left"), "the class 'thumb left' has a side"),
        (("turn_right", "cat", "dog"), "the class 'turn_right' has a side"),
        (("stop", "yield", "speed limit 30", "car"), "the classes look like traffic signs"),
        (("Speed limit (20km/h)", "No entry"), "the classes look like traffic signs"),
    ],
)
def test_what_must_not_be_mirrored(names: tuple[str, ...], why: str) -> None:
    text, sentence = choose_augmentation(names)
    assert f"No mirroring, since {why};" in sentence
    assert "--augment light mirrors" in sentence
    assert parse_augmentation(text).flip == "none"


@pytest.mark.parametrize(
    "names",
    [
        ("cat", "dog"),
        ("airplane", "automobile", "bird", "cat"),
        ("ants", "bees"),
        ("bright", "leftover"),  # no words of their own
        ("one", "cat", "dog"),  # one of three by chance
        ("a", "cat", "dog"),
        ("stop", "cat", "dog"),
        ("T-shirt/top", "Trouser"),
        ("benign", "malignant"),
    ],
)
def test_what_may_be_mirrored(names: tuple[str, ...]) -> None:
    text, sentence = choose_augmentation(names)
    assert parse_augmentation(text).flip == "horizontal"
    assert "--augment none" in sentence
