"""Croissant metadata of a set, with the fields of its Responsible-AI vocabulary.

The vocabularies: http://mlcommons.org/croissant/1.0 and http://mlcommons.org/croissant/RAI/1.0.
"""

from collections.abc import Mapping
from typing import Any

from replicate.reporting import export_words as words
from replicate.reporting.export_data import Export
from replicate.reporting.export_parquet import SPLIT
from replicate.reporting.export_texts import bibtex, left_out_lines, licences, warnings

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
CONFORMS = ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]
FIELDS = {
    "label": ("sc:Integer", "The class's place in the class list, from 0."),
    "class_id": ("sc:Text", "The class's id, or its wnid."),
    "position": ("sc:Integer", "Place in the frozen set, from 0."),
    "image_id": ("sc:Text", "SHA-256 of the file as it was gathered."),
    "sha256": ("sc:Text", "SHA-256 of the published bytes."),
    "stratum": ("sc:Text", "The stratum that the image was drawn from."),
    "filled": ("sc:Boolean", "Whether it fills a gap of another stratum."),
    "selected": ("sc:Integer", "How many people selected it for its class."),
    "shown": ("sc:Integer", "How many people judged it for its class."),
    "licence": ("sc:Text", "Its licence."),
    "owner": ("sc:Text", "Whose it is."),
    "page_url": ("sc:Text", "The page that shows it."),
}


def croissant(export: Export, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The metadata as JSON-LD.

    Args:
        export: The set.
        files: The export's files: path → ``{"sha256", "bytes"}``.
    """
    described = [*warnings(export), words.purpose(export), *words.composition(export)]
    terms = [item.url or item.name for item in licences(export.images)]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": f"{export.study}-{export.full_name}",
        "description": " ".join([*described, *left_out_lines(export)]).replace("**", ""),
        "version": f"{export.revision}.0.0",
        "datePublished": (export.frozen_at or export.created_at)[:10],
        "license": terms if len(terms) != 1 else terms[0],
        "citeAs": bibtex(export),
        "url": f"urn:sha256:{export.digest}",
        "keywords": ["test set", "replication", export.strategy]
        + (["simulated annotations"] if export.simulated else []),
        "isLiveDataset": False,
        "distribution": _distribution(files),
        "recordSet": [_images(), _labels(export)],
        **responsible(export),
    }


def responsible(export: Export) -> dict[str, Any]:
    """The Responsible-AI fields that something is known for."""
    facts = export.annotation
    gathering = export.gathering
    people = ["Not asked: workers are known by keyed hashes only."]
    if export.simulated:
        people = ["The annotators are programs: there are no people to describe."]
    fields: dict[str, Any] = {
        "dataCollection": " ".join([*words.gathering(export), *words.near_duplicates(export)]),
        "dataCollectionType": [_collection_type(export)],
        "dataCollectionMissingData": by_reason(gathering.failed),
        "dataCollectionRawData": "The files as they were gathered, named by their SHA-256 "
        "(`image_id`).",
        "dataCollectionTimeframe": [day for day in (gathering.first, gathering.last) if day],
        "dataPreprocessingProtocol": words.preparation(export),
        "dataManipulationProtocol": " ".join(words.sampling(export)),
        "dataAnnotationProtocol": words.annotation(export),
        "dataAnnotationPlatform": list(facts.platforms) if facts else [],
        "dataAnnotationAnalysis": words.quality(facts) if facts else [],
        "annotationsPerItem": words.votes_per_image(export),
        "annotatorDemographics": people if facts else [],
        "machineAnnotationTools": ["Simulated workers of replicate."] if export.simulated else [],
        "dataBiases": words.biases(export),
        "dataUseCases": [words.purpose(export)],
        "dataLimitations": words.limitations(export),
        "dataReleaseMaintenancePlan": "The set is frozen and never changes; a corrected one is a "
        "new revision. Images are taken down on request: exports made afterwards leave them out "
        "and say so.",
        "personalSensitiveInformation": [
            "Not sought. Images that the source's users uploaded may show people."
        ],
    }
    # mlcroissant spells two names otherwise than the vocabulary does; readers of either find them.
    fields["dataCollectionTimeFrame"] = fields["dataCollectionTimeframe"]
    fields["dataDataManipulationProtocol"] = fields["dataManipulationProtocol"]
    return {f"rai:{name}": value for name, value in fields.items() if value}


def by_reason(counts: Mapping[str, int]) -> str:
    """Candidates that could not be had, in words; empty without any."""
    found = words.by_reason(counts)
    return f"Candidates that could not be downloaded, by reason: {found}." if found else ""


def _collection_type(export: Export) -> str:
    source = export.gathering.source
    return "Existing datasets" if source in ("folder", "table") else "Web Scraping"


def _distribution(files: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    shards = [
        {
            "@type": "cr:FileObject",
            "@id": path,
            "name": path,
            "contentUrl": path,
            "contentSize": f"{entry['bytes']} B",
            "encodingFormat": "application/x-parquet",
            "sha256": entry["sha256"],
        }
        for path, entry in sorted(files.items())
        if path.endswith(".parquet")
    ]
    together = {
        "@type": "cr:FileSet",
        "@id": "shards",
        "name": "shards",
        "description": "All parquet files, in the order of their names.",
        "encodingFormat": "application/x-parquet",
        "includes": f"data/{SPLIT}-*.parquet",
    }
    return [*shards, together]


def _images() -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": "images/image",
            "name": "image",
            "description": "The image.",
            "dataType": "sc:ImageObject",
            "source": {
                "fileSet": {"@id": "shards"},
                "extract": {"column": "image"},
                "transform": {"jsonPath": "bytes"},
            },
        }
    ]
    for name, (kind, meaning) in FIELDS.items():
        field: dict[str, Any] = {
            "@type": "cr:Field",
            "@id": f"images/{name}",
            "name": name,
            "description": meaning,
            "dataType": kind,
            "source": {"fileSet": {"@id": "shards"}, "extract": {"column": name}},
        }
        if name == "label":
            field["references"] = {"field": {"@id": "labels/label"}}
        fields.append(field)
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "The images, in the set's order.",
        "key": {"@id": "images/position"},
        "field": fields,
    }


def _labels(export: Export) -> dict[str, Any]:
    names = ("label", "class_id", "name")
    kinds = ("sc:Integer", "sc:Text", "sc:Text")
    return {
        "@type": "cr:RecordSet",
        "@id": "labels",
        "name": "labels",
        "description": "The classes, in the order of the labels.",
        "dataType": "sc:Enumeration",
        "key": {"@id": "labels/label"},
        "field": [
            {"@type": "cr:Field", "@id": f"labels/{name}", "name": name, "dataType": kind}
            for name, kind in zip(names, kinds, strict=True)
        ],
        "data": [
            {
                "labels/label": item.index,
                "labels/class_id": item.class_id,
                "labels/name": item.name,
            }
            for item in export.classes
        ],
    }
