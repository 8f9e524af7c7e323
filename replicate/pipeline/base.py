"""What all tables of a pipeline file share."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of a pipeline file: unknown keys are refused, values are never changed in place."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
