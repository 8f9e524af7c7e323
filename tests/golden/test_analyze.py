"""One command on the published CIFAR-10.1 predictions gives every published figure."""

import os
from pathlib import Path

import pytest
from support.command import replicate

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FOLDER = Path(os.environ.get("REPLICATE_SHARED_DATA", _BESIDE)) / "cifar10.1"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the published CIFAR-10.1 predictions are not beside the project"
)

# scale → (slope, intercept); R² on the linear scale; mean drop in points; Spearman; Kendall τ_b;
# inverted pairs and resolved ones; the best model's accuracy.
PUBLISHED = {
    "v4": (
        {
            "linear": (1.6166, -0.6551),
            "probit": (0.9515, -0.3986),
            "logit": (0.8385, -0.4966),
        },
        0.9887, 8.11, 0.978, 0.888, (24, 0), 92.97,
    ),
    "v6": (
        {
            "linear": (1.5952, -0.6318),
            "probit": (0.9496, -0.3811),
            "logit": (0.8393, -0.4715),
        },
        0.9897, 7.78, 0.971, 0.861, (30, 0), 93.10,
    ),
}  # fmt: skip
BEST = "shake_shake_26_2x64d_SSI_cutout16"


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    page = tmp_path_factory.mktemp("golden") / "cifar.html"
    words = ["analyze", "--json", "--report", page, "--original", FOLDER / "original_predictions"]
    words += ["--labels-original", FOLDER / "original_labels.npy"]
    for name in PUBLISHED:
        words += ["--new", f"{name}={FOLDER / f'{name}_predictions'}"]
        words += ["--labels-new", f"{name}={FOLDER / f'{name}_labels.npy'}"]
    outcome = replicate(*words)
    assert outcome.code == 0, outcome.err
    return outcome.json()


def test_all_models_are_read_and_none_is_left_out(outcome):
    assert len(outcome["models"]) == 30
    assert outcome["excluded"] == [] and outcome["repaired"] == []
    sizes = {name: item["n"] for name, item in outcome["models"][0]["sets"].items()}
    assert sizes == {"original": 10_000, "v4": 2021, "v6": 2000}


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_every_figure(outcome, name):
    fits, r2, drop, spearman, kendall, inverted, best = PUBLISHED[name]
    (pair,) = (pair for pair in outcome["pairs"] if pair["new"] == name)
    assert (pair["n_models"], pair["n_baseline"]) == (30, 30)
    for scale, (slope, intercept) in fits.items():
        fit = pair["fits"][scale]
        assert round(fit["slope"], 4) == slope
        assert round(fit["intercept"], 4) == intercept
        for kind in ("models", "images", "both"):
            assert fit["ci"][kind][0] < slope < fit["ci"][kind][1]
    assert round(pair["fits"]["linear"]["r2"], 4) == r2
    assert round(100 * pair["mean_drop"], 2) == drop
    assert round(pair["spearman"], 3) == spearman
    assert round(pair["kendall_tau_b"], 3) == kendall
    found = pair["inversions"]
    assert (found["pairs"], found["inverted"], found["resolved"]) == (435, *inverted)
    (model,) = (model for model in outcome["models"] if model["name"] == BEST)
    assert round(100 * model["sets"]["original"]["accuracy"], 2) == 97.11
    assert round(100 * model["sets"][name]["accuracy"], 2) == best
    assert max(m["sets"][name]["accuracy"] for m in outcome["models"]) == pytest.approx(
        model["sets"][name]["accuracy"]
    )


def test_the_report_is_built_from_it(outcome):
    page = Path(outcome["report"])
    html = page.read_text(encoding="utf-8")
    assert "The 30 models lose 8.1 points on “v4”" in html
    assert "24 of 435 pairs of models change places, none by more than chance can explain" in html
    for name in PUBLISHED:
        assert (page.parent / "cifar_files" / f"scatter-{name}-logit.pdf").is_file()


def test_models_agree_more_than_independent_ones_would(outcome):
    for item in outcome["similarity"].values():
        assert item["agreement"] > item["independent"] + 0.03
    assert 1 < outcome["effective_number_of_models"] < 30
