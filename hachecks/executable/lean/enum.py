"""`enum`, for numbers that httpcore only compares."""


class IntEnum:
    """A class whose attributes are plain numbers."""
