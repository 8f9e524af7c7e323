"""ImageNetV2's way from votes to a matched-frequency set, image by image, written anew.

What its code (mturk_data.py, dataset_sampling.py) holds in memory once its files are loaded: HITs
by their id with the class and the images of each, the assignments of each HIT with the list of
the images that were selected, the images of each class. What it does then: counts in dictionaries
of dictionaries, a test of every answer for every image; histograms, eligibility and bins of one
image after the other, none of them carried over from an earlier revision; a random draw from each
bin of each class. Near-duplicates and reviews are left out, and so are the counts by HIT and by
worker: such a set needs none of them.
One thing is put right, for both to give the same set: remainders are whole numbers here, where
those of fractions in floating point are ties or no ties by chance.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = (0.2, 0.4, 0.6, 0.8)
PAGE = 48
COUNTS = ("Submitted", "Approved")
Draw = Callable[[str, list[str], int], list[str]]


def loaded(
    images: list[str], classes: list[str], answers: npt.NDArray[np.bool_], prefix: str
) -> Iterator[tuple[dict[str, Any], dict[str, dict[str, Any]]]]:
    """HITs with their assignments. The names in answers are no objects of the HIT's own list,
    for they come from another file."""
    first = 0
    while first < len(images):
        last = first
        while last < len(images) and last - first < PAGE and classes[last] == classes[first]:
            last += 1
        shown = images[first:last]
        yield (
            {"uuid": f"{prefix}{first}", "wnid": classes[first], "images_all": shown},
            {
                f"{prefix}{first}-{who}": {
                    "AssignmentStatus": "Approved",
                    "Answer": [
                        str(name.encode(), "utf-8")
                        for name, yes in zip(shown, column, strict=True)
                        if yes
                    ],
                }
                for who, column in enumerate(answers[first:last].T.tolist())
            },
        )
        first = last


class Loops:
    """Frequencies of all images, and a set drawn by them."""

    def __init__(
        self,
        hits: dict[str, dict[str, Any]],
        assignments: dict[str, dict[str, dict[str, Any]]],
        original_by_class: dict[str, list[str]],
        pool_by_class: dict[str, list[dict[str, str]]],
    ) -> None:
        self.hits = hits
        self.assignments = assignments
        self.original_by_class = original_by_class
        self.pool_by_class = pool_by_class
        self.fraction: dict[str, dict[str, float]] = {}
        self.number: dict[str, dict[str, int]] = {}

    def count(self) -> None:
        """Selected over shown, for each image and each class that it was shown for."""
        hits_of: dict[str, list[dict[str, Any]]] = {}
        for hit in self.hits.values():
            for image in hit["images_all"]:
                if image not in hits_of:
                    hits_of[image] = []
                hits_of[image].append(hit)
        for image, own in hits_of.items():
            self.fraction[image] = {}
            self.number[image] = {}
            for hit in own:
                wnid = hit["wnid"]
                if wnid not in self.fraction[image]:
                    self.fraction[image][wnid] = 0
                    self.number[image][wnid] = 0
                for assignment in self.assignments[hit["uuid"]].values():
                    if assignment["AssignmentStatus"] in COUNTS:
                        self.number[image][wnid] += 1
                        if image in assignment["Answer"]:
                            self.fraction[image][wnid] += 1
        for image, by_class in self.fraction.items():
            for wnid in by_class:
                if self.number[image][wnid] == 0:
                    by_class[wnid] = 0.0
                else:
                    by_class[wnid] /= self.number[image][wnid]

    def votes_on(self, image: str, wnid: str) -> int:
        if image not in self.number or wnid not in self.number[image]:
            return 0
        return self.number[image][wnid]

    def wanted(self, wnid: str, per_class: int, votes: int) -> list[int]:
        """The histogram of the class's original images in images of the new set."""
        histogram = np.zeros(len(BINS) + 1)
        for image in self.original_by_class[wnid]:
            if self.votes_on(image, wnid) >= votes:
                histogram[bin_of(self.fraction[image][wnid])] += 1
        total = int(histogram.sum())
        whole = [per_class * int(n) // total for n in histogram]
        left = [per_class * int(n) % total for n in histogram]
        for place in sorted(range(len(left)), key=lambda i: (left[i], i), reverse=True)[
            : per_class - sum(whole)
        ]:
            whole[place] += 1
        return whole

    def sample(self, per_class: int, votes: int, draw: Draw) -> list[tuple[str, str]]:
        """The set; ``draw(class, images, n)`` takes n of a bin's images."""
        targets = {wnid: self.wanted(wnid, per_class, votes) for wnid in self.original_by_class}
        chosen: list[tuple[str, str]] = []
        excluded: dict[str, dict[int, list[str]]] = {}
        candidates: dict[str, list[list[str]]] = {}
        for wnid in sorted(targets):
            excluded[wnid] = {place: [] for place in range(len(BINS) + 1)}
            by_bin: list[list[str]] = [[] for _ in range(len(BINS) + 1)]
            carried: list[list[str]] = [[] for _ in by_bin]  # of an earlier revision: none
            for candidate in self.pool_by_class[wnid]:
                image = candidate["id_ours"]
                if image in self.fraction and wnid in self.fraction[image]:
                    place = bin_of(self.fraction[image][wnid])
                else:
                    place = 0
                if self.votes_on(image, wnid) >= votes:
                    used = False
                    for before in carried:
                        if image in before:
                            used = True
                    if not used:
                        by_bin[place].append(image)
                else:
                    excluded[wnid][place].append(image)
            candidates[wnid] = []
            for place, target in enumerate(targets[wnid]):
                there = sorted(by_bin[place])
                candidates[wnid].append(copy.deepcopy(there))
                if target > len(there):
                    raise ValueError(f"class {wnid}, bin {place}: {len(there)} of {target}")
                chosen += [(image, wnid) for image in draw(wnid, there, target)]
        return chosen


def bin_of(frequency: float) -> int:
    for place, edge in enumerate(BINS):
        if frequency < edge:
            return place
    return len(BINS)
