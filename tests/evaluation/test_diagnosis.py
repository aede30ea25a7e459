"""The rules on written-out trainings, with numbers worked out by hand."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.evaluation.diagnosis import diagnose
from tellapart.evaluation.diagnosis.noise import difference_error, share_error, wiggle
from tellapart.evaluation.diagnosis.small_test import pictures_for
from tests.evaluation.diagnosed import facts, found, recipe, rows

# loss, accuracy, val_loss, val_accuracy of
#   tellapart train cifar10.tar.gz --recipe classic
# with seed 0 on two cores, Keras 3.15.1, TensorFlow 2.21.0: 69.5% on the test part.
CIFAR10_CLASSIC = (
    (1.53168, 0.44745, 1.38451, 0.5075),
    (1.14312, 0.5961, 1.04557, 0.6287),
    (0.958212, 0.666975, 0.975759, 0.6579),
    (0.843231, 0.704225, 0.959912, 0.6675),
    (0.760519, 0.733675, 0.914607, 0.6835),
    (0.677609, 0.76315, 0.884989, 0.6991),
    (0.615001, 0.7855, 0.893971, 0.6978),
    (0.548643, 0.808125, 0.93958, 0.6948),
    (0.484709, 0.8294, 0.971757, 0.6958),
    (0.428808, 0.847025, 0.970009, 0.7031),
    (0.372438, 0.867975, 1.02442, 0.6914),
    (0.319674, 0.88715, 1.15967, 0.6872),
    (0.271729, 0.903575, 1.26991, 0.6817),
    (0.239781, 0.913725, 1.31079, 0.6921),
    (0.206881, 0.927575, 1.34975, 0.6866),
)


def cifar10(epochs: int) -> dict[str, object]:
    loss, accuracy, val_loss, val_accuracy = zip(*CIFAR10_CLASSIC[:epochs], strict=True)
    return {
        "data": "cifar10.tar.gz",
        "class_names": tuple("abcdefghij"),
        "counts": (6_000,) * 10,
        "recipe": recipe(epochs=epochs),
        "parts": {"train": 40_000, "validation": 10_000, "calibration": 0, "test": 10_000},
        "history": rows(loss, val_loss, accuracy=accuracy, val_accuracy=val_accuracy),
        # 69.5% right, the others spread over the other classes: 305 of 1,000 are 33 or 34 each.
        "confusion": np.full((10, 10), 34) + np.eye(10, dtype=int) * 660,
    }


def test_a_good_training_has_no_diagnosis() -> None:
    assert diagnose(facts()) == ()


def test_the_textbook_case_is_overfitting_and_says_when_it_began() -> None:
    (diagnosis,) = found(**cifar10(15)).values()
    assert (diagnosis.topic, diagnosis.level) == ("overfitting", "warning")
    # 0.927575 - 0.6866 = 0.240975. Validation is off by sqrt(0.6866 * 0.3134 / 10000) = 0.00464,
    # training by sqrt(0.9276 * 0.0724 / 40000) = 0.00130: twice both together are 0.0096.
    assert "92.8% of the training pictures and on 68.7% of the validation" in diagnosis.text
    assert "a gap of 24.1 points, of which luck explains at most 1.0 points" in diagnosis.text
    # The means of the last three epochs: (1.26991 + 1.31079 + 1.34975) / 3 = 1.310 and 0.239.
    assert "after epoch 6: there the validation loss was lowest, 0.885, and rose to 1.31" in (
        diagnosis.text
    )
    assert "training loss fell from 0.678 to 0.239" in diagnosis.text
    commands = " ".join(command for _, command in diagnosis.remedies)
    for option in ("--augment light", "--epochs 6", "--early-stopping 3 --restore-best-weights"):
        assert option in commands
    assert "which the classic networks lack" in " ".join(words for words, _ in diagnosis.remedies)


def test_the_same_training_stopped_early_was_still_improving() -> None:
    (diagnosis,) = found(**cifar10(4)).values()
    assert (diagnosis.topic, diagnosis.level) == ("still improving", "note")
    assert "from 1.05 to 0.96 in the last 3 of 4 epochs" in diagnosis.text
    assert diagnosis.remedies[0][1].endswith("--epochs 8")


def test_best_weights_that_were_kept_are_judged_by_their_own_epoch() -> None:
    # Epoch 6: 0.76315 - 0.6991 = 0.0640, more than the 5 points of GAP.
    (diagnosis,) = found(**cifar10(15), best_epoch=6).values()
    assert "In epoch 6 the network was right on 76.3%" in diagnosis.text
    assert "weights of the lowest validation loss" in diagnosis.text
    assert not any("--epochs" in command for _, command in diagnosis.remedies)


@pytest.mark.parametrize(("validation", "fires"), [(200, True), (100, False)])
def test_a_gap_must_be_more_than_luck(validation: int, fires: bool) -> None:
    # A gap of 0.1. Training: p' = 721/802, sqrt(p'(1-p')/800) = 0.01065. Validation of 200:
    # p' = 161/202, 0.02844; of 100: p' = 81/102, 0.04043. Three times both: 0.0911 and 0.1254.
    history = rows([0.5, 0.4], [0.5, 0.49], accuracy=0.9, val_accuracy=0.8)
    parts = {"train": 800, "validation": validation, "test": 400}
    diagnoses = found(history=history, parts=parts)
    assert ("overfitting" in diagnoses) == fires
    if fires:
        assert "luck explains at most 9.1 points" in diagnoses["overfitting"].text
        assert "has not turned so far" in diagnoses["overfitting"].text


def test_a_turn_without_much_of_a_gap_is_a_note() -> None:
    history = rows(
        [0.2, 0.1, 0.05, 0.02], [0.1, 0.05, 0.07, 0.09], accuracy=0.999, val_accuracy=0.985
    )
    parts = {"train": 54_000, "validation": 6_000, "test": 10_000}
    assert found(history=history, parts=parts)["overfitting"].level == "note"
    # One worse epoch after the lowest is no turn.
    assert "overfitting" not in found(history=history[:3], parts=parts)


def test_a_noisy_validation_loss_has_not_turned() -> None:
    # Lowest in epoch 3 and 15% higher on average since, but up and down by more than that.
    noisy = [1.0, 0.9, 0.6, 0.9, 0.5999, 0.9, 0.62, 0.88]
    falling = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    history = rows(falling, noisy, accuracy=0.94, val_accuracy=0.9)
    parts = {"train": 8_000, "validation": 10_000, "test": 400}
    assert "overfitting" not in found(history=history, parts=parts)


def test_without_validation_the_test_part_shows_the_gap() -> None:
    parts = {"train": 800, "validation": 0, "test": 400}
    history = rows([0.5, 0.1, 0.1, 0.1], accuracy=0.99)
    (diagnosis,) = found(history=history, parts=parts, confusion=[[140, 60], [60, 140]]).values()
    assert "99.0% of the training pictures and on 70.0% of the test pictures" in diagnosis.text
    assert any("--validation-split 0.2" in command for _, command in diagnosis.remedies)


@pytest.mark.parametrize(
    ("augment", "class_names", "expected"),
    [
        ("none", ("cat", "dog"), "--augment light"),
        ("none", ("0", "1"), "--augment light,flip=none"),
        ("light", ("cat", "dog"), "--augment strong"),
        ("light,flip=none", ("0", "1"), "--augment strong,flip=none"),
        ("strong", ("cat", "dog"), None),
    ],
)
def test_augmentation_as_a_remedy(
    augment: str, class_names: tuple[str, str], expected: str | None
) -> None:
    changes = {
        "history": rows([0.5, 0.1], [0.5, 0.49], accuracy=0.99, val_accuracy=0.7),
        "recipe": recipe(augment=augment),
        "class_names": class_names,
        "asked": {},
    }
    commands = [command for _, command in found(**changes)["overfitting"].remedies]
    augmented = [command for command in commands if "--augment" in command]
    assert augmented == ([f"tellapart train photos/ {expected}"] if expected else [])


def test_underfitting() -> None:
    flat = [0.6, 0.58, 0.579, 0.5785, 0.5784]
    history = rows(flat, flat, accuracy=0.7, val_accuracy=0.69)
    (diagnosis,) = found(history=history, confusion=[[140, 60], [60, 140]]).values()
    assert diagnosis.topic == "underfitting"
    assert "70.0% of the training pictures and on 69.0% of the validation" in diagnosis.text
    # One that still improves is told to go on instead.
    falling = [0.69, 0.6, 0.5, 0.4, 0.3]
    history = rows(falling, falling, accuracy=0.7, val_accuracy=0.69)
    assert list(found(history=history, confusion=[[140, 60], [60, 140]])) == ["still improving"]


@pytest.mark.parametrize(
    ("model", "wider"),
    [("fast-narrow", "fast"), ("fast", "fast-wide"), ("fast-wide", None), ("classic-32", None)],
)
def test_a_network_that_underfits_has_a_wider_sister(model: str, wider: str | None) -> None:
    flat = [0.6, 0.58, 0.579, 0.5785, 0.5784]
    history = rows(flat, flat, accuracy=0.7, val_accuracy=0.69)
    changes = {"history": history, "confusion": [[140, 60], [60, 140]], "asked": {"epochs": 5}}
    remedies = dict(found(**changes, recipe=recipe(model=model))["underfitting"].remedies)
    words = "A wider network, which takes about three times as long for a picture"
    assert remedies.get(words) == (
        f"tellapart train photos/ --epochs 5 --model {wider}" if wider else None
    )
    budgeted = recipe(model=model, budget_seconds=60.0)
    assert words not in dict(found(**changes, recipe=budgeted)["underfitting"].remedies)


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "stopped early"},
        {"recipe": recipe(budget_seconds=60.0, epochs=200)},
        # 199 of 200 are right: an error of sqrt(0.9901 * 0.0099 / 200) = 0.007, and 1 - 0.995 is
        # less than twice that.
        {"history": rows([0.9, 0.7, 0.5, 0.3, 0.2, 0.1], [0.8, 0.6, 0.4, 0.3, 0.2, 0.1],
                         accuracy=0.995, val_accuracy=0.995)},
        {"history": rows([0.9, 0.7, 0.6, 0.55, 0.5, 0.45], [0.8, 0.6, 0.55, 0.54, 0.538, 0.537])},
    ],
    ids=["early stopping saw none", "annealed", "nothing left to gain", "flat at the end"],
)  # fmt: skip
def test_no_longer_improving(changes: dict[str, object]) -> None:
    falling = rows([0.9, 0.7, 0.6, 0.5, 0.4, 0.3], [0.8, 0.6, 0.5, 0.4, 0.35, 0.3])
    assert list(found(history=falling)) == ["still improving"]
    assert found(**{"history": falling, **changes}) == {}


def test_label_smoothing_does_not_hide_an_improvement() -> None:
    # With smoothing 0.1 and 2 classes the lowest loss is -0.95 ln 0.95 - 0.05 ln 0.05 = 0.1985:
    # from 0.22 to 0.2155 is 2% of the loss, but 21% of the 0.0215 above that.
    smoothed = recipe(label_smoothing=0.1)
    assert facts(recipe=smoothed).lowest_loss == pytest.approx(0.198515, abs=1e-6)
    losses = [0.22675, 0.2245, 0.22225, 0.22, 0.21775, 0.2155]
    assert "still improving" in found(recipe=smoothed, history=rows(losses, losses))
    assert found(recipe=recipe(), history=rows(losses, losses)) == {}
    assert facts(recipe=recipe()).lowest_loss == 0


def test_an_interruption_is_named() -> None:
    history = rows([0.9, 0.6, 0.4], [0.8, 0.6, 0.4])
    diagnosis = found(history=history, reason="interrupted", asked={})["still improving"]
    assert "When Ctrl-C ended training in epoch 3 of 15" in diagnosis.text
    assert diagnosis.remedies == (("Let it run to its end", "tellapart train photos/"),)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number(bad: float) -> None:
    history = rows([0.6, 0.5, bad, bad], [0.6, 0.5, 0.5, bad])
    (diagnosis,) = found(history=history, confusion=None).values()
    assert diagnosis.topic == "learning rate too high"
    assert f"became {'NaN' if math.isnan(bad) else 'infinite'} in epoch 3" in diagnosis.text
    assert "--learning-rate 0.0001" in diagnosis.remedies[0][1]  # a tenth of Adam's 0.001
    assert diagnosis.remedies[1][1] == "tellapart check photos/ --sheet copies.png"


def test_a_loss_worse_than_guessing() -> None:
    # Two classes: ln 2 = 0.693, and a tenth more is 0.762.
    history = rows([9.0, 5.0, 4.0], [8.0, 5.0, 4.0], accuracy=0.5, val_accuracy=0.5)
    guessing = {"history": history, "confusion": [[100, 100], [100, 100]]}
    (diagnosis,) = found(**guessing, recipe=recipe(learning_rate=10.0)).values()
    assert "is 4 in the last epoch, and was above 0.762 first in epoch 1" in diagnosis.text
    assert "same probability has 0.693" in diagnosis.text
    # A high validation loss alone is overfitting.
    history = rows([0.5, 0.1, 0.01], [0.7, 1.0, 2.0], accuracy=0.99, val_accuracy=0.7)
    assert "learning rate too high" not in found(history=history)


def test_what_was_learned_is_lost() -> None:
    history = rows([0.6, 0.3, 0.69, 0.69], accuracy=[0.7, 0.9, 0.5, 0.5])
    (diagnosis,) = found(history=history, confusion=[[100, 100], [100, 100]]).values()
    assert "fell from 90.0% in epoch 2 to 50.0% in the last" in diagnosis.text
    assert "from epoch 3 on" in diagnosis.text


def test_silenced_by_its_first_updates() -> None:
    guessing = rows([0.7, 0.694, 0.694], [0.694] * 3, accuracy=0.5, val_accuracy=0.5)
    confusion = [[200, 0], [200, 0]]
    (diagnosis,) = found(
        history=guessing, confusion=confusion, recipe=recipe(learning_rate=0.01)
    ).values()
    assert "silenced the network for good. Usual is 0.001." in diagnosis.text
    # With the usual learning rate it is not to blame.
    assert list(found(history=guessing, confusion=confusion)) == ["chance level"]


def test_a_learning_rate_that_is_too_low() -> None:
    slow = rows([0.6931, 0.693, 0.6929], [0.6931, 0.693, 0.6929], accuracy=0.51, val_accuracy=0.5)
    confusion = [[100, 100], [100, 100]]
    (diagnosis,) = found(
        history=slow, confusion=confusion, recipe=recipe(learning_rate=1e-7)
    ).values()
    assert diagnosis.topic == "learning rate too low"
    assert "with a learning rate of 1e-07 the training loss is 0.693" in diagnosis.text
    assert "--learning-rate 0.001" in diagnosis.remedies[0][1]
    # Not with a usual one, and not where it got somewhere.
    assert "learning rate too low" not in found(history=slow, confusion=confusion)
    fast = rows([0.6, 0.3, 0.2], [0.5, 0.3, 0.2])
    assert "learning rate too low" not in found(history=fast, recipe=recipe(learning_rate=1e-5))
    # SGD's usual learning rate is 0.01: a tenth of it is suspicious, of Adam's not.
    assert "learning rate too low" in found(
        history=slow, confusion=confusion, recipe=recipe(learning_rate=0.001, optimizer="sgd")
    )


def test_chance_level() -> None:
    # 200 of 400 right, 0.5 by chance; high end 0.549, below half way to 1.
    guessed = [[110, 90], [110, 90]]
    diagnosis = found(confusion=guessed, history=())["chance level"]
    assert "50.0% of the 400 test pictures are right" in diagnosis.text
    assert "drawn without looking would get 50.0%" in diagnosis.text
    learned = rows([0.1], [3.0], accuracy=0.99, val_accuracy=0.5)
    assert "by heart" in found(confusion=guessed, history=learned)["chance level"].text
    assert "overfitting" not in found(confusion=guessed, history=learned)  # follows from it
    # 22 of 400 more than half, 2.2 standard errors of 0.025.
    assert "chance level" not in found(confusion=[[111, 89], [89, 111]], history=())
    # Five pictures say nothing.
    assert list(found(confusion=[[2, 1], [1, 1]], history=())) == ["test part too small"]


def test_always_the_same_class_is_chance_whatever_its_share() -> None:
    # 900 of 1,000 right, and 0.9 * 1 + 0.1 * 0 by chance.
    uneven = found(confusion=[[900, 0], [100, 0]], counts=(1_800, 200), history=())
    assert "chance level" not in uneven
    assert list(uneven) == ["imbalance ignored", "class never predicted"]
    assert (
        "would get 90.0%"
        in found(confusion=[[900, 0], [100, 0]], counts=(1_800, 1_000), history=())[
            "chance level"
        ].text
    )


def test_too_good_on_evidence_alone() -> None:
    perfect = {"confusion": [[200, 0], [0, 200]]}
    history = rows([0.1, 0.05], [0.1, 0.09], accuracy=0.99, val_accuracy=0.99)
    assert found(**perfect, history=history) == {}
    # 40 points above validation, of which 3 * sqrt(0.0346² + 0.0025²) = 10.4 may be luck.
    worse = rows([0.7, 0.69], [0.7, 0.69], accuracy=0.6, val_accuracy=0.6)
    diagnosis = found(**perfect, history=worse)["too good"]
    assert "100.0% of the test pictures are right, and 60.0% of the validation" in diagnosis.text
    assert "40.0 points more, of which luck explains at most 10.4 points" in diagnosis.text


@pytest.mark.parametrize(
    ("copies", "value", "high", "fires"),
    [
        (40, 0.9, 0.93, True),  # a tenth of the test part
        (8, 0.899, 0.93, False),  # 2%, which hardly change anything
        (8, 0.85, 0.89, True),  # 2%, and yet 0.9 lies outside of what is likely without them
    ],
)
def test_copies_in_the_test_part(copies: int, value: float, high: float, fires: bool) -> None:
    overlap = {"copies": copies, "accuracy_without": {"value": value, "high": high}}
    diagnoses = found(overlap=overlap)
    assert ("too good" in diagnoses) == fires
    if fires:
        text = f"{copies} of the 400 test pictures have a copy"
        assert text in diagnoses["too good"].text
        assert f"the accuracy is 90.0%, and {value:.1%} without them" in diagnoses["too good"].text


def test_a_test_part_of_nothing_but_copies() -> None:
    overlap = {"copies": 400, "accuracy_without": {"value": None, "high": None}}
    assert "nothing was measured" in found(overlap=overlap)["too good"].text


def test_imbalance_ignored() -> None:
    # 90 of 100 and 180 of 300, against 20 of 50: recall 0.4 of the rare class.
    uneven = {"confusion": [[285, 15], [30, 20]], "counts": (900, 150), "history": ()}
    diagnosis = found(**uneven)["imbalance ignored"]
    assert "('dog') 40.0% are right, and 95.0% of the others" in diagnosis.text
    assert "has 600 pictures to learn from, the smallest 100" in diagnosis.text
    assert "50 of the 350 test pictures, and the network says so of 35" in diagnosis.text
    assert "--class-weight balanced" in diagnosis.remedies[0][1]
    weighed = recipe(class_weight="balanced")
    assert "imbalance ignored" not in found(**uneven, recipe=weighed)
    # Rare, and recognised as well as the other.
    assert "imbalance ignored" not in found(**uneven | {"confusion": [[285, 15], [3, 47]]})
    # Recognised less often, but named more often than it occurs: it is not given up.
    assert "imbalance ignored" not in found(**uneven | {"confusion": [[220, 80], [20, 30]]})


def test_a_class_that_is_never_predicted() -> None:
    names, counts = ("cat", "dog", "eel"), (300, 300, 110)
    three = {"class_names": names, "counts": counts, "history": ()}
    never = found(**three, confusion=[[180, 20, 0], [20, 180, 0], [3, 7, 0]])
    assert "1 class is never predicted: 'eel' (100 pictures to learn from; 7 of its 10 test " in (
        never["class never predicted"].text
    )
    assert "class never predicted" not in found(
        **three, confusion=[[180, 20, 0], [20, 180, 0], [3, 6, 1]]
    )
    # Four pictures may all be missed by luck.
    assert "class never predicted" not in found(
        **three, confusion=[[180, 20, 0], [20, 180, 0], [1, 3, 0]]
    )


def test_two_classes_alike() -> None:
    names, counts = ("cat", "dog", "tom"), (300, 300, 300)
    three = {"class_names": names, "counts": counts, "history": ()}
    diagnosis = found(**three, confusion=[[48, 4, 48], [0, 100, 0], [55, 0, 45]])[
        "two classes alike"
    ]
    # (48/96 + 45/100) / 2 = 0.475
    assert "'cat' and 'tom' are told apart 47.5% of the time" in diagnosis.text
    assert "48 of 96 pictures of 'cat' are taken for 'tom'" in diagnosis.text
    assert "55 of 100 the other way round" in diagnosis.text
    assert any("--image-size 64" in command for _, command in diagnosis.remedies)
    for confusion in (
        [[70, 0, 30], [0, 100, 0], [30, 0, 70]],  # 0.7 is not below 0.7
        [[5, 0, 5], [0, 100, 0], [5, 0, 5]],  # ten pictures prove nothing
        [[0, 0, 100], [0, 100, 0], [0, 0, 100]],  # neglected, not alike
        [[20, 60, 20], [30, 40, 30], [20, 60, 20]],  # everything is mistaken for everything
    ):
        assert "two classes alike" not in found(**three, confusion=confusion)


def test_after_one_epoch_no_classes_are_called_alike() -> None:
    three: dict[str, Any] = {
        "class_names": ("cat", "dog", "tom"),
        "counts": (300, 300, 300),
        "confusion": [[48, 4, 48], [0, 100, 0], [55, 0, 45]],
    }
    first = [{"epoch": 1.0, "loss": 0.9, "accuracy": 0.6, "val_loss": 0.9, "val_accuracy": 0.6}]
    assert "two classes alike" in found(**three, history=())
    assert "two classes alike" not in found(**three, history=first, reason="interrupted")


def test_a_small_test_part() -> None:
    # Wilson, 18 of 20: 0.699 to 0.972, 27.3 points.
    small = {"confusion": [[9, 1], [1, 9]], "parts": {"train": 800, "validation": 200, "test": 20}}
    diagnosis = found(**small)["test part too small"]
    assert diagnosis.level == "warning"
    assert "accuracy of 90.0% may be anything from 69.9% to 97.2%" in diagnosis.text
    # Of 0.699 to 0.972, 0.699 is nearest to one half and takes the most:
    # z²·p(1-p)/0.02² - z² = 3.8415 * 0.2104 / 0.0004 - 4 = 2017.
    assert re.search(r"it takes up to 2,01\d test pictures", diagnosis.text)
    # The data's own test part: --test-split has no effect.
    assert not any("--test-split" in command for _, command in diagnosis.remedies)
    # 45 of 50 is 17.7 points wide; 360 of 400 is 5.9.
    assert found(confusion=[[23, 2], [3, 22]])["test part too small"].level == "note"
    assert "test part too small" not in found(confusion=[[180, 20], [20, 180]])


@pytest.mark.parametrize(
    ("right", "pictures", "commands"),
    [
        # All of 30 right: 30 / (30 + z²) = 0.886 at least. 3.8415 * 0.1006 / 0.0004 - 4 = 962, of
        # 2,600 that is 0.37, rounded up to 0.38.
        (30, 2600, ["--test-split 0.38"]),
        (30, 1500, []),  # 962 are more than half
    ],
)
def test_more_pictures_may_be_set_apart(right: int, pictures: int, commands: list[str]) -> None:
    split = recipe(test_split=right / pictures)
    diagnosis = found(
        parts={"train": pictures - right - 24, "validation": 24, "test": right},
        confusion=[[right - 15, 0], [0, 15]],
        recipe=split,
        asked={},
    )["test part too small"]
    assert re.search(r"up to 96\d test pictures", diagnosis.text)
    expected = [f"tellapart train photos/ {option}" for option in commands]
    assert [command for _, command in diagnosis.remedies] == [*expected, "tellapart train photos/"]


@pytest.mark.parametrize("confusion", [[[1, 0], [0, 1]], [[1, 0], [1, 0]]])
def test_two_test_pictures_tell_nothing_whatever_the_answers(confusion: list[list[int]]) -> None:
    # 2 of 2 right is 0.342 to 1, 1 of 2 is 0.095 to 0.905: both may be one half, which takes the
    # most, z²/(4·0.02²) - z² = 2397.1.
    assert re.search(r"up to 2,39\d test", found(confusion=confusion)["test part too small"].text)


def test_no_test_pictures() -> None:
    diagnosis = found(confusion=[[0, 0], [0, 0]])["test part too small"]
    assert "no test pictures" in diagnosis.text


def test_pictures_for_a_half_width() -> None:
    # Where all are right the interval is z²/(n + z²) wide, z² = 3.8415: 0.04 at n = 92.2.
    assert pictures_for(1.0, 0.02) == 93
    # At one half, nearly z²/(4·0.02²) - z² = 2400.9 - 3.8 = 2397.1.
    assert abs(pictures_for(0.5, 0.02) - 2397) <= 2


def test_fine_tuning_is_named() -> None:
    tuned = recipe(
        name="transfer", model="efficientnet-lite0", transfer=True, image_size=(224, 224), epochs=3
    )
    history = rows([0.5, 0.1, 0.05], [0.5, 0.49, 0.5], accuracy=0.99, val_accuracy=0.7)
    diagnosis = found(recipe=tuned, history=history, asked={"recipe": "transfer", "epochs": 3})
    assert diagnosis["overfitting"].text.startswith("While fine-tuning, in epoch 3 the network")
    assert ("tellapart train photos/ --recipe transfer") in [
        command for _, command in diagnosis["overfitting"].remedies
    ]


def test_share_error() -> None:
    # 8 of 10, and one success and one failure more: 9/12 = 0.75, sqrt(0.75 * 0.25 / 10)
    assert share_error(0.8, 10) == pytest.approx(math.sqrt(0.01875))
    assert share_error(1.0, 10) > 0
    assert share_error(0.5, 0) == math.inf
    assert difference_error(0.8, 10, 0.8, 10) == pytest.approx(math.sqrt(2 * 0.01875))


def test_wiggle() -> None:
    assert wiggle([1.0, 0.9, 0.8, 0.7, 0.6]) == pytest.approx(0, abs=1e-12)
    # Third differences of 0, 1, 0, 1, 0 are 4 and -4: 1.4826 * 4 / sqrt(20)
    assert wiggle([0, 1, 0, 1, 0]) == pytest.approx(1.4826 * 4 / math.sqrt(20))
    assert wiggle([0, 1, 0, 1]) == 0
    noise = np.random.default_rng(0).normal(0, 0.1, 4_000)
    assert wiggle((noise + np.linspace(3, 1, 4_000)).tolist()) == pytest.approx(0.1, rel=0.1)


losses = st.one_of(st.floats(0, 1e300), st.sampled_from([math.nan, math.inf]))
shares = st.floats(0, 1)


@settings(max_examples=300, deadline=None)
@given(
    history=st.lists(st.tuples(losses, shares, losses, shares), max_size=6),
    cells=st.lists(st.integers(0, 60), min_size=9, max_size=9),
    changes=st.fixed_dictionaries(
        {"reason": st.sampled_from(["finished", "stopped early", "interrupted", None])},
        optional={
            "best_epoch": st.integers(1, 8),
            "recipe": st.sampled_from([recipe(learning_rate=1e-9), recipe(budget_seconds=9.0)]),
            "parts": st.just({"train": 1, "validation": 0, "test": 0}),
        },
    ),
)
def test_any_training_is_diagnosed_without_a_crash(
    history: list[tuple[float, float, float, float]],
    cells: list[int],
    changes: dict[str, object],
) -> None:
    table = [list(column) for column in zip(*history, strict=True)] or [[], [], [], []]
    loss, accuracy, val_loss, val_accuracy = table
    diagnoses = diagnose(
        facts(
            history=rows(loss, val_loss, accuracy=accuracy, val_accuracy=val_accuracy),
            class_names=("a", "b", "c"),
            counts=(60, 60, 60),
            confusion=np.array(cells).reshape(3, 3),
            **changes,
        )
    )
    levels = [diagnosis.level for diagnosis in diagnoses]
    assert levels == sorted(levels, reverse=True)  # "warning" before "note"
    for diagnosis in diagnoses:
        assert "nan" not in diagnosis.text.replace("NaN", "")
        assert diagnosis.text.endswith((".", "?"))
        assert all(command.startswith("tellapart ") for _, command in diagnosis.remedies)
