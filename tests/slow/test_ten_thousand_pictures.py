"""10,000 pictures of which 3% are broken in every way: audited and trained on, nothing touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tellapart as ta
from tellapart import runs
from tellapart.data import load
from tellapart.data.audit import SIGNATURES, audit
from tellapart.data.columns import open_column
from tests.data.audit.pictures import jpeg, photo
from tests.data.audit.test_bad_input import break_in_every_way, snapshot

WHOLE, EACH_BROKEN = 9_700, 20

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for number in range(WHOLE):
        path = root / "abc"[number % 3] / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(photo(number, (60, 45))))
    shutil.copy(root / "a" / "00000.jpg", root / "a" / "000.jpg")  # one of the ways starts from it
    return root


def test_a_clear_report_no_crash_nothing_touched(folder: Path, tmp_path: Path) -> None:
    expected = break_in_every_way(folder)
    broken = [name for name in expected if (folder / name).is_file()]
    for name in broken:
        source = folder / name
        for number in range(1, EACH_BROKEN):
            copy = source.with_name(f"{source.stem}-{number:02}{source.suffix}")
            shutil.copy(source, copy)
            expected[f"b/{copy.name}"] = expected[name]
    assert sum((folder / name).is_file() for name in expected) == 300
    before = snapshot(folder)
    dataset = load(folder)
    found = audit(dataset, open_column(dataset, SIGNATURES))
    (unreadable,) = (f for f in found.findings if f.topic == "unreadable")
    said = dict(item.split(": ", 1) for item in unreadable.items)
    for name, reason in expected.items():
        assert said.pop(name, f"no word of {name}").startswith(reason), name
    assert said == {}
    run = ta.train(
        folder,
        model="classic-28",
        image_size=(28, 28),
        epochs=1,
        out=tmp_path / "run",
        observers=[],
    )
    info = json.loads((run.path / runs.RUN_JSON).read_text(encoding="utf-8"))
    assert info["status"] == "finished"
    assert {item["path"] for item in info["data"]["excluded"]} == set(expected)
    assert sum(info["data"]["parts"].values()) == WHOLE + 2  # and the two copies of one
    assert snapshot(folder) == before
