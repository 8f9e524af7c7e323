"""Licences by what sources write."""

import pytest

from replicate.sources.licences import licence


@pytest.mark.parametrize(
    ("source", "code", "name", "url"),
    [
        ("flickr", "0", "All rights reserved", ""),
        ("flickr", "9", "CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("flickr", " 4 ", "CC BY 2.0", "https://creativecommons.org/licenses/by/2.0/"),
        ("flickr", "99", "99", ""),
        ("table", "4", "4", ""),
        ("table", "MIT", "MIT", ""),
        ("folder", None, "unknown", ""),
        (
            "table",
            "https://creativecommons.org/licenses/by-sa/4.0/",
            "CC BY-SA 4.0",
            "https://creativecommons.org/licenses/by-sa/4.0/",
        ),
        (
            "table",
            "http://www.creativecommons.org/publicdomain/zero/1.0/deed.en",
            "CC0 1.0",
            "http://www.creativecommons.org/publicdomain/zero/1.0/deed.en",
        ),
        ("table", "https://example.org/terms", "https://example.org/terms",
         "https://example.org/terms"),
        ("table", "https://creativecommons.org.evil.org/licenses/by/4.0/",
         "https://creativecommons.org.evil.org/licenses/by/4.0/",
         "https://creativecommons.org.evil.org/licenses/by/4.0/"),
    ],
)  # fmt: skip
def test_a_code_has_a_name_and_a_text(source: str, code: str | None, name: str, url: str) -> None:
    found = licence(source, code)
    assert (found.name, found.url) == (name, url)


def test_every_number_of_flickr_is_a_licence_of_its_own() -> None:
    found = [licence("flickr", str(number)) for number in range(17)]
    assert len({item.name for item in found}) == 17
    assert all("4.0" in item.name and item.url for item in found[11:])
