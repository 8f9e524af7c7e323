"""How long a report takes: 20 models and 7 sets, drawn and written (run with --benchmark-only)."""

from reporting.plausible import report_data

from replicate.reporting.page import write_report

LIMIT = 4.0  # seconds, on two cores that do nothing else


def test_a_report_is_written_in_seconds(benchmark, tmp_path):
    data = report_data(n_models=20, resamples=200)
    benchmark.pedantic(write_report, args=(data, tmp_path), rounds=3, warmup_rounds=1)
    assert benchmark.stats.stats.median < LIMIT
