from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sklearn_log_loss

from tellapart.errors import DataError, ModelError
from tellapart.evaluation.calibration import (
    HIGHEST,
    LOWEST,
    apply_temperature,
    brier_score,
    calibrate,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    measure,
    reliability,
)

Floats = npt.NDArray[np.float32]


def two_classes(top: npt.ArrayLike) -> Floats:
    """Rows (p, 1 - p)."""
    p = np.asarray(top, np.float32)
    return np.stack([p, 1 - p], axis=1)


def too_sure(
    count: int, classes: int, temperature: float, seed: int = 0
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Labels drawn from softmax(z), and the answers of a network that says softmax(T · z)."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((count, classes))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(classes, p=row) for row in truth])
    said = np.exp(temperature * (logits - logits.max(axis=1, keepdims=True)))
    return (said / said.sum(axis=1, keepdims=True)).astype(np.float32), labels


# --- The temperature ----------------------------------------------------------------------------


def test_dividing_the_logits_by_two_takes_the_root_of_the_probabilities() -> None:
    # sqrt(0.64) : sqrt(0.36) = 0.8 : 0.6, which over their sum of 1.4 is 4/7 : 3/7
    found = apply_temperature(two_classes([0.64]), 2.0)
    assert found.dtype == np.float32
    assert found[0] == pytest.approx([4 / 7, 3 / 7], rel=1e-6)


def test_a_temperature_of_half_squares_them() -> None:
    # 0.8² : 0.2² = 0.64 : 0.04, over 0.68
    assert apply_temperature(two_classes([0.8]), 0.5)[0, 0] == pytest.approx(0.64 / 0.68)


def test_a_temperature_of_one_changes_nothing() -> None:
    p = np.array([[1.0, 0.0], [0.3, 0.7]], np.float32)
    assert np.array_equal(apply_temperature(p, 1.0), p)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_none(temperature: float) -> None:
    with pytest.raises(ValueError, match="expected a number above 0"):
        apply_temperature(two_classes([0.8]), temperature)


def test_the_fit_without_made_up_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.evaluation.calibration.PRIOR_PICTURES", 0.0)
    # Four pictures, each said 0.9, three right. The best p is 3/4, and logits are in proportion:
    # ln(0.9 / 0.1) / T = ln(0.75 / 0.25), so T = ln 9 / ln 3 = 2
    p = two_classes([0.9] * 4)
    assert fit_temperature(p, np.array([0, 0, 0, 1])) == pytest.approx(2, rel=1e-5)


def test_ten_made_up_pictures_hold_the_temperature_near_one() -> None:
    # As above, and ten pictures on which 0.9 is right: the best p is (3 + 10 · 0.9) / 14 = 6/7,
    # so T = ln 9 / ln 6
    p = two_classes([0.9] * 4)
    found = fit_temperature(p, np.array([0, 0, 0, 1]))
    assert found == pytest.approx(math.log(9) / math.log(6), rel=1e-5)


@pytest.mark.parametrize(("classes", "temperature"), [(2, 3.0), (10, 2.0), (200, 2.0), (10, 0.5)])
def test_a_known_temperature_is_found(classes: int, temperature: float) -> None:
    p, labels = too_sure(4000, classes, temperature)
    assert fit_temperature(p, labels) == pytest.approx(temperature, rel=0.1)


def test_pictures_that_are_all_right_leave_it_bounded() -> None:
    for count in (1, 100, 5000):
        found = fit_temperature(two_classes([0.9] * count), np.zeros(count, int))
        assert LOWEST <= found < 1


def test_pictures_that_are_all_wrong_leave_it_bounded() -> None:
    found = fit_temperature(two_classes([1.0] * 5000), np.ones(5000, int))
    assert 1 < found <= HIGHEST


@pytest.mark.parametrize("top", [0.5, 1.0])
def test_probabilities_that_no_temperature_changes(top: float) -> None:
    # A softmax that says 1 and 0 everywhere and is right, or cannot tell at all: T stays 1.
    assert fit_temperature(two_classes([top] * 50), np.zeros(50, int)) == 1


def test_nothing_to_fit_on() -> None:
    assert fit_temperature(np.zeros((0, 3), np.float32), np.zeros(0, int)) == 1


def test_weights_that_became_nan() -> None:
    p = np.full((4, 3), np.nan, np.float32)
    for function in (fit_temperature, measure, reliability, brier_score):
        with pytest.raises(ModelError, match="not a number for 4 of 4 pictures"):
            function(p, np.zeros(4, int))


def test_labels_that_do_not_fit() -> None:
    with pytest.raises(DataError, match="the first is 2 for picture 1: expected 0 to 1"):
        fit_temperature(two_classes([0.9, 0.9]), np.array([0, 2]))
    with pytest.raises(DataError, match=r"shape \(3,\) for 2 predictions"):
        fit_temperature(two_classes([0.9, 0.9]), np.zeros(3, int))


@st.composite
def predictions(draw: Any) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Of any number of pictures and classes, timid or overdone, with exact zeros and ties."""
    count, classes = draw(st.integers(1, 40)), draw(st.sampled_from([2, 3, 10, 200]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = draw(st.sampled_from([0.0, 1e-6, 0.1, 3.0, 300.0])) * rng.standard_normal(
        (count, classes)
    )
    powers = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float32))
    return powers / powers.sum(axis=1, keepdims=True), rng.integers(0, classes, count)


@settings(max_examples=150, deadline=None)
@given(predictions())
def test_the_log_loss_on_the_fitting_part_never_gets_worse(
    given: tuple[Floats, npt.NDArray[np.int64]],
) -> None:
    p, labels = given
    temperature = fit_temperature(p, labels)
    assert LOWEST <= temperature <= HIGHEST
    calibrated = apply_temperature(p, temperature)
    assert log_loss(calibrated, labels) <= log_loss(p, labels)


@settings(max_examples=150, deadline=None)
@given(predictions(), st.floats(LOWEST, HIGHEST))
def test_the_predicted_class_never_changes(
    given: tuple[Floats, npt.NDArray[np.int64]], temperature: float
) -> None:
    p, _ = given
    calibrated = apply_temperature(p, temperature)
    assert np.array_equal(calibrated.argmax(axis=1), p.argmax(axis=1))
    assert calibrated.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert calibrated.min() >= 0


# --- Log loss and Brier score -------------------------------------------------------------------


def test_the_brier_score_goes_over_all_classes() -> None:
    p = np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]], np.float32)
    # (0.5 - 1)² + 0.3² + 0.2² = 0.38, and 0² + 1² + (0 - 1)² = 2
    assert brier_score(p, np.array([0, 2])) == pytest.approx((0.38 + 2) / 2)
    assert math.isnan(brier_score(p[:0], np.zeros(0, int)))


def test_the_log_loss_is_that_of_scikit_learn() -> None:
    p, labels = too_sure(200, 5, 1.5)
    expected = sklearn_log_loss(labels, p, labels=list(range(5)))
    assert log_loss(p, labels) == pytest.approx(expected, rel=1e-5)


# --- The calibration error ----------------------------------------------------------------------


def test_bins_hold_equally_many_pictures() -> None:
    # 40 pictures are enough for 4 bins of 10.
    top = np.linspace(0.5, 0.99, 40)
    labels = np.where(np.arange(40) % 10 < 7, 0, 1)  # 7 of each 10 are right
    bins = reliability(two_classes(top), labels)
    assert [one.accuracy.count for one in bins] == [10, 10, 10, 10]
    assert [one.accuracy.value for one in bins] == [0.7] * 4
    assert bins[0].confidence == pytest.approx(top[:10].mean(), abs=1e-6)
    assert bins[3].lowest == pytest.approx(top[30])
    assert bins[3].highest == pytest.approx(0.99)


def test_equal_probabilities_share_a_bin_in_whatever_order_they_come() -> None:
    p = two_classes([0.9] * 60 + [0.6] * 40)
    labels = np.array([0] * 54 + [1] * 6 + [0] * 30 + [1] * 10)
    order = np.random.default_rng(0).permutation(100)
    for rows in (np.arange(100), order):
        bins = reliability(p[rows], labels[rows])
        assert [one.accuracy.count for one in bins] == [40, 60]
        # 30 of 40 said 0.6: a gap of 0.15; 54 of 60 said 0.9: none. 0.4 · 0.15 + 0.6 · 0 = 0.06
        error = expected_calibration_error(p[rows], labels[rows])
        assert error is not None
        assert error.plain == pytest.approx(0.06)
        assert error.bins == 2
        assert error.count == 100


def test_all_predictions_equal_are_one_bin() -> None:
    error = expected_calibration_error(two_classes([0.9] * 1000), np.repeat([0, 1], [600, 400]))
    assert error is not None
    assert error.bins == 1
    assert error.plain == pytest.approx(0.3)
    assert error.value == pytest.approx(0.3, abs=0.005)
    # One standard deviation of a share of 0.6 in 1,000 is 0.0155, and 1.96 of them 0.030.
    assert error.low == pytest.approx(0.27, abs=0.005)
    assert error.high == pytest.approx(0.33, abs=0.005)


def test_what_chance_adds_is_taken_off() -> None:
    values, plain, covered = [], [], 0
    for seed in range(60):
        p, labels = too_sure(300, 5, 1.0, seed)
        error = expected_calibration_error(p, labels)
        assert error is not None
        values.append(error.value)
        plain.append(error.plain)
        covered += error.low == 0
    # The probabilities are the truth, so every interval should reach down to 0; 54 of 60 at the
    # least, for 95% of them with three standard deviations of 1.7.
    assert covered >= 52
    assert np.mean(values) < 0.6 * np.mean(plain)


def test_the_interval_holds_the_truth_where_there_is_an_error() -> None:
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        top = rng.uniform(0.7, 1, 400)
        # Right with 0.1 less than said, everywhere: the true error is 0.1.
        labels = (rng.random(400) > top - 0.1).astype(int)
        error = expected_calibration_error(two_classes(top), labels)
        assert error is not None
        covered += error.low <= 0.1 <= error.high
    assert covered >= 52


def test_certain_and_right_is_not_certainly_calibrated() -> None:
    error = expected_calibration_error(two_classes([1.0] * 50), np.zeros(50, int))
    assert error is not None
    assert (error.value, error.low, error.plain) == (0, 0, 0)
    # Wilson's lower end for 50 of 50: 1 / (1 + 1.96² / 50) = 0.9287
    assert error.high == pytest.approx(1 - 0.9287, abs=1e-4)


@settings(max_examples=80, deadline=None)
@given(predictions())
def test_an_error_lies_in_its_interval(given: tuple[Floats, npt.NDArray[np.int64]]) -> None:
    error = expected_calibration_error(*given)
    if len(given[1]) < 20:
        assert error is None
        return
    assert error is not None
    assert 0 <= error.low <= error.value <= error.high <= 1
    assert 0 <= error.plain <= error.high


def test_reliability_without_pictures() -> None:
    assert reliability(np.zeros((0, 3), np.float32), np.zeros(0, int)) == ()


# --- Before and after ---------------------------------------------------------------------------


def test_an_overdone_network_is_calibrated() -> None:
    p, labels = too_sure(4000, 10, 2.0)
    found = calibrate(p[:2000], labels[:2000], p[2000:], labels[2000:])
    assert found.before.error is not None
    assert found.after.error is not None
    assert found.before.error.low > 0.05
    assert found.after.error.low == 0
    assert found.after.log_loss < found.before.log_loss
    assert found.after.brier < found.before.brier
    assert found.fitted_on == found.after.count == 2000
    about, effect, perfect = found.notes
    assert "fitted on 2,000 pictures of the calibration part: on these the network was too" in about
    assert f"{found.after.log_loss:.3f}; {found.before.log_loss:.3f} before" in effect
    assert "cannot be told from perfect calibration with 2,000 test pictures" in perfect
    written = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert written["temperature"] == found.temperature
    assert written["fitted_part"] == "calibration part"
    assert written["after"]["error"]["value"] == found.after.error.value


def test_one_picture_to_fit_on() -> None:
    p, labels = two_classes([0.8] * 3), np.array([0, 0, 1])
    found = calibrate(p[:1], labels[:1], p, labels, fitted_part="validation part")
    assert "fitted on 1 picture of the validation part" in found.notes[0]
    assert "All of them were recognised" in found.notes[0]
    assert "The test part has 3 pictures, too few to measure" in found.notes[1]
    assert found.to_json()["before"]["error"] is None


def test_no_pictures_at_all() -> None:
    none, labels = np.zeros((0, 4), np.float32), np.zeros(0, int)
    found = calibrate(none, labels, none, labels, fitted_part="cross-validation")
    assert found.temperature == 1
    assert "no pictures to fit a temperature on (cross-validation)" in found.notes[0]
    assert found.to_json()["after"] == {"error": None, "log_loss": None, "brier": None, "count": 0}


def test_few_pictures_are_said_to_be_few() -> None:
    p, labels = too_sure(60, 3, 2.0)
    notes = calibrate(p, labels, p, labels, fitted_part="cross-validation").notes
    assert "fitted on 60 pictures in cross-validation" in notes[0]
    assert "Fewer than 100 pictures leave it uncertain" in notes[0]


def test_pictures_that_chose_the_weights_are_said_to_have_done_so() -> None:
    p, labels = too_sure(200, 3, 2.0)
    chose = calibrate(p, labels, p, labels, fitted_part="validation part", chose=True)
    watched = calibrate(p, labels, p, labels, fitted_part="validation part")
    assert chose.notes[0] == (
        f"{watched.notes[0]} These pictures also decided which weights are kept, so they are not "
        "quite new to the network: it may be a little too sure on others, and say "
        '"unsure" a little too seldom.'
    )
    assert chose.notes[1:] == watched.notes[1:]
    nothing = calibrate(p[:0], labels[:0], p, labels, fitted_part="validation part", chose=True)
    assert "These pictures" not in nothing.notes[0]


def test_a_temperature_that_does_not_fit_the_test_part_is_told() -> None:
    p, labels = too_sure(1000, 3, 2.0)
    found = calibrate(p, labels, *too_sure(1000, 3, 0.7))
    assert found.after.log_loss > found.before.log_loss
    assert "The log loss on the test part rose" in found.notes[-1]


def test_a_class_that_the_test_part_lacks() -> None:
    p, labels = too_sure(500, 3, 1.5)
    kept = labels != 2
    assert calibrate(p, labels, p[kept], labels[kept]).after.count == kept.sum()


def test_it_needs_numpy_alone() -> None:
    code = (
        "import sys, tellapart.evaluation.calibration, tellapart.evaluation.selective\n"
        "import tellapart.evaluation.conformal\n"
        "heavy = {'matplotlib', 'scipy', 'sklearn', 'keras', 'tensorflow', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sure_and_always_wrong_is_an_error_of_one_at_the_most() -> None:
    probabilities = np.zeros((20, 3), np.float32)
    probabilities[:, 0] = 1
    error = expected_calibration_error(probabilities, np.ones(20, np.int64))
    assert error is not None
    assert error.value == error.high == 1
