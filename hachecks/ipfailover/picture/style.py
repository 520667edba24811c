"""Colours and type of the picture, in light and in dark.

Every class stands with both its colours, since what is no browser knows no CSS variables. A rank's shade is the
stronger the better the rank is, against either ground, and every text keeps a contrast of 4.5 to what is below it.
"""

from __future__ import annotations

ROOT = "hacheck-plan"
"""The class of the picture, so that its rules touch nothing of a page that it is put into."""
SANS = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"

FILLS = {
    "ground": ("#ffffff", "#12181d"),
    "one": ("#0b4f71", "#8fd0f0"),
    "two": ("#7fbcd9", "#2c6a8a"),
    "three": ("#d3e8f3", "#1d3c4d"),
    "kept": ("#5a9dbd", "#4d8fb0"),
    "gained": ("#b3540a", "#f0a24f"),
}
"""What is filled: light, dark."""
STROKES = {"rule": ("#d9e0e5", "#2b353c"), "gone": ("#76828c", "#84929c"), "before": ("#17212b", "#e6edf2")}
"""What is drawn as a line: light, dark."""
INKS = {
    "muted": ("#55616b", "#9fadb7"),
    "on-one": ("#ffffff", "#06202e"),
    "on-two": ("#0a1f2b", "#ffffff"),
    "on-three": ("#17303d", "#d9ecf6"),
    "more": ("#974305", "#f0a24f"),
}
"""What is written otherwise than in the ink of the picture: light, dark."""
INK = ("#17212b", "#e6edf2")

TITLE, HEADING, TEXT, SMALL = 20, 15, 13, 12
"""Heights of the type, in units of the drawing."""
MONO_WIDTH = 0.61
"""Of a character, by its height: DejaVu's is 0.602, others are narrower."""
SANS_WIDTH = 0.62
"""Of most characters, by their height, in DejaVu, the widest of the fonts."""

RULES = (
    f"font:{TEXT}px/1.4 {SANS}",
    f".title{{font-size:{TITLE}px;font-weight:650}}",
    f".heading{{font-size:{HEADING}px;font-weight:650}}",
    ".strong{font-weight:650}",
    f".mono{{font-family:{MONO}}}",
    f".small{{font-size:{SMALL}px}}",
    ".end{text-anchor:end}",
    ".middle{text-anchor:middle}",
    ".rule,.gone,.before{fill:none}",
    ".before{stroke-width:2}",
    ".gone{stroke-dasharray:2 2}",
)


def sheet() -> str:
    """The style of a picture."""
    base, *rules = RULES
    dark = "".join(_rule(rule) for rule in _colours(1))
    return f".{ROOT}{{{base}}}{''.join(map(_rule, (*rules, *_colours(0))))}@media (prefers-color-scheme:dark){{{dark}}}"


def _rule(rule: str) -> str:
    """The rule for what is in a picture alone; one without a selector is the picture's own."""
    selector, brace, rest = rule.partition("{")
    return f"{','.join(f'.{ROOT} {one}' if one else f'.{ROOT}' for one in selector.split(','))}{brace}{rest}"


def _colours(theme: int) -> list[str]:
    return [
        f"{{color:{INK[theme]};background:{FILLS['ground'][theme]};fill:currentColor}}",
        *(f".{name}{{fill:{both[theme]}}}" for name, both in {**FILLS, **INKS}.items()),
        *(f".{name}{{stroke:{both[theme]}}}" for name, both in STROKES.items()),
    ]
