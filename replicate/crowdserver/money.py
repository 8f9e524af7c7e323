"""Amounts of money, as the protocol writes them: US dollars with at most two decimals."""


def cents(amount: str) -> int:
    """An amount in cents; its pattern has been checked before.

    >>> [cents(text) for text in ("1", "1.", "1.5", "1.50", "0.05")]
    [100, 100, 150, 150, 5]
    >>> cents("1234567")
    123456700
    """
    whole, _, rest = amount.partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0"))


def dollars(amount: int) -> str:
    """Cents as an amount.

    >>> dollars(5), dollars(12345)
    ('0.05', '123.45')
    """
    return f"{amount // 100}.{amount % 100:02d}"
