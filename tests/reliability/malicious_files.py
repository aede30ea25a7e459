"""Row 5: files that would run code, or read another file, when they are opened: none succeeds.

    python tests/reliability/malicious_files.py

Each payload makes a canary file if it runs, or fetches the secret of another file if it is read.
Keras models, weights, arrays, tables, archives, run folders and classifiers are opened as the
commands open them.
"""

from __future__ import annotations

import argparse
import base64
import csv
import io
import json
import marshal
import os
import pickle
import struct
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from tests.reliability.lab import Case, Outcome, failures, report, try_all

SECRET = "the secret of another file"
MOST_BYTES = 3 * 2**30
"""TensorFlow itself takes half a GiB."""

VARIABLE = "TELLAPART_TEST_PLACE"
"""Names the folder in which the canary would be, to both processes."""


def place() -> Path:
    """The folder of the canary, the secret, and a module that nobody should import."""
    return Path(os.environ[VARIABLE])


def canary() -> Path:
    return place() / "canary"


def prepare(folder: Path) -> None:
    """Puts the secret and the module there."""
    os.environ[VARIABLE] = str(folder)
    (folder / "secret.txt").write_text(f"{SECRET}\n")
    code = f"open({str(canary())!r}, 'w').close()\n"
    (folder / "tellapart_evil_module.py").write_text(
        f"{code}\ndef build(*args, **kwargs):\n    {code}\nclass Evil:\n    pass\n"
    )


def open_it(name: str, content: bytes) -> str:
    """Runs in the other process: opens a file as the commands do, and looks for the canary."""
    from tellapart.errors import TellapartError

    canary().unlink(missing_ok=True)
    sys.path[:] = [*dict.fromkeys([*sys.path, str(place())])]
    with tempfile.TemporaryDirectory(dir=place()) as folder:
        os.environ["TELLAPART_CACHE"] = str(Path(folder, "cache"))
        path = Path(folder, name)
        path.write_bytes(content)
        os.chdir(folder)
        try:
            said = OPENERS[path.suffix](path)
            word = f"opened: {said}"
        except TellapartError as error:
            word = f"refused: {' '.join(str(error).split())}"
            said = word
        finally:
            os.chdir("/")
        if canary().exists():
            return "canary: code was run"
        if SECRET in str(said):
            return "canary: another file was read"
        if list(place().glob("escaped*")):
            return "canary: a file was written"
        return word


# --- How they are opened ------------------------------------------------------------------------


def _open_keras(path: Path) -> str:
    from tellapart.models.registry import resolve

    model = resolve(str(path))
    said = [
        str(layer.get_vocabulary()) for layer in model.layers if hasattr(layer, "get_vocabulary")
    ]
    said += [str(weight)[:500] for weight in model.get_weights()]
    model(np.zeros((1, *model.input_shape[1:]), np.float32))
    return " ".join(said)


def _open_checkpoint(path: Path) -> str:
    from tellapart.models.backbones.checkpoint import read_checkpoint

    return str(sorted(read_checkpoint(path)))


def _open_data(path: Path) -> str:
    from tellapart.data import load

    dataset = load(path)
    return f"{len(dataset)} pictures of {dataset.class_names}"


def _open_classifier(path: Path) -> str:
    from tellapart.classifier import Classifier

    return str(Classifier.load(path).predict(np.zeros((6, 8, 3), np.uint8)).label)


def _open_table(path: Path) -> str:
    """What is written of a table whose names are formulas is none, and comes back exactly."""
    from PIL import Image

    from tellapart.data import load, open_store, split, write_split_csv
    from tellapart.data.relabel import write_labels
    from tellapart.data.split import read_split_rows
    from tellapart.evaluation.answers import _read as read_predictions
    from tellapart.evaluation.predictions import write_predictions_csv
    from tellapart.images import ImageSpec

    with path.open(newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream)):
            file = path.parent / row["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (number, 0, 0)).save(file, "PNG")
    dataset = load(path)
    parts = split(dataset, exclude=open_store(dataset, ImageSpec(8, 8)).failures)
    written = [path.parent / name for name in ("split.csv", "predictions.csv", "labels.csv")]
    write_split_csv(written[0], dataset, parts)
    names, labels = list(dataset.class_names), dataset.labels
    shares = np.eye(len(names))[labels]
    write_predictions_csv(written[1], shares, labels, names, dataset.paths)
    told = [(p, names[k], names[k], 0.5) for p, k in zip(dataset.paths, labels, strict=True)]
    write_labels(written[2], told)
    for file in written:
        with file.open(newline="") as stream:
            cells = [cell for row in csv.reader(stream) for cell in row]
        live = [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
        if live:
            return f"{SECRET} {file.name}: {live[0]!r} is a formula"
    rows = {row.path: row.label for row in read_split_rows(written[0])}
    actual, _ = read_predictions(written[1])
    expected = {p: names[k] for p, k in zip(dataset.paths, labels, strict=True)}
    if rows != expected or actual != expected:
        return f"{SECRET}: names do not come back"
    return f"{len(dataset)} pictures"


def _open_run(path: Path) -> str:
    """A run folder from elsewhere: every command that reads one."""
    from typer.testing import CliRunner

    from tellapart.cli.app import app

    run = path.parent / "run"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(run)
    said = []
    for command in ("summary", "report", "trace", "predict", "explain", "compare", "quantize"):
        more = (
            [str(run)] if command == "compare" else ["x.png"] * (command in ("predict", "explain"))
        )
        done = CliRunner().invoke(app, [command, str(run), *more])
        said.append(f"{command} {done.exit_code}")
    return ", ".join(said)


OPENERS = {
    ".keras": _open_keras,
    ".h5": _open_keras,
    ".pth": _open_checkpoint,
    ".pt": _open_checkpoint,
    ".npz": _open_data,
    ".npy": _open_data,
    ".zip": _open_data,
    ".tar": _open_data,
    ".onnx": _open_classifier,
    ".csv": _open_table,
    ".run": _open_run,
}


# --- Keras models -------------------------------------------------------------------------------


def keras_file(
    layers: list[dict[str, Any]], members: dict[str, bytes] | None = None, **config: Any
) -> bytes:
    """A `.keras` file of some layers between an input of (8, 8, 3) and an output of 2."""
    ends = [
        _layer("Flatten", name="flatten"),
        _layer("Dense", name="dense", units=2, activation="softmax"),
    ]
    start = _layer("InputLayer", name="input", batch_shape=[None, 8, 8, 3], dtype="float32")
    model = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "sequential", "layers": [start, *layers, *ends]},
        "registered_name": None,
        "build_config": {"input_shape": [None, 8, 8, 3]},
        **config,
    }
    metadata = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps(metadata))
        archive.writestr("config.json", json.dumps(model))
        for name, content in {"model.weights.h5": weights(), **(members or {})}.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return stream.getvalue()


def _layer(kind: str, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def _function(module: str, name: str) -> dict[str, Any]:
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": "function",
    }


def weights(link: str = "") -> bytes:
    """Weights that fit, or whose numbers lie in another file."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        group = file.create_group("layers/dense/vars")
        file.create_group("layers/flatten/vars")
        size = 8 * 8 * 3 * 2
        secret = str(place() / "secret.txt")
        if link == "storage":
            group.create_dataset("0", (192, 2), "u1", external=[(secret, 0, h5py.h5f.UNLIMITED)])
        elif link == "link":
            group["0"] = h5py.ExternalLink(secret, "/x")
        elif link == "soft":
            group["0"] = h5py.SoftLink("/nowhere")
        elif link == "vast":
            group.create_dataset(
                "0", (2**34, 2), "f4", chunks=(2**16, 2), compression="gzip", fillvalue=1
            )
        else:
            group.create_dataset("0", data=np.zeros((size // 2, 2), np.float32))
        group.create_dataset("1", data=np.zeros(2, np.float32))
    return stream.getvalue()


def _lambda(code: Any) -> dict[str, Any]:
    function = {
        "class_name": "__lambda__",
        "config": {"code": code, "defaults": None, "closure": None},
    }
    return _layer("Lambda", name="evil", function=function, arguments={})


def keras_models() -> Iterator[Case]:
    """Keras files that would run code, or read or write another file."""
    run = f"open({str(canary())!r}, 'w').close()"
    marshalled = marshal.dumps(eval(f"lambda x: ({run}, x)[1]").__code__)
    encoded = base64.b64encode(marshalled).decode()
    secret = str(place() / "secret.txt")
    yield "whole.keras", keras_file([])
    yield "lambda.keras", keras_file([_lambda(encoded)])
    yield "lambda-old.keras", keras_file([_lambda([encoded, None, None])])
    shape = _layer("Lambda", name="evil", function=_function("builtins", "abs"), arguments={})
    shape["config"]["output_shape"] = _lambda(encoded)["config"]["function"]
    yield "lambda-shape.keras", keras_file([shape])
    for module, name in (
        ("builtins", "exec"),
        ("os", "system"),
        ("subprocess", "getoutput"),
        ("keras.config", "enable_unsafe_deserialization"),
        ("keras.src.saving.serialization_lib", "enable_unsafe_deserialization"),
        ("tellapart_evil_module", "build"),
    ):
        dense = _layer("Dense", name="evil", units=2, activation=_function(module, name))
        yield f"activation-{module}-{name}.keras", keras_file([dense])
        called = _layer("Lambda", name="evil", function=_function(module, name), arguments={})
        yield f"lambda-{module}-{name}.keras", keras_file([called])
    fetch = _layer("Lambda", name="evil", function=_function("keras.utils", "get_file"))
    fetch["config"]["arguments"] = {
        "fname": str(place() / "escaped"), "origin": f"file://{secret}", "extract": False
    }  # fmt: skip
    yield "get-file.keras", keras_file([fetch])
    for module, kind in (
        ("subprocess", "Popen"),
        ("tellapart_evil_module", "Evil"),
        ("os", "_wrap_close"),
        ("keras.src.utils.file_utils", "get_file"),
        ("keras.src.legacy.saving.legacy_h5_format", "load_model_from_hdf5"),
    ):
        evil = _layer(kind, module, args=["touch", str(canary())], name="evil")
        yield f"class-{module}-{kind}.keras", keras_file([evil])
    inner = keras_file([])
    yield (
        "compiled.keras",
        keras_file(
            [],
            compile_config={
                "optimizer": _function("tellapart_evil_module", "build"),
                "loss": _lambda(encoded)["config"]["function"],
            },
        ),
    )
    torch = _layer("TorchModuleWrapper", name="evil")
    torch["config"]["module"] = {
        "class_name": "__bytes__", "config": base64.b64encode(pickle.dumps(_Touch())).decode()
    }  # fmt: skip
    yield "torch.keras", keras_file([torch])
    words = _layer("StringLookup", name="evil", vocabulary=secret)
    yield "vocabulary.keras", keras_file([words])
    words = _layer(
        "TextVectorization", name="evil", vocabulary=secret, standardize=None, split=None,
        ngrams=None, output_mode="int", output_sequence_length=None, pad_to_max_tokens=False,
        max_tokens=None, idf_weights=None, sparse=False, ragged=False, encoding="utf-8",
    )  # fmt: skip
    yield "vocabulary-text.keras", keras_file([words])
    table = _layer("TFSMLayer", name="evil", filepath=str(place()))
    yield "saved-model.keras", keras_file([table])
    climbing = {"assets/../../escaped": b"x", "../escaped": b"x", str(place() / "escaped"): b"x"}
    yield "members.keras", keras_file([], climbing)
    yield "nested.keras", keras_file([], {"assets/inner.keras": inner})
    for link in ("storage", "link", "soft", "vast"):
        yield f"weights-{link}.keras", keras_file([], {"model.weights.h5": weights(link)})
    deep: Any = {}
    for _ in range(900):
        deep = {"class_name": "x", "config": deep}
    yield "deep.keras", keras_file([_layer("Dense", name="evil", units=2, activation=deep)])
    wide = _layer("Dense", name="evil", units=2**62)
    yield "wide.keras", keras_file([wide])
    yield "bomb.keras", keras_file([], {"assets/x": bytes(2**21), "x": bytes(2**29)})
    yield "old.h5", weights()
    yield "pickle.keras", pickle.dumps(_Touch())


class _Touch:
    """Makes the canary when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {canary()}",))


# --- Everything else ----------------------------------------------------------------------------


def other_files() -> Iterator[Case]:
    """Weights, arrays, tables, archives, run folders and classifiers."""
    touch = pickle.dumps(_Touch())
    yield "pickle.pth", touch
    yield "protocol-0.pth", pickle.dumps(_Touch(), protocol=0)
    yield "zip.pth", _zip({"archive/data.pkl": touch, "archive/byteorder": b"little"})
    yield "zip.pt", _zip({"archive/data.pkl": pickle.dumps({"w": _Touch()}, protocol=2)})
    yield "pickle.onnx", touch
    yield "pickle.npz", touch
    yield "objects.npy", _saved(np.array([_Touch()], object))
    images, labels = np.zeros((4, 8, 8), np.uint8), np.array([0, 1, 0, 1])
    touchy = np.array([_Touch()] * 4, object)
    yield "objects-x.npz", _npz(x=touchy, y=labels)
    yield "objects-y.npz", _npz(x=images, y=touchy)
    yield "objects-names.npz", _npz(x=images, y=labels, class_names=touchy[:2])
    yield "header.npz", _zip({"x.npy": _npy_header(f"__import__('os').system('touch {canary()}')")})
    code = (place() / "tellapart_evil_module.py").read_bytes()
    names = ["a/__init__.py", "b/sitecustomize.py", "numpy.py", "PIL/__init__.py", "keras.py",
             "evil.pth", "conftest.py", "a/1.png", "b/2.png"]  # fmt: skip
    yield "code.tar", _tar(dict.fromkeys(names, code))
    yield "code.zip", _zip(dict.fromkeys(names, code))
    formulas = ["=cmd|' /C calc'!A0", "@SUM(1+1)*cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0",
                "-2+3+cmd|' /C calc'!A0", "a;=1+1", "'=1+1"]  # fmt: skip
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("path", "label"))
    for label in formulas:
        writer.writerows((f"=1+{label.strip('/').replace('/', '_')}{n}.png", label) for n in "1234")
    yield "formulas.csv", text.getvalue().encode()
    evil = f"{place() / 'tellapart_evil_module.py'}:build"
    info: dict[str, Any] = dict.fromkeys(("model", "network", "command"), evil)
    info |= {"recipe": {"model": evil}, "asked": {"model": evil}, "status": "finished"}
    info |= {"data": {"name": evil, "location": evil}}
    yield "recipe.run", _zip({"run.json": json.dumps(info).encode()})
    with_model = {"run.json": json.dumps(info).encode()}
    run = f"open({str(canary())!r}, 'w').close()"
    marshalled = marshal.dumps(eval(f"lambda x: ({run}, x)[1]").__code__)
    with_model["model.keras"] = keras_file([_lambda(base64.b64encode(marshalled).decode())])
    yield "model.run", _zip(with_model)


def _zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _tar(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _saved(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def _npz(**arrays: Any) -> bytes:
    return _zip({f"{name}.npy": _saved(array) for name, array in arrays.items()})


def _npy_header(text: str) -> bytes:
    """An array whose header is an expression instead of a dictionary."""
    header = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header


def judge(outcomes: list[Outcome]) -> list[Outcome]:
    """Returns those whose payload ran, and those that ended other than by an error of ours."""
    return failures(outcomes) + [
        outcome
        for outcome in outcomes
        if outcome.word == "canary" or outcome.peak_bytes > MOST_BYTES
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for cases in (keras_models(), other_files()):
            for outcome in try_all("tests.reliability.malicious_files:open_it", cases):
                outcomes.append(outcome)
                if options.verbose:
                    reason = " ".join(outcome.reason.split()).replace(folder, "")[-300:]
                    print(
                        f"{outcome.name:60} {outcome.word:8} {outcome.seconds:.1f} {reason!r}",
                        flush=True,
                    )
    return report("malicious files", outcomes, judge(outcomes))


if __name__ == "__main__":
    sys.exit(main())
