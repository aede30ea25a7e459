from __future__ import annotations

import pytest

from tellapart.errors import UsageError
from tellapart.training.augmentation import PRESETS, Augmentation, parse_augmentation
from tellapart.training.augmentation.parse import USUAL


def test_a_list_with_and_without_strengths() -> None:
    assert parse_augmentation("flip, shift=0.05 ,rotate") == Augmentation(
        flip="horizontal", shift=0.05, rotate=15.0
    )
    assert parse_augmentation("flip=vertical").flip == "vertical"
    assert parse_augmentation("flip=both,crop,colour=.5,erase,mixup=1,cutmix") == Augmentation(
        flip="both", crop=0.8, colour=0.5, erase=0.25, mixup=1.0, cutmix=1.0
    )


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets(name: str) -> None:
    assert parse_augmentation(name) == parse_augmentation(name.upper()) == PRESETS[name]


def test_nothing_is_false() -> None:
    assert not parse_augmentation("none")
    assert not parse_augmentation("shift=0,zoom=0,crop=1,flip=none")
    assert parse_augmentation("light")


def test_a_preset_can_be_changed() -> None:
    assert parse_augmentation("light,flip=none,mixup").flip == "none"
    assert parse_augmentation("light,mixup").mixes
    assert not parse_augmentation("strong").mixes


@pytest.mark.parametrize(
    ("keras", "ours"),
    [
        ("RandomFlip", "flip=both"),  # Keras's own default
        ("RandomFlip=horizontal_and_vertical", "flip=both"),
        ("randomflip=horizontal", "flip"),
        ("RandomTranslation=0.1", "shift=0.1"),
        ("RandomRotation=0.1", "rotate=36"),  # a tenth of 360 degrees
        ("RandomZoom=0.2", "zoom=0.2"),
        ("RandomColorJitter", "color=0.3"),
        ("RandomErasing=0.5", "erase=0.5"),
        ("MixUp,CutMix", "mixup=0.2,cutmix=1.0"),
    ],
)
def test_the_names_of_keras(keras: str, ours: str) -> None:
    assert parse_augmentation(keras) == parse_augmentation(ours)


@pytest.mark.parametrize("text", ["none", "light", "strong", "flip=both,crop=0.5,mixup=0.3"])
def test_the_text_of_an_augmentation_reads_as_itself(text: str) -> None:
    augmentation = parse_augmentation(text)
    assert parse_augmentation(str(augmentation)) == augmentation


def test_every_operation_has_a_usual_strength_that_does_something() -> None:
    assert all(parse_augmentation(name) for name in USUAL)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rotat", "unknown operation 'rotat' (did you mean 'rotate'?), expected flip, shift,"),
        ("RandomFlp", "(did you mean 'RandomFlip'?)"),
        ("lihgt", "(did you mean 'light'?)"),
        ("", "unknown operation '', expected flip"),
        ("flip,", "unknown operation '', expected flip"),
        ("flip=sideways", "flip is 'sideways', expected none or horizontal or vertical or both"),
        ("flip=", "flip is '', expected none or horizontal"),
        ("shift=1.5", "shift is '1.5', expected a share of the sides from 0 to 1"),
        ("shift=nan", "shift is 'nan', expected a share"),
        ("rotate=ten", "rotate is 'ten', expected degrees from 0 to 180"),
        ("RandomRotation=0.6", "rotate is '0.6', expected degrees from 0 to 180"),
        ("zoom=1", "zoom is '1', expected a share of at least 0 and below 1"),
        ("crop=0", "crop is '0', expected a share of the sides above 0, to 1"),
        ("erase=-0.1", "erase is '-0.1', expected a probability from 0 to 1"),
        ("mixup=inf", "mixup is 'inf', expected a number from 0 to 100"),
        ("flip,flip=both", "'flip' is named twice"),
        ("flip,light", "'light' stands first in a list, or alone"),
        ("x" * 501, "Augmentation of 501 characters: expected at most 500"),
    ],
)
def test_what_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_augmentation(text)
    assert words in str(caught.value)


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(UsageError) as caught:
        parse_augmentation("rotat,shift=9,zoom=-1")
    assert all(word in str(caught.value) for word in ("'rotat'", "shift is '9'", "zoom is '-1'"))


def test_what_is_no_text() -> None:
    with pytest.raises(UsageError, match="Augmentation 3: expected text, such as 'flip,shift=0.1'"):
        parse_augmentation(3)


def test_values_are_checked_without_text_too() -> None:
    with pytest.raises(UsageError, match=r"shift is 2, expected a share.*; erase is True"):
        Augmentation(shift=2, erase=True)
