#!/usr/bin/env python3
"""Draws docs/demo.svg from a real run of the demonstration.

    cargo run --release --example demo | docs/demo.py

Lines that begin with `$` are commands, those with `#` comments. Only the standard library is needed.
"""

import pathlib
import sys
import textwrap
from xml.sax.saxutils import escape

COLUMNS = 96
FONT_SIZE, LINE_HEIGHT, CHARACTER_WIDTH, MARGIN = 13, 18, 7.83, 16
STYLES = {"$": "command", "#": "comment"}


def rows(text: str):
    """Yields each row of the picture with its style; longer lines wrap as a terminal wraps them."""
    for line in text.strip("\n").split("\n"):
        style = STYLES.get(line[:1], "output")
        pieces = [line[at : at + COLUMNS] for at in range(0, len(line), COLUMNS)]
        if style == "comment":
            pieces = textwrap.wrap(line, COLUMNS, subsequent_indent="# ")
        yield from ((piece, style) for piece in pieces or [""])


def draw(text: str) -> str:
    """Returns the SVG."""
    drawn = list(rows(text))
    width = round(COLUMNS * CHARACTER_WIDTH) + 2 * MARGIN
    height = len(drawn) * LINE_HEIGHT + 2 * MARGIN
    lines = "\n".join(
        f'<text class="{style}" x="{MARGIN}" y="{MARGIN + (row + 1) * LINE_HEIGHT - 5}">{escape(line)}</text>'
        for row, (line, style) in enumerate(drawn)
        if line
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>The demonstration: login, config add, ssh</title>
<style>
rect {{ fill: #0d1117 }}
text {{ font: {FONT_SIZE}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre }}
.command {{ fill: #ffffff; font-weight: bold }}
.comment {{ fill: #8b949e }}
.output {{ fill: #c9d1d9 }}
</style>
<rect width="{width}" height="{height}" rx="8"/>
{lines}
</svg>
"""


def main() -> None:
    text = sys.stdin.read()
    if "$ entra-ssh" not in text:
        sys.exit("standard input is not a run of the demonstration: cargo run --release --example demo | docs/demo.py")
    pathlib.Path(__file__).with_name("demo.svg").write_text(draw(text), encoding="utf-8")


if __name__ == "__main__":
    main()
