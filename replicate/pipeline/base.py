"""What all tables of a pipeline file share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Table(BaseModel):
    """A table of a pipeline file: unknown keys are refused, values are never changed in place."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
