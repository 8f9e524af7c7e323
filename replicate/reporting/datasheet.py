"""A datasheet after Gebru et al.: answered from what is known, open questions marked as such."""

from replicate.reporting import export_words as words
from replicate.reporting.datasheet_questions import SECTIONS
from replicate.reporting.export_data import Export
from replicate.reporting.export_texts import (
    left_out_lines,
    licence_notes,
    licences,
    warnings,
)

OPEN = "**Open.** The study does not know this; whoever publishes the set has to answer it."
_HINTS = {
    "creators": "Name the people and their institution.",
    "funding": "Name the grant, or say that there was none.",
    "review": "Name the board and its decision, or say that none was asked.",
    "impact": "Say what was looked into, or that nothing was.",
    "maintainer": "Name a person or an institution, and for how long.",
    "export_controls": "Say so if none are known.",
    "when": "Give the day.",
    "used": "Name the papers and systems.",
}


def datasheet(export: Export) -> str:
    """The datasheet as Markdown."""
    answers = _answers(export)
    asked = [name for _, questions in SECTIONS for name, _ in questions]
    optional = [name for name in asked if name.endswith("_other")]
    n_open = sum(name not in answers for name in asked if name not in optional)
    lines = [f"# Datasheet of {export.full_name}", ""]
    for line in [*warnings(export), *left_out_lines(export)]:
        lines += [line, ""]
    lines += [
        "The questions are those of T. Gebru et al., *Datasheets for Datasets*, Communications of "
        f"the ACM 64 (12), 2021. {len(asked) - len(optional) - n_open} are answered from what the "
        f"study has recorded; {n_open} are open and marked so.",
        "",
        f"Set digest `{export.digest}`; manifest digest `{export.manifest_digest}`.",
        "",
    ]
    for title, questions in SECTIONS:
        lines += [f"## {title}", ""]
        for name, question in questions:
            if name in optional:
                continue
            lines += [f"**{question}**", "", _answer(name, answers), ""]
    return "\n".join(lines)


def _answer(name: str, answers: dict[str, str]) -> str:
    if name in answers:
        return answers[name]
    hint = _HINTS.get(name)
    return f"{OPEN} {hint}" if hint else OPEN


def _answers(export: Export) -> dict[str, str]:
    found = _composition(export) | _collection(export) | _rest(export)
    return {name: text for name, text in found.items() if text}


def _composition(export: Export) -> dict[str, str]:
    pool = export.gathering.pool
    selected = sum(image.selected is None for image in export.images)
    return {
        "purpose": words.purpose(export),
        "instances": "Images, each with the class that it was found and voted for.",
        "count": " ".join(words.composition(export)),
        "sample": (
            f"A sample: {words.several(len(export.images), 'image')} drawn from a pool of "
            f"{words.several(pool, 'candidate')}, itself what a search of the source returned. How "
            "they were drawn is below."
        )
        if pool
        else "A sample; how it was drawn is below.",
        "data": "An image file; its class; the numbers of people who judged it and who selected "
        "it; the stratum that it was drawn from; where it was found and its licence.",
        "labels": f"One of {words.several(len(export.classes), 'class', 'classes')}: the class "
        "that the image was searched for and that people confirmed, to the degree that its "
        "selection frequency says.",
        "missing": f"{words.several(selected, 'image')} of the set "
        f"{'has' if selected == 1 else 'have'} no votes that count."
        if selected
        else "No: every image has votes. Titles, owners and dates are there where the source had "
        "them.",
        "relations": "Near-duplicates were sought and removed; no other relations are recorded. "
        "Images of one owner can be found by the column `owner`.",
        "splits": "The whole set is a test set; nothing of it is for training or for choosing "
        "models.",
        "errors": " ".join(words.biases(export)),
        "self_contained": "The exports with pixels hold the images themselves; the addresses that "
        "are given beside them may die. The pool is published without pixels.",
        "subpopulations": "No.",
    }


def _collection(export: Export) -> dict[str, str]:
    facts = export.annotation
    people = ""
    if facts is not None and facts.simulated:
        people = "Simulated workers: programs, not people. No money changed hands."
    elif facts is not None:
        people = " ".join(
            [
                f"{words.several(facts.workers, 'worker')} "
                f"({'; '.join(facts.platforms)}) judged the images.",
                *words.pay(facts),
            ]
        )
    days = []
    if when := words.span(export.gathering.first, export.gathering.last):
        days.append(f"Candidates were gathered {when}.")
    if facts is not None and (when := words.span(facts.first, facts.last)):
        days.append(f"Votes were given {when}.")
    days.append(f"The set was drawn on {export.created_at[:10]}.")
    if facts is not None and facts.consent:
        consent = f"The workers read, before they began: “{' '.join(facts.consent.split())}”"
    else:
        consent = ""
    return {
        "acquired": " ".join(words.gathering(export)),
        "mechanisms": " ".join([*words.near_duplicates(export), *words.annotation(export)]),
        "strategy": " ".join(words.sampling(export)),
        "people": people,
        "timeframe": " ".join(days),
        "third_parties": f"From the source `{export.gathering.source}`, not from the people whom "
        "images may show.",
        "consent": consent,
    }


def _rest(export: Export) -> dict[str, str]:
    terms = ", ".join(f"{item.name} ({n})" for item, n in licences(export.images).items())
    versions = ", ".join(f"{name} {number}" for name, number in sorted(export.versions.items()))
    return {
        "preprocessing": " ".join(words.preparation(export))
        + " Near-duplicates were removed and labels come from votes, as told above.",
        "raw": "Yes: the files as they were gathered are kept by the study under their SHA-256 "
        "(`image_id`); `replicate export --bytes gathered` publishes them.",
        "software": "Yes: replicate-testsets, free software under the MIT licence. "
        + (f"Versions: {versions}." if versions else ""),
        "other_tasks": "Measuring classifiers on the same classes as the original; studying the "
        "votes.",
        "future": " ".join(words.biases(export)),
        "not_for": " ".join(words.limitations(export)),
        "how": "As folders that `replicate export` writes: ImageFolder, WebDataset, parquet, "
        "Hugging Face, Croissant. `replicate verify` checks each of them.",
        "licence": f"Each image is under its owner's licence: {terms}. `ATTRIBUTION.md` names "
        "every owner."
        if terms
        else "",
        "restrictions": "The owners' licences, as `attribution.csv` gives them; some may forbid "
        "commercial use or changes. " + " ".join(licence_notes(export)),
        "erratum": "A frozen set never changes; errors are mended in a new revision.",
        "updates": "Not this revision. Images are taken down on request: exports made afterwards "
        "leave them out and say so. " + " ".join(left_out_lines(export)),
        "old_versions": "Every revision has a digest of its own and can be exported again from "
        "the study.",
    }
