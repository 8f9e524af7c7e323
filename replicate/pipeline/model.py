"""The keys of a pipeline file: what each means, its type, and its default.

Defaults are those of "Do ImageNet Classifiers Generalize to ImageNet?" (2019) where the paper
has one. A sampling strategy has no default: it is always named.
"""

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from replicate.pipeline.base import Table
from replicate.pipeline.dedup import DedupConfig
from replicate.pipeline.labelling import LabelConfig
from replicate.pipeline.review import ReviewConfig
from replicate.pipeline.sampling import SampleConfig
from replicate.pipeline.scoring import ScoreConfig

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]


class StudyConfig(Table):
    """`[study]`: what the study is called and the seed of all its random choices."""

    name: Name = Field(description="The study's name; letters, digits, dots, dashes.")
    seed: int = Field(ge=0, description="The one seed that every random choice is made from.")
    database: str | None = Field(
        None,
        description="A database URL (`postgresql+psycopg://…`). Default: the SQLite file "
        "`study.db` in the study folder. REPLICATE_DATABASE_URL overrides it.",
    )
    images: str | None = Field(
        None,
        min_length=1,
        description="Where image files are kept (gathered, prepared and display copies): a folder, "
        "or `s3://bucket/prefix` with the keys and the address that AWS_ACCESS_KEY_ID, "
        "AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL_S3 say. Default: the study folder.",
    )

    @field_validator("images")
    @classmethod
    def _a_place(cls, value: str | None) -> str | None:
        if value is not None and "://" in value and not re.match(r"s3://[^/]", value):
            raise ValueError("write a folder, or s3://BUCKET/PREFIX")
        return value


class OriginalConfig(Table):
    """`[original]`: the existing test set, and the train set that it belongs to."""

    test: str = Field(
        description="The original test set: a folder with one folder a class; a CSV, TSV, JSON "
        "lines or parquet table of files and labels; `torchvision:NAME?root=…&train=false`; or "
        "`digits:NAME`."
    )
    train: str | None = Field(
        None, description="Its train set, likewise; a reference set for near-duplicates."
    )
    class_map: str | tuple[str, ...] | dict[str, str] | None = Field(
        None,
        description="What the folders or labels of these sets mean, where they are neither ids nor "
        "names of classes: a list of class ids (the first is 0); a table label = class id; a file "
        "beside this one with one class id a line, or JSON; or `positions`: number n is the n-th "
        "class of this study, from 0.",
    )
    limit_per_class: int | None = Field(
        None, ge=1, description="Use only the first so many images of each class of each set."
    )
    metadata: str | None = Field(
        None,
        description="A CSV, TSV, JSON lines or parquet table of what is known of the test set's "
        "images, for `[[sample]]` covariates and quotas: a column `file` with their names in the "
        "set, and `keyword`, `taken` or `year`, `uploaded`, `rank`. Default: the table `test`, if "
        "it is one.",
    )


class ControlConfig(Table):
    """`[[control]]`: a further labelled set that is scored beside the new sets."""

    name: Name = Field(description="The control set's name in tables and figures.")
    images: str = Field(description="Where its images are, as for `[original] test`.")
    expect: str = Field("", description="What its gap should be and why; shown in the report.")


class ClassConfig(Table):
    """`[[class]]`: one class, with its own names and search terms."""

    id: str = Field(min_length=1, max_length=64, description="The class's id, or its wnid.")
    name: str = Field(min_length=1, description="What workers are asked for: 'the digit 3'.")
    synonyms: tuple[str, ...] = Field((), description="Other names, shown to workers.")
    gloss: str = Field("", description="A definition, shown to workers.")
    terms: tuple[str, ...] = Field(
        (), description="Search terms. Default: the name and its synonyms."
    )
    similar: str | None = Field(
        None, description="Id of the most similar other class, for negative controls."
    )


class ClassesConfig(Table):
    """`[classes]`: a class list in a file, instead of `[[class]]` tables."""

    wnids: str | None = Field(
        None, description="A text file with one WordNet 3.0 noun id a line, beside this file."
    )
    parents: Literal["never", "gloss", "always"] = Field(
        "gloss",
        description="When a parent's word is added to a search term: never, where it occurs in "
        "the class's gloss (as ImageNet's makers did), or always.",
    )
    compounds: bool = Field(
        True, description="Also search for compounds written as one word ('seasnake')."
    )
    disambiguate: bool = Field(
        False,
        description="Search for a name that several classes share ('crane') only together with "
        "the parent's word. Otherwise such names are only pointed out by `gather --plan`.",
    )
    translations: tuple[str, ...] = Field(
        (), description="Tab files of the Open Multilingual Wordnet, beside this file."
    )
    terms: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Hand-picked search terms by wnid, instead of all others."
    )
    more_terms: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Hand-picked search terms by wnid, after the others."
    )


class DateWindow(Table):
    """One range of upload dates; the first day is in it, the last is not."""

    start: date = Field(description="The first day.")
    end: date = Field(description="The day after the last.")

    @model_validator(mode="after")
    def _ordered(self) -> "DateWindow":
        if self.start >= self.end:
            raise ValueError("start must be before end")
        return self


class GatherConfig(Table):
    """`[gather]`: where candidates come from."""

    source: str = Field(
        description="`flickr`, `folder`, `table`, `webdataset`, or a source of another package."
    )
    path: str | None = Field(
        None,
        description="For `folder`: the folder, one folder a class. For `table`: a CSV, TSV, JSON "
        "lines or parquet file of addresses or files, with classes or texts. For `webdataset`: "
        "its tar files, such as `shards/train-{000..099}.tar`, or their folder.",
    )
    metadata: str | None = Field(
        None,
        description="For `folder`: a CSV, TSV, JSON lines or parquet file of its files' tags and "
        "texts, which are then searched as Flickr's are; its column `file` is relative to `path`.",
    )
    endpoint: str = Field(
        "https://api.flickr.com/services/rest/",
        description="For `flickr`: the address of the API. REPLICATE_FLICKR_URL overrides it.",
    )
    search: Literal["tags", "text"] = Field(
        "text", description="Search tags only, or titles, descriptions and tags."
    )
    date_windows: tuple[DateWindow, ...] = Field(
        (), description="Ranges of upload dates to search, in this order. Default: all time."
    )
    licences: tuple[Annotated[int, Field(ge=0, le=16)], ...] = Field(
        (), description="Flickr licence numbers to accept. Default: any."
    )
    media: Literal["photos", "all"] = Field(
        "photos", description="For `flickr`: photos only, or the pictures of videos as well."
    )
    content: tuple[Literal["photos", "screenshots", "illustrations", "virtual"], ...] = Field(
        (), description="For `flickr`: the kinds of content to accept. Default: any."
    )
    safe_search: Literal["safe", "moderate", "restricted"] = Field(
        "safe",
        description="For `flickr`: the least safe photos to accept. What is not safe needs a key "
        "that may see it.",
    )
    arguments: dict[str, str | int] = Field(
        default_factory=dict,
        description="For `flickr`: further arguments of flickr.photos.search, such as "
        "`{ has_geo = 1 }`. Names that it does not have are refused.",
    )
    per_class: int = Field(
        250, ge=1, description="How many candidates to gather for a class, over all its terms."
    )
    per_page: int = Field(500, ge=1, le=500, description="Results a page of the search.")
    size_url: str = Field("url_l", description="The size to download, such as `url_o`, `url_l`.")
    calls_per_hour: int = Field(3600, ge=1, description="The rate limit of the API key.")
    connections: int = Field(32, ge=1, le=256, description="Downloads at a time.")
    per_host: int = Field(8, ge=1, le=256, description="Downloads at a time from one host.")
    timeout: float = Field(30.0, gt=0, description="Seconds to wait for one answer.")
    attempts: int = Field(3, ge=1, le=10, description="Tries of one download or call.")
    longest_wait: float = Field(
        300.0,
        gt=0,
        description="The most seconds that a host which throttles is waited for; the images of "
        "one that asks for more fail as `throttled`.",
    )
    honour_noai: bool = Field(
        True,
        description="Leave out images whose server says `X-Robots-Tag: noai` or `noimageai` "
        "(reason `noai`). Those who may use them all the same say false.",
    )
    smallest_side: int = Field(
        16,
        ge=1,
        description="The fewest pixels that the shorter side of a candidate may have; smaller ones "
        "(icons, counting pixels) fail as `too_small`.",
    )
    max_megapixels: float = Field(
        80.0,
        gt=0,
        le=170.0,
        description="Larger images are refused before they are decoded (reason `too_large`).",
    )
    max_megabytes: float = Field(
        50.0, gt=0, description="Larger files are not read to their end (reason `too_large`)."
    )


class PrepareConfig(Table):
    """`[prepare]`: transformations applied alike to originals, candidates and controls."""

    steps: tuple[str, ...] = Field(
        ("identity@1",),
        description="Named, versioned transformations, in order: identity@1, png@1, jpeg-q95@1, "
        "grey@1, resize-32x32@1 (squeezed), shorter-256@1, longer-500@1, crop-224x224@1 (with any "
        "numbers; resize, shorter and longer also with a kernel: resize-32x32-box@1), digits-8x8@1 "
        "and those of other packages.",
    )
    display_size: int = Field(
        500, ge=16, le=2048, description="Longest side of the copies that workers see, in pixels."
    )
    display_format: Literal["jpeg", "png"] = Field(
        "jpeg", description="Their format; `png` for drawings and tiny pictures."
    )
    display_quality: int = Field(90, ge=1, le=100, description="Their quality, if JPEG.")


class ReportConfig(Table):
    """`[report]`: how uncertainty is computed and what is shown."""

    title: str | None = Field(None, description="The report's title. Default: the study's name.")
    level: Annotated[float, Field(gt=0.5, lt=1.0)] = Field(
        0.95, description="Confidence level of the intervals."
    )
    resamples: int = Field(2000, ge=100, description="Bootstrap resamples.")
    samples_per_bin: int = Field(8, ge=0, description="Sample images shown per frequency bin.")


class SandboxConfig(Table):
    """`[sandbox]`: nothing leaves this machine; a local Flickr and simulated workers."""

    photos: int = Field(4000, ge=10, description="Photos in the local Flickr.")
    workers: int = Field(24, ge=1, description="Simulated workers.")


class Pipeline(Table):
    """A whole study. The tables are described one by one below."""

    study: StudyConfig = Field(description="The study's name and seed.")
    original: OriginalConfig = Field(description="The original test set and its train set.")
    control: tuple[ControlConfig, ...] = Field((), description="Further sets to be scored.")
    classes: ClassesConfig = Field(
        default_factory=ClassesConfig, description="A class list in a file."
    )
    class_: tuple[ClassConfig, ...] = Field((), alias="class", description="The classes.")
    gather: GatherConfig = Field(description="Where candidates come from.")
    prepare: PrepareConfig = Field(
        default_factory=PrepareConfig, description="Transformations of all images."
    )
    dedup: DedupConfig = Field(default_factory=DedupConfig, description="Near-duplicates.")
    label: LabelConfig = Field(default_factory=LabelConfig, description="The HITs.")
    sample: tuple[SampleConfig, ...] = Field(description="One block a test set.")
    review: ReviewConfig = Field(default_factory=ReviewConfig, description="People's reviews.")
    score: ScoreConfig = Field(description="The zoo.")
    report: ReportConfig = Field(default_factory=ReportConfig, description="The report.")
    sandbox: SandboxConfig | None = Field(None, description="Simulate the outside world.")

    @field_validator("class_")
    @classmethod
    def _distinct_classes(cls, value: tuple[ClassConfig, ...]) -> tuple[ClassConfig, ...]:
        ids = [item.id for item in value]
        repeated = sorted({item for item in ids if ids.count(item) > 1})
        if repeated:
            raise ValueError(f"class ids occur twice: {', '.join(repeated)}")
        for item in value:
            if item.similar is not None and item.similar not in ids:
                raise ValueError(f"class {item.id}: similar = {item.similar!r} is no class id")
        return value

    @field_validator("sample")
    @classmethod
    def _distinct_sets(cls, value: tuple[SampleConfig, ...]) -> tuple[SampleConfig, ...]:
        names = [item.name for item in value]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"test set names occur twice: {', '.join(repeated)}")
        return value

    @model_validator(mode="after")
    def _classes_named_once(self) -> "Pipeline":
        if bool(self.class_) == (self.classes.wnids is not None):
            raise ValueError("name the classes in [[class]] tables or in [classes] wnids, not both")
        taken = {"original", "train"} & (
            {item.name for item in self.sample} | {item.name for item in self.control}
        )
        both = {item.name for item in self.sample} & {item.name for item in self.control}
        made = {f"original-{text}" for text in self.score.controls}
        both |= made & ({item.name for item in self.sample} | {item.name for item in self.control})
        if taken | both:
            raise ValueError(f"names taken twice: {', '.join(sorted(taken | both))}")
        return self
