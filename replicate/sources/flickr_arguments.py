"""The arguments of flickr.photos.search: which there are, and which are set by whom."""

import difflib

from replicate.base.errors import UsageError

# The arguments of flickr.photos.search. Flickr ignores any other without a word, so a
# misspelt one (min_uploaded_date) silently widens a search.
_ARGUMENTS = """
    accuracy bbox color_codes contacts content_type content_types extras geo_context group_id
    has_geo in_gallery is_commons is_getty lat license lon machine_tag_mode machine_tags
    max_taken_date max_upload_date media min_taken_date min_upload_date orientation page per_page
    person_id place_id privacy_filter radius radius_units safe_search sort styles tag_mode tags
    text user_id video_content_type woe_id
"""
ARGUMENTS = frozenset(_ARGUMENTS.split())
# These are set by the adapter itself, from keys of their own in the pipeline file.
RESERVED = {
    "tags": "search and the terms of the classes",
    "text": "search and the terms of the classes",
    "tag_mode": "search",
    "license": "licences",
    "media": "media",
    "content_types": "content",
    "content_type": "content",
    "safe_search": "safe_search",
    "min_upload_date": "date_windows",
    "max_upload_date": "date_windows",
    "per_page": "per_page",
    "page": "nothing: every page is asked for",
    "extras": "nothing: all that is stored is asked for",
    "sort": "nothing: the newest come first, so that windows can be cut",
}


def check_arguments(names: set[str]) -> None:
    """Refuse argument names that flickr.photos.search does not have.

    Raises:
        UsageError: One is unknown; the hint names the nearest.
    """
    for name in sorted(names - ARGUMENTS):
        near = difflib.get_close_matches(name, sorted(ARGUMENTS), n=1)
        raise UsageError(
            f"flickr.photos.search has no argument {name!r}; Flickr would ignore it silently.",
            f"Did you mean {near[0]!r}?" if near else "",
        )


def check_own_arguments(names: set[str]) -> None:
    """Refuse further arguments that a pipeline file gives, if they are not for it to give.

    Raises:
        UsageError: One is unknown, or set by another key of `[gather]`.
    """
    check_arguments(names)
    for name in sorted(names & RESERVED.keys()):
        raise UsageError(
            f"[gather] arguments cannot set {name!r}: gathering sets it itself.",
            f"What it follows from: {RESERVED[name]}.",
        )
