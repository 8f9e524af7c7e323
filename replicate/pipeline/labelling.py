"""`[label]`: what workers see, get and are paid, and whose votes count."""

from decimal import Decimal
from typing import Literal

from pydantic import Field, field_validator

from replicate.crowd.registry import check_name
from replicate.pipeline.base import Fraction, Table


class LabelQuality(Table):
    """`[label.quality]`: when a worker's votes are left out of selection frequencies.

    Each rule flags workers by itself; a rule that is not set flags nobody. No vote is deleted.
    Rules on controls, repeats and times look at other things than the candidates' votes;
    min_agreement and min_informedness look at those votes themselves, and so draw frequencies
    towards the majority.
    """

    min_control_accuracy: Fraction = Field(
        0.6,
        description="Workers below this accuracy on controls are flagged and left out; 0: nobody.",
    )
    min_controls: int = Field(
        20, ge=1, description="Nobody is judged on fewer control images than this."
    )
    min_consistency: Fraction | None = Field(
        None, description="Workers who answer fewer of the repeated images alike are flagged."
    )
    min_repeats: int = Field(
        10, ge=1, description="Nobody is judged on fewer repeated images than this."
    )
    min_seconds_per_page: float | None = Field(
        None, gt=0, description="Workers are flagged who send most of their pages faster than this."
    )
    min_seconds_per_image: float | None = Field(
        None, gt=0, description="The same by the seconds of a page over its images."
    )
    max_all_or_none: Fraction | None = Field(
        None, description="Workers are flagged who tick all or nothing on more pages than this."
    )
    min_pages: int = Field(
        3, ge=1, description="Nobody's times and all-or-none pages are judged on fewer pages."
    )
    min_agreement: Fraction | None = Field(
        None,
        description="Workers are flagged who say less often what most of the others say, image by "
        "image.",
    )
    min_compared: int = Field(
        50, ge=1, description="Nobody's agreement is judged on fewer images than this."
    )
    min_informedness: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="Workers are flagged whose sensitivity + specificity - 1 is below this, its "
        "whole 95 % interval included, by Dawid and Skene's model of all votes; 0 is a guess.",
    )
    min_each_kind: int = Field(
        10,
        ge=1,
        description="Nobody's informedness is judged on fewer images of the class, or of others.",
    )

    def values(self) -> dict[str, float]:
        """The rules that are set and their minimum numbers, by name."""
        return {name: float(value) for name, value in self if value is not None}


class LabelConfig(Table):
    """`[label]`: the HITs; what workers see, get and are paid."""

    provider: str = Field(
        "crowd",
        description="`crowd`: our own crowd server; `mturk`: any other endpoint that speaks the "
        "MTurk Requester API; `files`: files out and in; `annotate`: your own people on this "
        "machine; `sandbox`: our own server with simulated workers; or one that a package brings.",
    )
    mode: Literal["crowd", "expert"] = Field(
        "crowd",
        description="`expert`: the images on which the workers of a page disagree come back to "
        "them in a second round, and only those that all of them accept there stay.",
    )
    endpoint: str | None = Field(
        None,
        description="Its address; `sandbox` means our own server with simulated workers. "
        "REPLICATE_CROWD_URL overrides it.",
    )
    folder: str = Field("labels", description="files: the folder of batches, in the study.")
    template: str = Field(
        "select-images.html.j2",
        pattern=r"^[\w-][\w.-]*$",
        description="The page: a file beside this one, or in mturk_templates/.",
    )
    language: str = Field(
        "en",
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description="What language the page speaks: the words of words.<language>.toml, beside "
        "this file or in mturk_templates/.",
    )
    question: str = Field(
        "Which of these images contain at least one object of type",
        description="The question; the class's names follow it.",
    )
    photographs_only: bool = Field(
        True, description="Ask workers to select photographs only, no drawings or paintings."
    )
    consent: str = Field(
        "",
        max_length=8000,
        description="What workers read about the study above the work: purpose, risks, data kept. "
        "Plain text; an empty line begins a paragraph; addresses become links.",
    )
    contact: str = Field("", max_length=500, description="Whom workers can ask, shown below it.")
    instructions: tuple[str, ...] = Field((), description="Lines added to the page's instructions.")
    links: dict[str, str] = Field(
        default_factory=dict,
        description="Further reading: text = address; {name} and {id} in it become the class's.",
    )
    candidates: int = Field(42, ge=1, description="Candidates a HIT.")
    positive: int = Field(
        3, ge=0, description="Positive controls a HIT: original images of the class."
    )
    negative: int = Field(
        3, ge=0, description="Negative controls a HIT: originals of the most similar class."
    )
    originals: int = Field(
        0,
        ge=0,
        description="Original images of the class mixed in a HIT, to be judged by the same people "
        "as the candidates.",
    )
    repeats: int = Field(
        0, ge=0, description="Images that a HIT shows twice, to see how consistent a worker is."
    )
    padding: bool = Field(
        True, description="Fill a short last HIT with further controls, half and half."
    )
    assignments: int = Field(10, ge=1, description="Workers a HIT.")
    max_per_worker: int | None = Field(
        None,
        ge=1,
        description="HITs that one worker may do, of those with the same terms; our own crowd "
        "server sees to it.",
    )
    reward: Decimal = Field(Decimal("0.10"), ge=0, description="US dollars an assignment.")
    seconds_per_image: float = Field(
        2.0, gt=0, le=600, description="Expected pace; the plan's time and hourly wage follow."
    )
    minimum_wage: Decimal = Field(
        Decimal("7.25"), ge=0, description="The plan warns below this many US dollars an hour."
    )
    pay: Literal["approve", "auto"] = Field(
        "approve",
        description="`approve`: collecting approves, and so pays; `auto`: the provider does, after "
        "auto_approval_days.",
    )
    min_votes: int = Field(
        0, ge=0, description="Publish again what has fewer valid votes than this; 0: do not."
    )
    max_rounds: int = Field(
        3, ge=0, description="How often an image is published again to reach min_votes."
    )
    seconds: int = Field(600, ge=30, description="Time for one assignment.")
    auto_approval_days: float = Field(3, ge=0, le=30, description="Approved by itself after.")
    lifetime_days: float = Field(7, gt=0, le=365, description="How long a HIT can be taken.")
    budget: Decimal = Field(Decimal("0"), ge=0, description="Never spend more than this; 0: none.")
    hold_reported: int = Field(
        1,
        ge=0,
        description="An image that so many workers report as unsafe is left out of pages and sets "
        "until somebody has looked at it (`replicate takedown reported`); 0: only listed. One "
        "report by a reviewer is always enough.",
    )
    quality: LabelQuality = Field(
        default_factory=LabelQuality, description="When a worker's votes are left out."
    )

    def rules(self) -> dict[str, float]:
        """The numbers that the store follows: `[label.quality]`, reports, how many experts."""
        experts = {"experts": float(self.assignments)} if self.mode == "expert" else {}
        return {
            **self.quality.values(),
            "hold_reported": float(self.hold_reported),
            **experts,
        }

    @field_validator("provider")
    @classmethod
    def _known_provider(cls, value: str) -> str:
        return check_name(value)
