"""`[score]`: the keys that say which models are scored, and how."""

from typing import Literal

from pydantic import Field, field_validator

from replicate.pipeline.base import Table


class ScoreConfig(Table):
    """`[score]`: the zoo, and what it is scored on.

    What is said of devices, number formats, class maps and weights is for models of all schemes
    but `small:`, which are trained by the study itself and always run on the CPU in fp32.
    """

    models: tuple[str, ...] = Field(
        min_length=1,
        description="Model names, `SCHEME:NAME`; wildcards allowed (`timm:resnet*.a1_in1k`). Files "
        "and modules that they name lie beside this file.",
    )
    device: str = Field("cpu", description="`cpu`, `cuda` or `cuda:N`.")
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = Field(
        "fp32", description="The number format of the arithmetic; the halves by mixed precision."
    )
    batch: int = Field(
        0, ge=0, description="Images at a time; 0: found, and halved when memory runs out."
    )
    channels_last: bool = Field(False, description="Keep images pixel by pixel in memory.")
    compile: bool = Field(False, description="Compile models with torch.compile.")
    logits: bool = Field(False, description="Keep all scores, not the best five alone.")
    executor: Literal["local", "ray"] = Field(
        "local", description="Where models run: in this process, or on actors of Ray."
    )
    workers: int = Field(1, ge=1, description="Ray actors that work at a time.")
    cache: float = Field(4.0, gt=0, description="GiB of views on disk at a time.")
    controls: tuple[str, ...] = Field(
        (),
        description="Further controls: the original put through something else before it is "
        "scored: `reencoded` (the size, format and quality of the copies that workers see), or "
        "transformations of [prepare], such as `jpeg-q75@1` or `shorter-256@1,jpeg-q95@1`.",
    )
    class_map: str | dict[str, str] | None = Field(
        None,
        description="What the models' outputs mean, where they are neither ids nor names of this "
        "study's classes: a file beside this one, `output,class` a line; or a table "
        "models = file, where a study's models differ (`{ 'py:*' = 'mine.csv' }`).",
    )
    restrict: bool = Field(
        False,
        description="Let only outputs of a set's own classes compete, for studies of some of the "
        "models' classes. A set that has only some of the original's classes is then compared with "
        "the original's images of these, scored in the same way.",
    )
    class_names: str | dict[str, str] | None = Field(
        None,
        description="Zero-shot models: what the classes are called in prompts: a table id = name, "
        "or a file beside this one, `id,name` a line. Default: the classes' names.",
    )
    templates: tuple[str, ...] = Field(
        ("a photo of a {}.",),
        min_length=1,
        description="Zero-shot models: prompts, with `{}` where the name goes.",
    )
    download: bool = Field(
        False, description="Fetch weights that are not on this machine; else that is a message."
    )
    allow_pickle: bool = Field(
        False, description="Read checkpoints that can run code; say so only if you trust them."
    )

    repair: tuple[Literal["columns", "offset"], ...] = Field(
        (),
        description="Published predictions (`predictions:`): faults to mend, where they are found: "
        "classes stored worst first, or off by one.",
    )

    @field_validator("templates")
    @classmethod
    def _with_a_place_for_the_name(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for template in value:
            if "{}" not in template:
                raise ValueError(f"{template!r} has no {{}} where the class's name goes")
        return value
