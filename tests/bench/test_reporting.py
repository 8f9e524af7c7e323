"""How the time of a report grows with the zoo (run with --benchmark-only)."""

from time import perf_counter

from reporting.plausible import report_data

from replicate.reporting.page import write_report


def test_a_report_grows_no_faster_than_the_zoo(benchmark, tmp_path):
    small = report_data(n_models=10, resamples=200)
    large = report_data(n_models=40, resamples=200)
    write_report(small, tmp_path / "warm")
    begin = perf_counter()
    write_report(small, tmp_path / "small")
    once = perf_counter() - begin
    benchmark.pedantic(write_report, args=(large, tmp_path / "large"), rounds=2)
    assert benchmark.stats.stats.min < 4 * once
