"""Tables as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

Row = Sequence[str]


def number(value: float | None, digits: int = 5) -> str:
    """A number as tables have it."""
    return "" if value is None else f"{value:.{digits}g}"


def text_table(header: Row, rows: Sequence[Row]) -> str:
    """Columns side by side; the first is aligned to the left."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]

    def line(row: Row) -> str:
        cells = [cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))]
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), line(["─" * width for width in widths]), *map(line, rows)])


def html_table(header: Row, rows: Sequence[Row], caption: str = "") -> str:
    """The same for notebooks, whose style it takes."""

    def line(row: Row, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"

    top = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{top}<thead>{line(header, 'th')}</thead><tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"
