"""docs/worker-quality.md names every rule, with its defaults."""

from support.paths import ROOT

from replicate.pipeline.labelling import LabelQuality


def test_every_rule_is_in_the_document() -> None:
    text = (ROOT / "docs" / "worker-quality.md").read_text(encoding="utf-8")
    for name, field in LabelQuality.model_fields.items():
        assert f"`{name}`" in text, name
        if field.default is not None:
            assert f"`{name}` ({field.default}" in text, name
