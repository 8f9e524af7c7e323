"""The paper's matched-frequency sampling, image by image, in the plainest way."""

from fractions import Fraction

from replicate.base.randomness import uniform

Row = tuple[str, str, int, int]


def bin_of(selected: int, shown: int, edges: list[Fraction]) -> int:
    frequency = Fraction(selected, shown)
    place = 0
    for edge in edges:
        if frequency >= edge:
            place += 1
    return place


def wanted(original: list[Row], per_class: int, edges: list[Fraction]) -> list[int]:
    histogram = [0] * (len(edges) + 1)
    for _, _, selected, shown in original:
        histogram[bin_of(selected, shown, edges)] += 1
    exact = [Fraction(count * per_class, len(original)) for count in histogram]
    shares = [int(value) for value in exact]
    while sum(shares) < per_class:
        best = 0
        for place in range(len(exact)):
            if exact[place] - shares[place] >= exact[best] - shares[best]:
                best = place
        shares[best] += 1
    return shares


def matched(
    pool: list[Row],
    original: list[Row],
    class_id: str,
    per_class: int,
    min_votes: int,
    edges: list[Fraction],
    fill: bool,
    seed: int,
    name: str,
) -> list[tuple[str, int, bool]] | None:
    """(image, bin, filled) of every image drawn; None if there are too few."""
    counted = [row for row in original if row[1] == class_id and row[3] >= min_votes]
    there: list[list[str]] = [[] for _ in range(len(edges) + 1)]
    for image, cls, selected, shown in pool:
        if cls == class_id and shown >= min_votes:
            there[bin_of(selected, shown, edges)].append(image)
    for images in there:
        images.sort(key=lambda image: (uniform(seed, "sample", name, class_id, image), image))
    shares = wanted(counted, per_class, edges)
    drawn = []
    for place, images in enumerate(there):
        drawn += [(image, place, False) for image in images[: shares[place]]]
    left = [images[shares[place] :] for place, images in enumerate(there)]
    for place in reversed(range(len(there))):
        short = shares[place] - len(there[place])
        for higher in range(place + 1, len(there)):
            while fill and short > 0 and left[higher]:
                drawn.append((left[higher].pop(0), higher, True))
                short -= 1
        if short > 0:
            return None
    return sorted(drawn)
