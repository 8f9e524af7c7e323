"""Reading small forms of our own pages."""

from starlette.requests import Request


async def fields_of(request: Request, most: int = 50) -> dict[str, str]:
    """The text fields of a form, each by its last value; files are refused.

    Args:
        request: The request.
        most: How many fields there may be.
    """
    form = await request.form(max_files=0, max_fields=most)
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
