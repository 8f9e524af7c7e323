"""A pipeline file: a whole study in one TOML file, typed and checked."""

from replicate.pipeline.load import (
    LoadedPipeline,
    load_pipeline,
    parse_pipeline,
    pipeline_digest,
)
from replicate.pipeline.model import (
    ClassConfig,
    ControlConfig,
    Pipeline,
)
from replicate.pipeline.sampling import SampleConfig

__all__ = [
    "ClassConfig",
    "ControlConfig",
    "LoadedPipeline",
    "Pipeline",
    "SampleConfig",
    "load_pipeline",
    "parse_pipeline",
    "pipeline_digest",
]
