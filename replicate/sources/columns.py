"""The columns of tables of images."""

# The names that a column may have; the first found is taken.
COLUMNS = {
    "url": ("url", "image_url", "url_o"),
    "path": ("path", "file", "filename", "file_name", "image_path"),
    "class": ("class", "class_id", "label", "wnid", "category"),
    "id": ("id", "image_id", "photo_id"),
    "owner": ("owner", "owner_name", "ownername", "author", "photographer"),
    "licence": ("licence", "license"),
    "page_url": ("page_url", "page", "source_url"),
    "uploaded": ("uploaded", "date_upload", "upload_date", "date"),
    "taken": ("taken", "date_taken", "datetaken", "year"),
    "keyword": ("keyword", "search_term", "query"),
    "rank": ("rank", "query_rank"),
}
TEXTS = ("title", "text", "caption", "description", "tags")
