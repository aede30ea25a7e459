"""`MODEL_CARD.md`: every number from its source, nothing made up, whatever the run is like."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import tellapart.report
from tellapart.errors import RunError
from tellapart.report import markdown
from tellapart.report.model_card import MOST_ROWS, TEMPLATE, model_card, write_model_card
from tellapart.runs import MODEL_CARD, RunFolder
from tellapart.text import printable
from tests.report.card_numbers import numbers, unsourced
from tests.report.card_run import (
    CLASSES,
    Documents,
    changed,
    leaves,
    make_documents,
    removed,
    write_file,
    write_run,
)

TEMPLATES = Path(tellapart.report.__file__).parent / "templates"

HEADINGS = [
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
]
"""Of Mitchell et al. (2019), in their order."""


@pytest.fixture
def documents() -> Documents:
    return make_documents()


Card = Callable[[Documents], str]


@pytest.fixture
def card(tmp_path: Path) -> Card:
    """Writes a run and returns its card."""
    return lambda documents: model_card(write_run(tmp_path / "run", documents))


def headings(text: str) -> list[str]:
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def line_with(text: str, words: str) -> str:
    (line,) = [line for line in text.splitlines() if words in line]
    return line


def render(text: str) -> str:
    """As a hub shows it; raw HTML in it would pass."""
    return str(MarkdownIt("commonmark").enable("table").render(text.split("---\n", 2)[2]))


# --- Every number from its source ---------------------------------------------------------------


def whole(value: float) -> str:
    return f"{value:,.0f}"


def share(value: float) -> str:
    return f"{value:.3f}"


def figure(value: float) -> str:
    return f"{value:.3g}"


def percent(value: float) -> str:
    return f"{value:.0%}"


def tenths(value: float) -> str:
    return f"{value:,.1f}"


INTERVAL = ("value", "low", "high")

Place = tuple[Callable[[float], str], tuple[str, ...]]
"""How a figure is written, and what its lines hold beside it, in the order of the card."""


def ends(field: str, *lines: str) -> dict[str, Place]:
    return {f"{field}/{end}": (share, lines) for end in INTERVAL}


SHOWN: dict[str, Place] = {
    "run.json/seconds": (tenths, ("**Training:**",)),
    "run.json/machine/cores": (whole, ("processor cores",)),
    "run.json/training/epochs_done": (whole, ("ended after epoch",)),
    "run.json/training/best_epoch": (whole, ("the weights are those of epoch",)),
    "run.json/parity/checked": (whole, ("compared with the trained network on",)),
    "run.json/parity/max_difference": (figure, ("largest difference",)),
    "run.json/recipe/seed": (whole, ("drawn at random from each class with seed",)),
    "run.json/recipe/batch_size": (whole, ("**Recipe:**",)),
    "run.json/recipe/epochs": (whole, ("**Recipe:**",)),
    "run.json/recipe/label_smoothing": (figure, ("**Recipe:**",)),
    "run.json/data/counts/ant": (whole, ("The smallest class is ant",)),
    "run.json/data/counts/cat": (whole, ("the largest cat",)),
    "run.json/data/parts/train": (whole, ("to train on",)),
    "run.json/data/parts/validation": (whole, ("to validate",)),
    "run.json/data/parts/calibration": (whole, ("to calibrate",)),
    "run.json/data/parts/test": (whole, ("test pictures of insects", "to test")),
    "run.json/overlap/copies": (whole, ("of which training has seen", "have a copy")),
    **ends("run.json/overlap/accuracy_without", "Without them the accuracy is"),
    "run.json/overlap/accuracy_without/count": (whole, ("Without them",)),
    "run.json/overlap/accuracy_without/confidence": (percent, ("Without them",)),
    **ends("evaluation.json/accuracy", "**Test accuracy", "| Accuracy |"),
    "evaluation.json/accuracy/value": (share, ("      value: ", "**Test accur", "| Accuracy |")),
    "evaluation.json/accuracy/count": (
        whole,
        ("**Test accuracy", "| Accuracy |", "| Balanced accuracy |", "| Log loss |"),
    ),
    "evaluation.json/accuracy/confidence": (
        percent,
        ("**Test accuracy", "| Accuracy |", "In brackets"),
    ),
    **ends("evaluation.json/balanced_accuracy_interval", "| Balanced accuracy |"),
    "evaluation.json/balanced_accuracy_interval/confidence": (percent, ("| Balanced accuracy |",)),
    "evaluation.json/loss": (figure, ("| Log loss |",)),
    **{
        place: shown
        for row, name in enumerate(CLASSES)
        for field in ("precision", "recall", "f1")
        for place, shown in ends(
            f"evaluation.json/classes/{row}/{field}_interval", f"| {name} | {row + 2} |"
        ).items()
    },
    **{
        f"evaluation.json/classes/{row}/count": (whole, (f"| {name} | {row + 2} |",))
        for row, name in enumerate(CLASSES)
    },
    **{
        f"evaluation.json/confusion_matrix/{row}/{column}": (whole, (f"| {actual} | {said} |",))
        for row, actual in enumerate(CLASSES)
        for column, said in enumerate(CLASSES)
        if row != column and (row, column) != (0, 1)  # the sixth most frequent of five
    },
    "evaluation.json/calibration/after/brier": (figure, ("| Brier score |",)),
    "evaluation.json/calibration/after/count": (whole, ("| Brier", "| Calibration")),
    **ends("evaluation.json/calibration/after/error", "| Calibration error |"),
    **ends("evaluation.json/unsure/answered", "| Answered"),
    "evaluation.json/unsure/answered/count": (whole, ("| Answered",)),
    "evaluation.json/unsure/answered/confidence": (percent, ("| Answered",)),
    **ends("evaluation.json/unsure/right", "| Right among the answered |"),
    "evaluation.json/unsure/right/count": (whole, ("| Right among the answered |",)),
    "evaluation.json/unsure/right/confidence": (percent, ("| Right among the answered |",)),
    **ends("evaluation.json/novelty/unknown", "| Called unknown"),
    "evaluation.json/novelty/unknown/count": (whole, ("| Called unknown",)),
    "evaluation.json/novelty/unknown/confidence": (percent, ("| Called unknown",)),
    "audit.json/pictures": (whole, ("- **insects**, ",)),
    **{f"split.csv/{name}/train": (whole, (f"| {name} | ",)) for name in CLASSES},
    "classifier.onnx/height": (whole, ("**Input:**",)),
    "classifier.onnx/width": (whole, ("**Input:**",)),
    "classifier.onnx/threshold": (share, ("**Output:**",)),
}
"""Every figure of the card."""

ADDED_UP = {"trace.json/data_flow/0/parameters", "trace.json/data_flow/1/parameters"}


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def numeric_leaves(documents: Documents) -> list[tuple[tuple[Any, ...], Any]]:
    """Every number of the run that could be another one."""
    fixed = {("run.json", "format_version"), ("classifier.onnx", "channels")}
    return [
        (path, value) for path, value in leaves(documents) if is_number(value) and path not in fixed
    ]


def differences(before: str, after: str) -> list[tuple[str, str]]:
    old, new = before.splitlines(), after.splitlines()
    assert len(old) == len(new)
    return [(one, other) for one, other in zip(old, new, strict=True) if one != other]


def test_the_numbers_of_the_made_up_run_are_all_different(documents: Documents) -> None:
    values = [value for _, value in numeric_leaves(documents) if value > 3]
    assert len(set(values)) == len(values)
    rounded = [share(value) for _, value in numeric_leaves(documents) if isinstance(value, float)]
    assert len(set(rounded)) > 0.95 * len(rounded)


def test_every_figure_follows_its_source_and_no_other(documents: Documents, tmp_path: Path) -> None:
    """Changes the run's numbers one by one, and sees each change where it belongs, or nowhere."""
    folder = write_run(tmp_path / "run", documents)
    before = model_card(folder)
    seen = set()
    for path, value in numeric_leaves(documents):
        other = value + 5 if isinstance(value, int) else value * 0.9
        edited = changed(documents, path, other)
        write_file(folder.path / path[0], edited[path[0]], names=CLASSES)
        found = differences(before, model_card(folder))
        write_file(folder.path / path[0], documents[path[0]], names=CLASSES)
        place = "/".join(map(str, path))
        if place in ADDED_UP:
            seen.add(place)
            total = sum(stage["parameters"] for stage in edited["trace.json"]["data_flow"])
            assert [line for _, line in found] == [line_with(found[0][1], whole(total))]
            continue
        assert len(found) == len(SHOWN.get(place, (whole, ()))[1]), (place, found)
        way, lines = SHOWN.get(place, (whole, ()))
        for (old, new), words in zip(found, lines, strict=True):
            assert way(value) in numbers(old), (place, old)
            assert way(other) in numbers(new), (place, new)
            assert words in new, (place, new)
        seen.add(place)
    assert seen >= SHOWN.keys() | ADDED_UP


def test_texts_of_the_run_are_handed_on(documents: Documents, card: Card) -> None:
    """Sentences with numbers in them come from the run as they are."""
    before = card(documents)
    for path, where in (
        (("run.json", "diagnosis", 0, "text"), "**Overfitting:**"),
        (("audit.json", "findings", 0, "text"), "They stay together."),
        (("evaluation.json", "calibration", "notes", 1), "**Probabilities:**"),
        (("evaluation.json", "unsure", "rule", "note"), '**"Unsure":**'),
        (("evaluation.json", "novelty", "note"), "may call a picture unknown"),
    ):
        ((_, line),) = differences(before, card(changed(documents, path, "Nothing but 1234567.")))
        assert where in line
        assert "Nothing but 1234567." in line


def test_no_number_comes_from_nowhere(documents: Documents, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", documents)
    text = model_card(folder)
    assert len(numbers(text)) > 80
    assert unsourced(text, folder) == []
    assert unsourced(f"{text}\nAlmost 4,711 of them.", folder) == ["4,711"]  # it would be noticed


def test_the_template_holds_no_number() -> None:
    """Only what is put into it can be one."""
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    words = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", text, flags=re.DOTALL)
    assert numbers(words) == []


def test_a_number_without_a_format_is_refused() -> None:
    template = markdown.markdown_environment().from_string("{{ figure }}")
    with pytest.raises(TypeError, match=r"0\.25 has no way to be written"):
        template.render(figure=0.25)


# --- Headings, front matter, how to use it ------------------------------------------------------


def test_the_headings_of_model_cards(documents: Documents, card: Card) -> None:
    assert headings(card(documents)) == HEADINGS


def front_matter(text: str) -> list[str]:
    opening, matter, _ = text.split("---\n", 2)
    assert opening == ""
    return matter.splitlines()


def test_the_front_matter_of_a_hub(documents: Documents, card: Card) -> None:
    documents["evaluation.json"]["accuracy"]["value"] = 0.987654
    lines = front_matter(card(documents))
    assert lines[0].startswith("# To fill in: the licence")
    assert lines[1:] == [
        "license: unknown",
        "library_name: tellapart",
        "pipeline_tag: image-classification",
        "tags:",
        "- image-classification",
        "- tellapart",
        "- onnx",
        "- keras",
        "model-index:",
        '- name: "insects, classic-wide"',
        "  results:",
        "  - task:",
        "      type: image-classification",
        "    dataset:",
        '      name: "insects"',
        "      type: imagefolder",
        "      split: test",
        "    metrics:",
        "    - name: Accuracy on the test part",
        "      type: accuracy",
        "      value: 0.988",
    ]


def test_what_only_people_know_is_left_open(documents: Documents, card: Card) -> None:
    text = card(documents)
    open_lines = [line for line in text.splitlines() if "To fill in:" in line]
    for topic in (
        "licence of this classifier", "what it is for", "must not be used for", "consent", "harm",
        "licence of the pictures", "who made the classifier", "camera",
    ):  # fmt: skip
        assert sum(topic in line for line in open_lines) >= 1, topic


def test_how_to_use_it(documents: Documents, card: Card) -> None:
    text = card(documents)
    (python,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    compile(python, "card", "exec")
    assert len(python.splitlines()) == 3
    (shell,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert shell == "tellapart predict classifier.onnx picture.jpg\n"
    del documents["classifier.onnx"]
    without = card(documents)
    assert "There is no file to use. There is no classifier.onnx in the run folder." in without
    assert "```" not in without


def test_the_users_paths_are_not_told(documents: Documents, card: Card) -> None:
    documents["run.json"]["recipe"]["model"] = "/home/somebody/mine.py:build"
    documents["run.json"]["recipe"] |= {"transfer": True, "weights": "/home/somebody/weights.h5"}
    documents["run.json"]["asked"] |= {"labels": "/home/somebody/labels.csv"}
    text = card(documents)
    assert "mine.py:build" in text
    assert "(the weights are from a file of the trainer's own)" in text
    assert "what the pretrained weights were trained on, and their licence" in text
    assert "Some labels were corrected by a list." in text
    assert "home" not in text


# --- Runs of every kind -------------------------------------------------------------------------


def test_from_scratch_transferred_and_fine_tuned(documents: Documents, card: Card) -> None:
    assert "trained from scratch on these pictures" in line_with(card(documents), "**Network:**")
    recipe = documents["run.json"]["recipe"]
    recipe |= {"transfer": True, "epochs": 0}
    frozen = card(documents)
    network = line_with(frozen, "**Network:**")
    assert "pretrained on the photos of ImageNet and left as it was; a linear layer" in network
    assert "**To fill in:** the licence of the pretrained weights." in frozen
    assert "**Recipe:**" not in frozen
    assert "ended after epoch" not in frozen
    recipe["epochs"] = 7
    # It says so, and not that it was only tried.
    documents["events.jsonl"] = [{"event": "Noted", "text": "Fine-tuning did not help (0.9 ...)."}]
    assert "left as it was" in line_with(card(documents), "**Network:**")
    documents["events.jsonl"] = [{"event": "Noted", "text": "Fine-tuning helped: 0.9 ..."}]
    tuned = card(documents)
    assert "its upper layers trained further on these" in line_with(tuned, "**Network:**")
    assert "at most 7 epochs" in tuned


def test_a_network_that_looks_at_mirror_images(documents: Documents, card: Card) -> None:
    said = "The network looks at each picture and at its mirror image"
    assert said not in card(documents)
    documents["run.json"]["recipe"]["test_time_augmentation"] = "flip"
    assert said in card(documents)


def test_an_interrupted_run(documents: Documents, card: Card) -> None:
    documents["run.json"] |= {"status": "interrupted"}
    documents["run.json"]["training"] |= {"reason": "interrupted", "epochs_done": 8}
    text = card(documents)
    assert "- Training was ended by hand, before its last epoch." in text
    assert "It ended after epoch 8, by hand; the weights are those of epoch" in text


def test_a_run_that_failed(documents: Documents, card: Card) -> None:
    documents["run.json"] |= {"status": "failed", "training": None, "parity": None}
    for missing in ("evaluation.json", "classifier.onnx", "trace.json"):
        del documents[missing]
    text = card(documents)
    assert headings(text) == HEADINGS
    assert (
        "**Its accuracy was not measured.** There is no evaluation.json in the run folder" in text
    )
    assert 'The run ended with the status "failed": do not rely on what is here.' in text
    assert "  results: []" in front_matter(text)


@pytest.mark.parametrize(
    ("own", "asked", "words"),
    [
        ({"unassigned": 9}, {}, "drawn at random from each class with seed"),
        ({"train": 9, "test": 3}, {}, "the data's own test part."),
        ({"train": 9, "validation": 3}, {}, "the data's own validation part, since it has no test"),
        ({"train": 9, "validation": 3}, {"keep_validation": True}, "drawn at random from each"),
        ({"train": 9, "test": 0}, {}, "drawn at random from each class with seed"),
    ],
)
def test_how_the_test_part_came_about(
    own: dict[str, int], asked: dict[str, Any], words: str, documents: Documents, card: Card
) -> None:
    documents["audit.json"]["classes"]["ant"] = own
    documents["run.json"]["asked"] = asked
    assert words in line_with(card(documents), "test pictures of insects")


def test_classes_that_were_hardly_measured_or_not_at_all(documents: Documents, card: Card) -> None:
    ant, bee, _ = documents["evaluation.json"]["classes"]
    nothing = dict.fromkeys(("recall", "recall_interval", "f1", "f1_interval"))
    ant |= {"count": 0} | nothing
    bee |= {"count": 19, "predicted": 0, "precision": None, "precision_interval": None}
    text = card(documents)
    assert "since the test part has none of their pictures:** ant." in text
    assert "whose figures are largely luck:** bee (19)." in text
    assert line_with(text, "| ant | 2 |").endswith("| – | – |")
    assert re.search(r"\| bee \| \d+ \| 19 \| – \| 0\.", text)


def test_no_test_pictures(documents: Documents, card: Card) -> None:
    nothing = {"value": None, "low": None, "high": None, "count": 0, "confidence": 0.95}
    documents["evaluation.json"] |= {
        "accuracy": nothing, "balanced_accuracy": None, "balanced_accuracy_interval": None,
        "loss": None,
    }  # fmt: skip
    text = card(documents)
    assert "**Its accuracy was not measured:** there were no test pictures." in text
    assert "Not measured: there were no test pictures." in text
    assert "  results: []" in front_matter(text)


def test_figures_that_were_not_measured(documents: Documents, card: Card) -> None:
    documents["evaluation.json"]["calibration"]["after"] |= {"error": None}
    documents["evaluation.json"]["unsure"]["right"] |= dict.fromkeys(INTERVAL) | {"count": 0}
    text = card(documents)
    assert "| Calibration error |" not in text
    assert "| Right among the answered |" not in text
    assert "None" not in text


def test_pictures_of_something_else(documents: Documents, card: Card) -> None:
    novelty = documents["evaluation.json"]["novelty"]
    novelty |= {"rule": None, "unknown": None, "note": "There were no pictures to compare with."}
    text = card(documents)
    words = "A picture of something else altogether gets one of them too"
    assert line_with(text, words).endswith("There were no pictures to compare with.")
    assert "| Called unknown" not in text
    del documents["evaluation.json"]["novelty"]
    assert line_with(card(documents), words).endswith("where the probability is low.")


def test_copies_are_told_where_they_were_looked_for(documents: Documents, card: Card) -> None:
    documents["run.json"]["overlap"] = None
    assert "No test picture is known to be a copy" in card(documents)
    del documents["run.json"]["overlap"]
    assert "Whether some are copies of training pictures was not measured." in card(documents)
    documents["run.json"]["overlap"] = {
        "copies": 5,
        "accuracy_without": {"value": None, "low": None, "high": None, "count": 0},
    }
    assert "Without them the accuracy is not known: none are left." in card(documents)


def test_pictures_that_were_left_out(documents: Documents, card: Card) -> None:
    documents["run.json"]["data"]["excluded"] = [
        {"path": f"{number}.jpg", "reason": f"reason {number % 30:02}"} for number in range(60)
    ]
    text = card(documents)
    assert "cannot be read: 60** (the reasons: reason 00; reason 01; " in text
    assert "; reason 19; and others)" in text
    documents["run.json"]["data"]["excluded"] = []
    assert "cannot be read" not in card(documents)


@pytest.mark.parametrize("classes", [2, 200, MOST_ROWS + 1])
def test_any_number_of_classes(classes: int, card: Card) -> None:
    names = [f"class {number}" for number in range(classes)]
    text = card(make_documents(names))
    rows = re.findall(r"^\| class \d+ \| \d+ \| [\d,]+ \| \d\.", text, re.MULTILINE)
    assert len(rows) == min(classes, MOST_ROWS)
    assert ("those with the lowest F-score are listed" in text) is (classes > MOST_ROWS)
    assert f"into {classes} classes" in text


def test_a_run_of_before_there_were_intervals(documents: Documents, card: Card) -> None:
    found = documents["evaluation.json"]
    for name in ("calibration", "unsure", "sets", "balanced_accuracy_interval"):
        del found[name]
    for score in found["classes"]:
        for name in ("precision", "recall", "f1"):
            del score[f"{name}_interval"]
    for name in ("overlap", "diagnosis", "asked", "parity", "training"):
        del documents["run.json"][name]
    text = card(documents)
    precision, balanced = found["classes"][0]["precision"], found["balanced_accuracy"]
    assert f"| {share(precision)} |" in line_with(text, "| ant | 2 |")
    assert f"| Balanced accuracy | {share(balanced)} |" in text
    assert "- Whether its probabilities mean what they say was not measured." in text
    assert "- Whether the training went well was not diagnosed." in text


def fields(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every field of every object, with its place."""
    for key, item in value.items() if isinstance(value, dict) else ():
        yield (*path, key), item
        yield from fields(item, (*path, key))
    for number, item in enumerate(value if isinstance(value, list) else ()):
        yield from fields(item, (*path, number))


@pytest.mark.parametrize("null", [False, True])
def test_a_card_without_any_one_field(null: bool, documents: Documents, tmp_path: Path) -> None:
    """Runs of an older version lack fields; what was not measured is null."""
    folder = write_run(tmp_path / "run", documents)
    tried = 0
    for path, value in fields(documents):
        is_json = len(path) > 1 and path[0].endswith(".json") and path[1] != "format_version"
        if not is_json or (null and isinstance(value, str | list)):
            continue
        tried += 1
        edited = changed(documents, path, None) if null else removed(documents, path)
        write_file(folder.path / path[0], edited[path[0]], names=CLASSES)
        try:
            text = model_card(folder)
        except Exception as error:
            raise AssertionError(f"{path}: {error!r}") from error
        assert headings(text) == HEADINGS, path
        assert not re.search(r"\bNone\b|\bnan\b|Undefined", text), path
        write_file(folder.path / path[0], documents[path[0]], names=CLASSES)
    assert tried > 150


@pytest.mark.parametrize("missing", sorted(make_documents().keys() - {"run.json"}))
@pytest.mark.parametrize("damaged", [False, True])
def test_any_file_may_be_missing_or_damaged(
    missing: str, damaged: bool, documents: Documents, tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run", documents)
    (folder.path / missing).unlink()
    if damaged:
        (folder.path / missing).write_bytes(b'{"damaged\n')
    assert headings(model_card(folder)) == HEADINGS


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run\.json cannot be read"):
        model_card(RunFolder(tmp_path))


def test_the_file_is_written_and_the_same_each_time(documents: Documents, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", documents)
    path = write_model_card(folder)
    assert path == folder.path / MODEL_CARD
    first = path.read_text(encoding="utf-8")
    assert first == model_card(folder)
    write_model_card(folder)
    assert path.read_text(encoding="utf-8") == first
    assert not list(folder.path.glob(".*"))


# --- Other people's words -----------------------------------------------------------------------

HOSTILE = [
    "a|b",
    "`c`",
    "<script>alert(1)</script>",
    "two\nlines\n\n# heading",
    "[click](javascript:alert(1))",
    "![x](https://e.org/x.png)",
    "**bold** _and_ ~~gone~~",
    "---",
    "# heading",
    "- item",
    "3. item",
    "&lt;b&gt;",
    "back\\slash",
    "$x$ @someone",
    "\x1b[2J\u202e",
    "bytes \udcff",
    "https://e.org www.e.org a@e.org",
    "    indented",
    "{{ 7 * 7 }} {% raw %}",
]


def cells(page: str) -> list[list[str]]:
    """The rows of all tables, their cells as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    return [
        [html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<td.*?</td>", row)]
        for row in rows
    ]


def test_hostile_class_names_stay_text(card: Card) -> None:
    documents = make_documents(HOSTILE)
    documents["run.json"]["diagnosis"][0]["text"] = HOSTILE[2]
    documents["audit.json"]["findings"][0]["text"] = HOSTILE[3]
    page = render(card(documents))
    rows = [row for row in cells(page) if len(row) == 6]
    assert [row[0] for row in rows] == [printable(name).strip() for name in HOSTILE]
    allowed = {"h1", "h2", "h3", "p", "ul", "li", "strong", "code", "pre", "a", "table", "thead",
               "tbody", "tr", "th", "td"}  # fmt: skip
    assert set(re.findall(r"<([a-z0-9]+)", page)) <= allowed
    assert set(re.findall(r'href="([^"]*)"', page)) == {
        "#quantitative-analyses",
        "#evaluation-data",
    }
    assert not re.search(r"(?<!\\)(www\.|://)", card(documents).split("---\n", 2)[2])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_of_the_data(name: str, documents: Documents, card: Card) -> None:
    plain = front_matter(card(documents))
    documents["run.json"]["data"]["name"] = name
    lines = front_matter(card(documents))
    assert len(lines) == len(plain)
    assert json.loads(line_with("\n".join(lines), "      name: ").split(": ", 1)[1]) == printable(
        name
    )
    page = render(card(documents))
    assert "<script" not in page
    (title,) = re.findall(r"<h1>(.*)</h1>", page)
    assert html.unescape(title) == f"Model card: {printable(name).strip()}"


def shown(text: str) -> str:
    """Markdown's text in a list, as it is read."""
    (inside,) = re.findall(
        r"^<ul>\n<li>(.*)</li>\n</ul>\n$",
        MarkdownIt("commonmark").enable("table").render(f"- {text}\n"),
        re.DOTALL,
    )
    return html.unescape(inside)


@given(st.text(st.characters(), min_size=1).filter(lambda text: bool(text.strip())))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    expected = printable(text).strip()
    assert shown(markdown.escape(text)) == expected


# --- How numbers are written --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.9944289, "0.994"),
        (1.0, "1.000"),
        (0.0, "0.000"),
        (0.9996, "0.9996"),  # four of 10,000 are wrong: not all
        (0.99999, "0.99999"),
        (0.0004, "0.0004"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_shares(value: float | None, expected: str) -> None:
    assert markdown.share(value) == expected


def test_other_numbers() -> None:
    assert markdown.whole(1797) == "1,797"
    assert markdown.figure(0.016821) == "0.0168"
    assert markdown.figure(9.2387e-07) == "9.24e-07"
    assert markdown.figure(None) == "–"
    assert markdown.percent(0.95) == "95%"
    assert markdown.seconds(1234.56) == "1,234.6 seconds"
    found = {"value": 0.5, "low": 0.25, "high": 0.75, "count": 4, "confidence": 0.95}
    assert markdown.interval(found) == "0.500 (95% interval 0.250 to 0.750)"
    assert markdown.span(found) == "0.500 (0.250 to 0.750)"
    assert markdown.span(None) == "–"
