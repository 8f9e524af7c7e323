"""What cards, datasheets and Croissant say of a set: sentences made from what is known.

What is not known is not made up: a function gives fewer sentences, or none.
"""

from collections.abc import Mapping

from replicate.reporting.balance import balance_of, balance_words
from replicate.reporting.export_data import BYTES_MEAN, Annotation, Export

STRATEGIES = {
    "matched-frequency": "so that in each class their selection frequencies are spread over bins "
    "as those of the original's images (MatchedFrequency of Recht et al. 2019)",
    "matched-estimated": "so that in each class the estimated distribution of true selection "
    "frequencies equals the original's",
    "threshold": "at random among those whose selection frequency reaches a threshold "
    "(Threshold of Recht et al. 2019)",
    "top": "by the highest selection frequency (TopImages of Recht et al. 2019)",
    "uniform": "at random, whatever their selection frequency",
    "quota": "by quotas of the original's keywords (as CIFAR-10.1 was)",
}


def number(value: float) -> str:
    """A whole number with thousands set off by commas.

    >>> number(12345)
    '12,345'
    """
    return f"{value:,.0f}"


def several(count: int, one: str, many: str = "") -> str:
    """A count and its noun.

    >>> several(1, "image"), several(2, "class", "classes")
    ('1 image', '2 classes')
    """
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def by_reason(counts: Mapping[str, int]) -> str:
    """Counts by reason, in words; empty without any."""
    return ", ".join(f"{reason.replace('_', ' ')} {number(n)}" for reason, n in counts.items())


def composition(export: Export) -> list[str]:
    """What the set holds."""
    counts = {item.class_id: 0 for item in export.classes}
    for image in export.images:
        counts[image.class_id] += 1
    least, most = min(counts.values()), max(counts.values())
    each = f"{least}" if least == most else f"{least} to {most}"
    found = [
        f"{several(len(export.images), 'image')} of "
        f"{several(len(export.classes), 'class', 'classes')}, {each} of each class; one label an "
        "image.",
        f"What is published are {BYTES_MEAN[export.which_bytes]}.",
    ]
    filled = sum(image.filled for image in export.images)
    if filled:
        found.append(
            f"{several(filled, 'image')} fill gaps of other frequency bins, which had too few "
            "candidates; they are marked."
        )
    return found


def purpose(export: Export) -> str:
    """What the set was made for."""
    return (
        f"A second test set for {export.original}, made by the same process, to find out whether "
        "models that were developed on the original do as well on new data."
    )


def gathering(export: Export) -> list[str]:
    """Where the candidates came from and how many there were."""
    facts = export.gathering
    found = []
    when = span(facts.first, facts.last)
    source = "a local server that imitates Flickr" if facts.simulated else facts.source
    if facts.found:
        found.append(
            f"{several(facts.found, 'candidate')} were found by a search of {source}"
            f"{f' ({facts.search})' if facts.search else ''}{f', {when}' if when else ''}."
        )
    if facts.windows:
        found.append(f"Uploaded {'; '.join(facts.windows)}.")
    if facts.licences:
        found.append(f"Only images under these licences were taken: {', '.join(facts.licences)}.")
    if facts.failed:
        found.append(f"Not downloaded, by reason: {by_reason(facts.failed)}.")
    if facts.files:
        found.append(f"{several(facts.files, 'different file')} were gathered.")
    return found


def near_duplicates(export: Export) -> list[str]:
    """How near-duplicates were sought, and how many went."""
    facts = export.gathering
    if not facts.looked_at:
        return []
    found = [f"Near-duplicates were sought {facts.dedup}."]
    if facts.dropped:
        found.append(f"Removed, by reason: {by_reason(facts.dropped)}.")
    found.append(f"{several(facts.pool, 'candidate')} were left in the pool.")
    return found


def preparation(export: Export) -> list[str]:
    """What was done to the images."""
    return [
        f"The original's images and the candidates went through the same named transformations: "
        f"{', '.join(f'`{step}`' for step in export.steps.split('+'))}."
    ]


def sampling(export: Export) -> list[str]:
    """How the set was drawn from the pool, and how well it matches."""
    how = STRATEGIES.get(export.strategy, "")
    found = [
        f"The images were drawn from the pool by the strategy `{export.strategy}`"
        f"{f': {how}' if how else ''}. Seed {export.seed}; parameters: {parameters(export)}."
    ]
    for key, words in (("drawn", "the votes it was drawn by"), ("heldout", "votes kept back")):
        match = export.match.get(key)
        if match:
            found.append(
                f"Mean selection frequency by {words}: original {match['original']:.3f}, this set "
                f"{match['new']:.3f}, difference {match['difference']:+.3f} (standard error "
                f"{match['se']:.3f})."
            )
    balance = balance_of(export.match)
    return found if balance is None else found + balance_words(balance)


def parameters(export: Export) -> str:
    """The strategy's parameters, in words."""
    shown = {
        key: value
        for key, value in export.parameters.items()
        if key != "seed" and value not in (None, {}, [])
    }
    return ", ".join(f"{key} = {_value(value)}" for key, value in shown.items()) or "none"


def annotation(export: Export) -> list[str]:
    """What people were asked, how many, and for what pay."""
    facts = export.annotation
    if facts is None:
        return []
    who = "simulated workers (programs, not people)" if facts.simulated else "workers"
    lines = [
        f"Each page showed {several(facts.images_per_page, 'image')}, "
        f"{facts.controls_per_page} of them controls whose answer is known, and asked: "
        f"“{facts.question} …?”, with the class's names and definition.",
        f"{several(facts.assignments_wanted, 'worker')} a page were asked; "
        f"{number(facts.assignments)} submissions on {several(facts.pages, 'page')} came from "
        f"{number(facts.workers)} {who}, with {several(facts.votes, 'vote')} that count.",
    ]
    if facts.photographs_only:
        lines.append("Photographs only were to be selected, no drawings or paintings.")
    lines += [f"Instructions: {line}" for line in facts.instructions]
    when = span(facts.first, facts.last)
    if when:
        lines.append(f"The votes were given {when}.")
    return [*lines, *pay(facts), *quality(facts)]


def pay(facts: Annotation) -> list[str]:
    """What workers were paid."""
    simulated = " (to simulated workers: no money changed hands)" if facts.simulated else ""
    lines = [f"Pay: ${facts.reward} a page, ${facts.hourly} an hour at the expected pace."]
    if facts.paid:
        lines.append(f"Paid in all, by the study's ledger: ${facts.paid}{simulated}.")
    return lines


def quality(facts: Annotation) -> list[str]:
    """Agreement, controls, and whose votes were left out."""
    lines = []
    if facts.control_accuracy is not None:
        lines.append(f"{facts.control_accuracy:.1%} of the answers on controls were right.")
    if facts.agreement is not None:
        lines.append(
            f"Two votes on the same image of this set agree with a probability of "
            f"{facts.agreement:.3f}."
        )
    if facts.icc is not None:
        lines.append(f"Intra-class correlation of the votes on a candidate: {facts.icc:.3f}.")
    if facts.workers_left_out:
        lines.append(
            "Left out by the rules on work ("
            + ", ".join(f"{name} = {value:g}" for name, value in facts.rules.items())
            + f"): {several(facts.workers_left_out, 'worker')} with "
            f"{several(facts.votes_left_out, 'vote')}."
        )
    return lines


def votes_per_image(export: Export) -> str:
    """How many votes an image of the set has; empty without votes."""
    shown = sorted(image.shown for image in export.images if image.shown)
    if not shown:
        return ""
    median = shown[len(shown) // 2]
    each = f"{shown[0]}" if shown[0] == shown[-1] else f"{shown[0]} to {shown[-1]}"
    return (
        f"{each} votes that count an image (median {median}); an image's selection "
        "frequency is the share of them that say yes."
    )


def biases(export: Export) -> list[str]:
    """What is known to distort such a set."""
    found = [
        "The images are what the source's users upload and what its search returns, on the days "
        "that were searched; they are no sample of the world.",
        "An image is in the set because people, looking for one class, said yes to it: labels of "
        "other objects in it were not sought.",
    ]
    if export.strategy == "matched-frequency":
        found.append(
            "Matching noisy selection frequencies in bins favours images whose frequency came out "
            "high by chance (Engstrom et al. 2020): the set tends to be harder than the original "
            "even where nothing else differs. `replicate adjust` estimates by how much."
        )
    if export.strategy in ("top", "threshold"):
        found.append(
            "Images that most people recognise at once are overrepresented on purpose: the set is "
            "easier than a random draw from the pool."
        )
    return found


def limitations(export: Export) -> list[str]:
    """What the set cannot do."""
    found = [
        "A test set: not meant for training, nor for choosing models or their settings.",
        "The more often it is used to choose between models, the less it says.",
    ]
    if export.simulated:
        found.insert(0, "The votes are simulated; the set says nothing about what people see.")
    return [*found, *export.notes]


def span(first: str, last: str) -> str:
    """A range of days, in words; empty if it is not known.

    >>> span("2026-01-02", "2026-01-02"), span("2026-01-02", "2026-01-05")
    ('on 2026-01-02', 'from 2026-01-02 to 2026-01-05')
    """
    if not first:
        return ""
    return f"on {first}" if first == last else f"from {first} to {last}"


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return "/".join(_value(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
