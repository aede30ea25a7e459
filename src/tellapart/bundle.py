"""What a classifier file says of itself, read before any of it is run.

A classifier is one ONNX file, from uint8 pixels to probabilities. Its metadata entry `tellapart`
holds a `Bundle` as JSON. Reading it needs neither the onnx package nor ONNX Runtime: ONNX is
protobuf, and protobuf's wire format is a list of numbered fields that can be walked in place. So a
file that is not ours, or that would make a runtime open other files, is refused while it is still
nothing but bytes.
"""

from __future__ import annotations

import json
import math
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tellapart.errors import ClassifierFileError, UsageError
from tellapart.images import ImageSpec
from tellapart.onnx_file import REMEDY, foreign_kind, graph_problems, refuse_unsafe, shorten
from tellapart.wire import DamagedError, Message

FORMAT_VERSION = 1
METADATA_KEY = "tellapart"

MAX_FILE_BYTES = 2**31 - 1
"""Protobuf's own limit for a message."""

MAX_METADATA_BYTES = 16 * 2**20
MAX_CLASSES = 100_000
MAX_CLASS_NAME_CHARACTERS = 1_000

OPTIONAL = ("novelty", "sets")
"""Fields of the metadata that files of the first version may lack."""


@dataclass(frozen=True)
class Bundle:
    """The metadata of a classifier file.

    Attributes:
        class_names: in the order of the network's outputs; unique, two or more.
        image_spec: how a picture file becomes the network's pixels.
        temperature: what the network's logits are divided by before the softmax, above 0. It is
            part of the graph; here it is for the record.
        unsure: the rule that answers "unsure", as `UnsureRule.to_json` writes it; None: there is
            none. Of it, only the threshold is needed to predict.
        sets: what prediction sets hold, as `ConformalRule.to_json` writes it: of each `coverage`
            the `quantile`. There may be none.
        novelty: from which score on a picture is like nothing the network was trained on, as
            `NoveltyThreshold.to_json` writes it; None: the graph gives no such score. Of it, only
            the threshold is needed to predict.
        provenance: where the classifier comes from: data and its fingerprint, accuracy with its
            interval, date, versions. Free-form JSON.
    """

    class_names: tuple[str, ...]
    image_spec: ImageSpec
    temperature: float = 1.0
    unsure: dict[str, Any] | None = None
    sets: tuple[dict[str, Any], ...] = ()
    novelty: dict[str, Any] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def threshold(self) -> float:
        """The probability from which on an answer is given rather than "unsure"."""
        return 0.0 if self.unsure is None else float(self.unsure["threshold"])

    @property
    def novelty_limit(self) -> float:
        """The novelty score above which a picture is called unknown."""
        limit = None if self.novelty is None else self.novelty["threshold"]
        return math.inf if limit is None else float(limit)

    def to_json(self) -> dict[str, Any]:
        """Returns what the metadata entry holds."""
        return {
            "format_version": FORMAT_VERSION,
            "class_names": list(self.class_names),
            "image_spec": self.image_spec.to_json(),
            "temperature": self.temperature,
            "unsure": self.unsure,
            "sets": list(self.sets),
            "novelty": self.novelty,
            "provenance": self.provenance,
        }

    @classmethod
    def from_json(cls, value: Any, *, name: str = "The classifier") -> Bundle:
        """Reads what `to_json` wrote.

        Args:
            value: the decoded JSON.
            name: what errors call the file.

        Raises:
            ClassifierFileError: the format is of another version, or breaks its rules; all
                problems are named.
        """
        _check_version(value, name)
        problems = _problems(value)
        if problems:
            listed = "".join(f"\n  - {problem}" for problem in problems[:20])
            raise ClassifierFileError(f"{name} has damaged tellapart metadata:{listed}\n{REMEDY}")
        return cls(
            class_names=tuple(value["class_names"]),
            image_spec=ImageSpec.from_json(value["image_spec"]),
            temperature=float(value["temperature"]),
            unsure=value["unsure"],
            sets=tuple(value.get("sets", ())),
            novelty=value.get("novelty"),
            provenance=value["provenance"],
        )


def read_bundle(path: Path) -> Bundle:
    """Reads and checks a classifier file's metadata.

    Raises:
        ClassifierFileError: see `read_file` and `parse_bundle`.
    """
    return parse_bundle(read_file(path), str(path))


def read_file(path: Path) -> bytes:
    """Reads a classifier file whole.

    Raises:
        ClassifierFileError: it is no regular file, cannot be read, or is larger than 2 GiB.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device could keep us waiting for ever
            raise ClassifierFileError(f"{path} is not a file. {REMEDY}")
        if status.st_size > MAX_FILE_BYTES:
            raise ClassifierFileError(
                f"{path} has {status.st_size:,} bytes; an ONNX file has at most "
                f"{MAX_FILE_BYTES:,}. {REMEDY}"
            )
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ClassifierFileError(f"{path} cannot be read: {reason}. {REMEDY}") from error


def parse_bundle(content: bytes, name: str) -> Bundle:
    """Checks a classifier file's content and returns its metadata.

    Checked are the metadata, that no tensor lies in another file, that there are no functions and
    not too many nodes, and that the graph turns uint8 pixels of the `ImageSpec`'s shape into a
    float per class, and into a novelty score if and only if the metadata have a limit for it. Takes
    time linear in the number of fields and no memory
    beside the content.

    Args:
        content: the whole file.
        name: what errors call it.

    Raises:
        ClassifierFileError: something of that is not so.
    """
    foreign = foreign_kind(content)
    if foreign:
        raise ClassifierFileError(f"{name} {foreign}, not a classifier. {REMEDY}")
    try:
        message = Message(content)
        bundle = Bundle.from_json(_metadata(message, name), name=name)
        refuse_unsafe(message, name)
        problems = graph_problems(
            message,
            bundle.image_spec.shape,
            len(bundle.class_names),
            novelty=bundle.novelty is not None,
        )
    except DamagedError as error:
        raise ClassifierFileError(
            f"{name} is not an ONNX file, or is damaged ({error}). {REMEDY}"
        ) from None
    if problems:
        raise ClassifierFileError(
            f"{name} contradicts its own metadata: {'; '.join(problems)}. {REMEDY}"
        )
    return bundle


def attach(model: Any, bundle: Bundle) -> None:
    """Sets the metadata of an `onnx.ModelProto`, in place of any that is there.

    Raises:
        ClassifierFileError: the bundle breaks the format's rules.
        ValueError: the provenance holds a NaN or an infinity.
        TypeError: the provenance holds something that is not JSON.
    """
    # ASCII: class names from folders may hold what UTF-8, and so protobuf, cannot.
    text = json.dumps(bundle.to_json(), allow_nan=False)
    Bundle.from_json(json.loads(text))
    kept = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=METADATA_KEY, value=text)


# --- The metadata -------------------------------------------------------------------------------


def _metadata(model: Message, name: str) -> Any:
    """Decodes the JSON of the metadata entry `tellapart`."""
    values = []
    for entry in model.messages(14):  # ModelProto.metadata_props: StringStringEntryProto
        pair = entry.once(1, 2)
        if Message.text(pair.get(1)) == METADATA_KEY.encode():
            values.append(Message.text(pair.get(2)))
    if not values:
        raise ClassifierFileError(
            f"{name} has no tellapart metadata: it is an ONNX model from elsewhere. {REMEDY}"
        )
    if len(values) > 1:
        raise DamagedError(f"{len(values)} metadata entries {METADATA_KEY!r}")
    if len(values[0]) > MAX_METADATA_BYTES:
        raise DamagedError(f"{len(values[0]):,} bytes of metadata")
    try:
        return json.loads(values[0], parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"its metadata is not JSON: {shorten(str(error))}") from None


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def _check_version(value: Any, name: str) -> None:
    version = value.get("format_version") if isinstance(value, dict) else None
    if type(version) is not int or version < 1:
        raise ClassifierFileError(
            f"{name} has damaged tellapart metadata: format_version {shorten(repr(version))}: "
            f"expected a whole number from 1. {REMEDY}"
        )
    if version > FORMAT_VERSION:
        raise ClassifierFileError(
            f"{name} was written by a newer tellapart (format {shorten(str(version))}; this "
            f"version reads {FORMAT_VERSION}). Upgrade tellapart: pip install --upgrade tellapart"
        )


def _problems(value: dict[str, Any]) -> list[str]:
    """Returns everything that breaks the rules of format 1."""
    known = (
        "class_names", "format_version", "image_spec", "novelty", "provenance", "sets",
        "temperature", "unsure",
    )  # fmt: skip
    problems = [f"{shorten(key)!r}: unknown field" for key in value if key not in known]
    missing = [key for key in known if key not in value and key not in OPTIONAL]
    problems += [f"{key}: missing" for key in missing]
    if "class_names" in value:
        problems += _class_name_problems(value["class_names"])
    if "image_spec" in value:
        try:
            ImageSpec.from_json(value["image_spec"])
        except (UsageError, TypeError) as error:
            problems.append(f"image_spec: {shorten(str(error))}")
    if "temperature" in value and not _is_positive(value["temperature"]):
        problems.append(f"temperature {shorten(repr(value['temperature']))}: expected above 0")
    if "unsure" in value and not _is_rule(value["unsure"]):
        problems.append(
            f"unsure {shorten(repr(value['unsure']))}: expected null or an object with a threshold "
            "from 0 to 2"
        )
    if "sets" in value and not _are_sets(value["sets"]):
        problems.append(
            f"sets {shorten(repr(value['sets']))}: expected a list of objects with a coverage and "
            "a quantile from 0 to 1"
        )
    if "novelty" in value and not _is_novelty(value["novelty"]):
        problems.append(
            f"novelty {shorten(repr(value['novelty']))}: expected null or an object with a "
            "threshold, a number or null"
        )
    if "provenance" in value and not isinstance(value["provenance"], dict):
        problems.append(f"provenance {shorten(repr(value['provenance']))}: expected an object")
    return problems


def _class_name_problems(names: Any) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return [f"class_names {shorten(repr(names))}: expected a list of text"]
    problems = []
    if not 2 <= len(names) <= MAX_CLASSES:
        problems.append(f"class_names: {len(names)} given, expected 2 to {MAX_CLASSES:,}")
    if any(not 1 <= len(name) <= MAX_CLASS_NAME_CHARACTERS for name in names):
        problems.append(f"class_names: each needs 1 to {MAX_CLASS_NAME_CHARACTERS:,} characters")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        problems.append(f"class_names: {shorten(repr(twice))} given more than once")
    return problems


def _is_rule(value: Any) -> bool:
    return value is None or _has_numbers(value, "threshold", most=2)


def _is_novelty(value: Any) -> bool:
    if not isinstance(value, dict) or "threshold" not in value:
        return value is None
    threshold = value["threshold"]
    return threshold is None or (type(threshold) in (int, float) and abs(threshold) < 1e30)


def _are_sets(value: Any) -> bool:
    return isinstance(value, list) and all(
        _has_numbers(rule, "coverage", "quantile", most=1) for rule in value
    )


def _has_numbers(value: Any, *names: str, most: float) -> bool:
    numbers = [value.get(name) for name in names] if isinstance(value, dict) else [None]
    return all(
        isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= most
        for number in numbers
    )


def _is_positive(value: Any) -> bool:
    try:
        return type(value) in (int, float) and value > 0 and math.isfinite(value)
    except OverflowError:  # a whole number beyond any float
        return False
