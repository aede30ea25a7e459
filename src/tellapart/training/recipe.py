"""A recipe: everything that decides a run, in one frozen value.

Every option has the name that Keras gives it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from tellapart.data.dataset import PARTS, UNASSIGNED, Dataset
from tellapart.errors import UsageError, did_you_mean
from tellapart.images import ImageSpec, Interpolation, Resize
from tellapart.training.augmentation import choose_augmentation, parse_augmentation
from tellapart.training.class_weights import (
    WARRANTED,
    count_classes,
    describe_class_weights,
    imbalance,
)

Loss = Literal["sparse_categorical_crossentropy", "categorical_crossentropy"]
Schedule = Literal["constant", "one-cycle"]
TestTimeAugmentation = Literal["none", "flip"]

RECIPES = ("auto", "classic", "fast", "transfer")

CONV_MUON = "conv-muon"
"""The optimizer of `training.muon`, by its name in a recipe."""

MUON_LEARNING_RATE = 0.12
"""Its own: a kernel turns by so much, in radians, at the height of a training."""

SMALL_DATA_UPDATES = 1_000
"""`auto` trains for at least so many updates: 3 epochs of 1,400 pictures would be only 130."""

AUTO_LABEL_SMOOTHING = 0.1
"""Raised validation accuracy on digits from 98.1% to 99.5% (six splits; docs/choices.md)."""

MAX_AUTO_EPOCHS = 60

MAX_BUDGET_EPOCHS = 200
"""The most epochs that a budget buys: more only learn the training pictures by heart."""

AGREEING_SHARE = 0.9
"""A stray picture of another size does not make a data set one of many sizes."""

SMALLEST_FOR_VALID_PADDING = 16
"""In smaller pictures the rim that `classic-28` drops is a third of the pixels and more."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run.

    Attributes:
        name: "classic" is the textbook's, to the letter; "fast" learns quickly from scratch;
            "transfer" takes a pretrained network's features; "auto" fits the data.
        model: a network's name, or what the user's own model is called.
        image_size: height and width that pictures are resized to.
        channels: 1 (grey) or 3 (colour).
        resize, interpolation: see `ImageSpec`.
        rescale: what pixels are multiplied by before the user's own model; None decides.
        optimizer: a name that `keras.optimizers.get` knows, or "conv-muon" (`training.muon`).
        learning_rate: of the optimizer; None keeps its default.
        schedule: "constant"; or "one-cycle", in which the learning rate rises, and falls to 0 by
            the end of the training.
        loss: integer labels ("sparse_categorical_crossentropy") or one-hot
            ("categorical_crossentropy"); the same number, the same gradients.
        label_smoothing: share of each label spread over all classes, 0 to 1.
        epochs: how often every training picture is seen.
        batch_size: pictures per update of the weights.
        validation_split: share of the training pictures set apart to watch training.
        test_split: share of all pictures set apart to measure the result, where the source has
            no test part of its own.
        early_stopping: stop after so many epochs without a lower validation loss; None: never.
        restore_best_weights: end with the weights of the epoch with the lowest validation loss.
        augment: what is done to training pictures: "none", "light", "strong", or a list of
            operations such as "flip,shift=0.1"; see `parse_augmentation`.
        class_weight: "balanced": pictures of rare classes count more; "none".
        test_time_augmentation: "flip": the network, once trained, looks at each picture and at its
            mirror image, and averages what it sees; "none".
        budget_seconds: as many epochs as fit into that time, at most `epochs`, with the learning
            rate annealed by then; None: all `epochs`.
        transfer: `model` is pretrained. A linear head is fitted to its features, and its upper
            blocks are trained for `epochs` more, of which there may be none.
        weights: a file with weights of the pretrained network; None: those that come with it.
        seed: decides split, initial weights, order and augmentation; one seed, one result.
    """

    name: str
    model: str
    image_size: tuple[int, int]
    channels: int
    epochs: int
    batch_size: int = 32
    validation_split: float = 0.2
    test_split: float = 0.2
    loss: Loss = "sparse_categorical_crossentropy"
    optimizer: str = "adam"
    learning_rate: float | None = None
    schedule: Schedule = "constant"
    label_smoothing: float = 0.0
    early_stopping: int | None = None
    restore_best_weights: bool = False
    resize: Resize = "squash"
    interpolation: Interpolation = "bilinear"
    rescale: float | None = None
    augment: str = "none"
    class_weight: str = "none"
    test_time_augmentation: TestTimeAugmentation = "none"
    budget_seconds: float | None = None
    transfer: bool = False
    weights: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise UsageError("The recipe cannot be used: " + "; ".join(problems) + ".")

    @property
    def image_spec(self) -> ImageSpec:
        """What the network sees of a picture."""
        height, width = self.image_size
        return ImageSpec(height, width, self.channels, self.resize, self.interpolation)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields by name."""
        return asdict(self) | {"image_size": list(self.image_size)}


_CLASSIC: dict[str, dict[str, Any]] = {
    "classic-28": {
        "epochs": 3,
        "batch_size": 32,
        "validation_split": 0.1,
        "loss": "sparse_categorical_crossentropy",
    },
    "classic-32": {
        "epochs": 15,
        "batch_size": 64,
        "validation_split": 0.2,
        "loss": "categorical_crossentropy",
    },
    "classic-64": {
        "epochs": 10,
        "batch_size": 32,
        "validation_split": 0.2,
        "loss": "sparse_categorical_crossentropy",
    },
}
"""How each classic network is trained. A model of the user's own is trained as `classic-64`."""


def choose_recipe(
    dataset: Dataset,
    name: str = "auto",
    *,
    input_shape: tuple[int | None, ...] | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[Recipe, str]:
    """Chooses a recipe for the data.

    Args:
        dataset: its sample of picture sizes and its length decide.
        name: one of `RECIPES`.
        input_shape: (height, width, channels) that the user's own model insists on.
        options: fields of `Recipe` that the user set; None values are ignored.

    Returns:
        The recipe, and sentences that say what was chosen and why.

    Raises:
        UsageError: an unknown recipe or option, or a value out of range.
    """
    given = check_options(name, options)
    size = native_size(dataset)
    channels = max((picture[2] for picture in dataset.sizes), default=3)
    model, why = _fitting_network(size)
    if "model" in given:
        model, why = given["model"], f"{given['model']}, as asked"
    fallback = size if size is not None and max(size) <= 64 else (64, 64)
    if input_shape is not None:
        fallback = (input_shape[0] or fallback[0], input_shape[1] or fallback[1])
        channels = input_shape[2] or channels
    sentences = [f"Network {why}."]
    auto = "auto" if name == "auto" else "none"
    given |= settle_for_the_classes(
        dataset, {"augment": auto, "class_weight": auto, **given}, sentences
    )
    settings = _CLASSIC.get(model, _CLASSIC["classic-64"])
    if "loss" not in given:
        settings = settings | _loss(name, given)
    chosen = {
        "model": model, "image_size": fallback, "channels": channels, **settings, **given,
    }  # fmt: skip
    recipe = Recipe(name=name, **chosen)
    if "epochs" not in given:
        recipe = replace(recipe, epochs=_epochs(recipe, dataset, sentences))
    return recipe, " ".join(sentences)


def check_options(name: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the options that were given.

    Raises:
        UsageError: there is no such recipe, or no such option.
    """
    if name not in RECIPES:
        raise UsageError(
            f"Unknown recipe '{name}'.{did_you_mean(name, list(RECIPES))} "
            f"Expected one of {', '.join(RECIPES)}."
        )
    given = {key: value for key, value in (options or {}).items() if value is not None}
    known = [field.name for field in fields(Recipe) if field.name not in ("name", "transfer")]
    for option in given:
        if option not in known:
            raise UsageError(f"Unknown option '{option}'.{did_you_mean(option, known)}")
    return given


def settle_for_the_classes(
    dataset: Dataset, given: Mapping[str, Any], sentences: list[str]
) -> dict[str, str]:
    """Settles what is "auto" of augmentation and class weights; says so in `sentences`."""
    settled = {"augment": str(given["augment"])}
    if given["augment"] == "auto":
        settled["augment"], why = choose_augmentation(dataset.class_names)
        sentences.append(why)
    return settled | settle_class_weight(dataset, given, sentences)


def settle_class_weight(
    dataset: Dataset, given: Mapping[str, Any], sentences: list[str]
) -> dict[str, str]:
    """Settles class weights where they are "auto"; says so in `sentences`."""
    if given["class_weight"] != "auto":
        return {"class_weight": str(given["class_weight"])}
    trained = (dataset.parts == UNASSIGNED) | (dataset.parts == PARTS.index("train"))
    counts = count_classes(dataset.labels[trained], len(dataset.class_names))
    if imbalance(counts) < WARRANTED:
        return {"class_weight": "none"}
    where = "" if (dataset.parts == UNASSIGNED).all() else " in the data's own training part"
    sentences.append(describe_class_weights(counts, dataset.class_names, where))
    return {"class_weight": "balanced"}


def _loss(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The loss where none was asked for: smoothed and mixed labels are one-hot."""
    one_hot = {"loss": "categorical_crossentropy"}
    if name == "auto":
        return {**one_hot, "label_smoothing": AUTO_LABEL_SMOOTHING}
    mixes = parse_augmentation(given.get("augment", "none")).mixes
    return one_hot if given.get("label_smoothing") or mixes else {}


def native_size(dataset: Dataset) -> tuple[int, int] | None:
    """The pictures' own height and width, if nearly all those sampled agree."""
    sizes = Counter((height, width) for height, width, _ in dataset.sizes)
    if not sizes:
        return None
    size, count = sizes.most_common(1)[0]
    return size if count >= AGREEING_SHARE * sizes.total() else None


def _fitting_network(size: tuple[int, int] | None) -> tuple[str, str]:
    if size is None:
        return "classic-64", "classic-64, since the pictures differ in size"
    text = f"since the pictures are {size[0]}x{size[1]}"
    if min(size) < SMALLEST_FOR_VALID_PADDING:
        return "classic-32", f"classic-32, {text}: so small that no rim should be lost"
    if max(size) <= 28:
        return "classic-28", f"classic-28, {text}"
    if max(size) <= 48:
        return "classic-32", f"classic-32, {text}"
    return "classic-64", f"classic-64, {text}"


def expect_training(dataset: Dataset, recipe: Recipe) -> float:
    """About how many pictures a recipe trains on, once its parts are split off."""
    left = float(((dataset.parts == UNASSIGNED) | (dataset.parts == PARTS.index("train"))).sum())
    validates, tests = dataset.has_part("validation"), dataset.has_part("test")
    if not tests and not validates:  # validation pictures alone become the test part
        left *= 1 - recipe.test_split
    if not (tests and validates):
        left *= 1 - recipe.validation_split
    return max(1.0, left)


def _epochs(recipe: Recipe, dataset: Dataset, sentences: list[str]) -> int:
    """How many epochs where none were asked for."""
    if recipe.budget_seconds is not None:
        return MAX_BUDGET_EPOCHS
    if recipe.name != "auto":
        return recipe.epochs
    trained = expect_training(dataset, recipe)
    updates = math.ceil(trained / recipe.batch_size)
    epochs = max(recipe.epochs, min(MAX_AUTO_EPOCHS, math.ceil(SMALL_DATA_UPDATES / updates)))
    if epochs > recipe.epochs:
        sentences.append(
            f"{epochs} epochs instead of {recipe.epochs}, since {trained:,.0f} pictures give few "
            "updates an epoch."
        )
    return epochs


def _problems(recipe: Recipe) -> list[str]:
    found = []
    least_epochs = 0 if recipe.transfer else 1
    checks: dict[str, tuple[Any, bool, str]] = {
        "epochs": (
            recipe.epochs,
            _whole(recipe.epochs, least_epochs),
            f"a whole number of at least {least_epochs}",
        ),
        "batch_size": (
            recipe.batch_size,
            _whole(recipe.batch_size, 1),
            "a whole number of at least 1",
        ),
        "validation_split": (
            recipe.validation_split,
            _within(recipe.validation_split, 0, 1),
            "a share of at least 0 and below 1",
        ),
        "test_split": (
            recipe.test_split,
            _within(recipe.test_split, 0, 1),
            "a share of at least 0 and below 1",
        ),
        "label_smoothing": (
            recipe.label_smoothing,
            _within(recipe.label_smoothing, 0, 1),
            "a share of at least 0 and below 1",
        ),
        "learning_rate": (
            recipe.learning_rate,
            recipe.learning_rate is None or _positive(recipe.learning_rate),
            "a number above 0",
        ),
        "rescale": (
            recipe.rescale,
            recipe.rescale is None or _positive(recipe.rescale),
            "a number above 0",
        ),
        "early_stopping": (
            recipe.early_stopping,
            recipe.early_stopping is None or _whole(recipe.early_stopping, 1),
            "a whole number of epochs, at least 1",
        ),
        "budget_seconds": (
            recipe.budget_seconds,
            recipe.budget_seconds is None or _positive(recipe.budget_seconds),
            "seconds above 0",
        ),
        "class_weight": (
            recipe.class_weight,
            recipe.class_weight in ("none", "balanced"),
            "balanced, none or auto",
        ),
        "loss": (recipe.loss, recipe.loss in get_args(Loss), " or ".join(get_args(Loss))),
        "schedule": (
            recipe.schedule,
            recipe.schedule in get_args(Schedule),
            " or ".join(get_args(Schedule)),
        ),
        "test_time_augmentation": (
            recipe.test_time_augmentation,
            recipe.test_time_augmentation in get_args(TestTimeAugmentation),
            " or ".join(get_args(TestTimeAugmentation)),
        ),
        "seed": (
            recipe.seed,
            _whole(recipe.seed, 0) and recipe.seed < 2**32,
            "a whole number from 0 to 2**32 - 1",
        ),
    }
    for option, (value, fine, expected) in checks.items():
        if not fine:
            found.append(f"{option} is {value!r}, expected {expected}")
    try:
        _ = recipe.image_spec
    except (UsageError, TypeError, ValueError) as error:
        found.append(str(error).rstrip("."))
    mixes = False
    try:
        mixes = parse_augmentation(recipe.augment).mixes
    except UsageError as error:
        found.append(str(error).rstrip("."))
    if recipe.weights is not None and not recipe.transfer:
        found.append("weights are for a pretrained network: name one as the model")
    if recipe.transfer and recipe.test_time_augmentation != "none":
        found.append("test_time_augmentation is for networks that are trained from scratch")
    if mixes and recipe.loss == "sparse_categorical_crossentropy":
        found.append("mixup and cutmix need the loss categorical_crossentropy (shared labels)")
    if recipe.label_smoothing and recipe.loss == "sparse_categorical_crossentropy":
        found.append("label_smoothing needs the loss categorical_crossentropy (one-hot labels)")
    if not recipe.validation_split and (recipe.early_stopping or recipe.restore_best_weights):
        # Without validation pictures the training loss would decide, and reward overfitting.
        found.append("early_stopping and restore_best_weights need a validation_split above 0")
    return found


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _positive(value: Any) -> bool:
    return _number(value) and 0 < value < math.inf


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _within(value: Any, low: float, high: float) -> bool:
    return _number(value) and low <= value < high
