"""The rows about hostile files: small here, whole under `make slow`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability import (
    bombs,
    escaping_archives,
    malicious_files,
    mutated_classifiers,
    mutated_pictures,
)
from tests.reliability.lab import Outcome, failures, summary, try_all


def test_the_lab_tells_a_crash_from_a_hang_and_a_fault() -> None:
    """Or all of the following would mean nothing."""
    tried = "tests.reliability.test_reliable_hostile:misbehave"
    cases = [(name, b"") for name in ("well", "crash", "fault", "hang", "refuse")]
    outcomes = list(try_all(tried, cases, seconds_each=3))
    words = [outcome.word for outcome in outcomes]
    assert words == ["well", "crash", "fault", "hang", "refused"]
    assert outcomes[4].reason == "for a: reason"
    assert outcomes[1].reason == "the process ended with -6"
    assert "ZeroDivisionError" in outcomes[2].reason
    assert failures(outcomes) == outcomes[1:4]
    assert summary("row", outcomes).startswith("row: 5 files: 1 well, 1 crash, 1 fault, 1 hang")


def misbehave(name: str, content: bytes) -> str:
    """Runs in the other process."""
    if name == "crash":
        os.abort()
    if name == "hang":
        while True:
            pass
    if name == "fault":
        raise ZeroDivisionError
    return "refused: for a: reason" if name == "refuse" else name


def tell(outcomes: list[Outcome]) -> list[str]:
    """Names what failed, for the message of the test."""
    return [f"{outcome.name}: {outcome.word}: {outcome.reason}" for outcome in outcomes]


# --- 1. Pictures --------------------------------------------------------------------------------


def check_pictures(count: int) -> list[Outcome]:
    cases = mutated_pictures.mutants(count)
    outcomes = list(try_all("tests.reliability.mutated_pictures:predict_one", cases))
    assert tell(mutated_pictures.judge(outcomes)) == []
    assert len(outcomes) == count
    return outcomes


def test_mutated_pictures() -> None:
    words = {outcome.word for outcome in check_pictures(700)}
    assert words == {"predicted", "refused"}


@pytest.mark.slow
def test_ten_thousand_mutated_pictures() -> None:
    check_pictures(10_000)


def test_whole_pictures_are_predicted() -> None:
    """So that what is refused is refused for its damage."""
    cases = mutated_pictures.originals().items()
    outcomes = try_all("tests.reliability.mutated_pictures:predict_one", cases)
    assert {outcome.word for outcome in outcomes} == {"predicted"}


# --- 2. Bombs -----------------------------------------------------------------------------------


def check_bombs(*, large: bool) -> list[Outcome]:
    outcomes = list(try_all("tests.reliability.bombs:open_it", bombs.cases(large=large)))
    assert tell(bombs.judge(outcomes)) == []
    return outcomes


def test_bombs() -> None:
    outcomes = {outcome.name: outcome.reason for outcome in check_bombs(large=False)}
    assert len(outcomes) >= 35
    for claims in ("claims.png", "claims.tif", "claims.bmp", "claims.gif", "claims.jpg"):
        assert "has more than 178 million pixels, the most that is decoded" in outcomes[claims]
    for name in ("overlapping.zip", "claims.zip"):
        assert "looks like a decompression bomb" in outcomes[name]
    for name in ("negative.tar", "negative-second.tar"):
        assert "is damaged or cut short (a member of -1,024 bytes)" in outcomes[name]
    assert "(a header of -1,024 bytes)" in outcomes["negative-name.tar"]
    assert "binary-eps.jpg: is a PostScript document, not a picture" in outcomes["binary-eps.jpg"]


@pytest.mark.slow
def test_all_bombs() -> None:
    outcomes = {outcome.name: outcome.reason for outcome in check_bombs(large=True)}
    for name in ("zeros.tar.bz2", "zeros.tar.gz", "zeros.tar.xz", "array.npz"):
        assert "looks like a decompression bomb" in outcomes[name]
    for name in ("long-name.tar.bz2", "notes.tar.bz2"):
        assert "(a header of 943,718,400 bytes)" in outcomes[name]


# --- 3. Archives --------------------------------------------------------------------------------


def test_escaping_archives() -> None:
    tried = "tests.reliability.escaping_archives:open_and_watch"
    must = list(try_all(tried, escaping_archives.refused()))
    may = list(try_all(tried, escaping_archives.odd()))
    assert tell(escaping_archives.judge(must + may)) == []
    assert len(must) >= 35
    assert {outcome.word for outcome in may} == {"loaded", "refused"}


def test_what_is_written_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    before = escaping_archives.state(tmp_path)
    (tmp_path / "a" / "b").write_text("x")
    assert dict(escaping_archives.state(tmp_path).items() - before.items()).keys() == {"a/b"}
    (tmp_path / "a" / "link").symlink_to("b")
    assert escaping_archives.state(tmp_path)["a/link"] == "link to b"


# --- 4. Classifiers -----------------------------------------------------------------------------


def check_classifiers(cases: Iterator[tuple[str, bytes]]) -> list[Outcome]:
    tried = "tests.reliability.mutated_classifiers:load_and_predict"
    with mutated_classifiers.bounds(seconds=1):
        outcomes = list(try_all(tried, cases))
    assert tell(mutated_classifiers.judge(outcomes)) == []
    return outcomes


def test_mutated_classifiers() -> None:
    words = {outcome.word for outcome in check_classifiers(mutated_classifiers.mutants(400))}
    assert words == {"predicted", "refused", "failed"}


@pytest.mark.slow
def test_a_thousand_mutated_classifiers() -> None:
    check_classifiers(mutated_classifiers.mutants(1000, seed=1))


def test_made_up_classifiers(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    outcomes = check_classifiers(mutated_classifiers.made_up(pipe))
    words = {outcome.name.removesuffix(".onnx"): outcome.word for outcome in outcomes}
    assert words["path-in-metadata"] == "predicted"
    assert words["functions"] == words["nodes"] == words["cycle"] == "refused"
    assert words["endless-loop"] == words["doubling-loop"] == words["vast-1000000000"] == "failed"


# --- 5. Code ------------------------------------------------------------------------------------


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(malicious_files.VARIABLE, str(tmp_path))
    malicious_files.prepare(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("prepared")
def test_malicious_files() -> None:
    tried = "tests.reliability.malicious_files:open_it"
    models = list(try_all(tried, malicious_files.keras_models()))
    others = list(try_all(tried, malicious_files.other_files()))
    assert tell(malicious_files.judge(models + others)) == []
    opened = {outcome.name for outcome in models + others if outcome.word == "opened"}
    # Whole but for what nobody reads; a table of formulas, written so that none is live; and run
    # folders, which every command refuses by itself.
    assert opened == {
        "whole.keras", "compiled.keras", "members.keras", "nested.keras", "formulas.csv",
        "recipe.run", "model.run",
    }  # fmt: skip
    assert not malicious_files.canary().exists()


@pytest.mark.filterwarnings("ignore")
def test_the_attacks_are_real(prepared: Path) -> None:
    """What is not asked to be safe runs them."""
    import pickle

    import keras

    files = dict(malicious_files.keras_models())
    file = prepared / "lambda.keras"
    file.write_bytes(files["lambda.keras"])
    loaded = keras.saving.load_model(file, compile=False, safe_mode=False)
    loaded(keras.ops.zeros((1, 8, 8, 3)))
    assert malicious_files.canary().exists()
    malicious_files.canary().unlink()
    pickle.loads(dict(malicious_files.other_files())["pickle.pth"])
    assert malicious_files.canary().exists()


def test_a_file_that_would_run_code_is_noticed(prepared: Path) -> None:
    """`file.py:function` is code and is run: the lab sees that."""
    os.environ["TELLAPART_CACHE"] = tempfile.mkdtemp(dir=prepared)
    from tellapart.models.registry import resolve

    assert callable(resolve(f"{prepared / 'tellapart_evil_module.py'}:build"))
    assert malicious_files.canary().exists()
