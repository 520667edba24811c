"""`pg8000.converters`, where every value stays text: it knows 90 types, and imports what each of them is made of."""

from __future__ import annotations

PG_PY_ENCODINGS: dict[str, str] = {}
"""What PostgreSQL calls an encoding -> what Python calls it; the build fills it from pg8000's own."""
PG_TYPES: dict[int, object] = {}
PY_TYPES: dict[type, object] = {}


def string_in(data: str) -> str:
    """The text as it came."""
    return data


def make_params(_types: object, _values: object) -> tuple[str, ...]:
    """Refuse: a check asks by the simple protocol, which has none."""
    raise NotImplementedError
