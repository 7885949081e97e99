# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's timeline as a picture that stands on its own (SVG 1.1, no script, no outside font)."""

from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 1100, 250, 40
ROW, BAR = 26, 16
COLOURS = {
    "platform": "#4e79a7", "live migration": "#59a14f", "guest killed": "#edc948", "power lost": "#e15759",
    "node repaired": "#76b7b2", "moved back": "#59a14f",
}
OTHER = "#9c755f"


def draw(title, spans, facts):
    """An SVG document: one panel for the whole demo, one for each step that has stations of its own."""
    began = min(span.started for span in spans)
    groups = list(dict.fromkeys(span.group for span in spans))
    whole = [(group, [span for span in spans if span.group == group]) for group in groups]
    overview = [
        (group, min(span.started for span in members), max(span.ended for span in members), COLOURS.get(group, OTHER))
        for group, members in whole
    ]
    parts, top = [], 70
    parts.append(_text(20, 36, title, size=20, weight="bold"))
    drawn, top = _panel("the whole demo", overview, began, top)
    parts += drawn
    for group, members in whole:
        if len(members) > 1:
            rows = [(span.name, span.started, span.ended, COLOURS.get(group, OTHER)) for span in members]
            drawn, top = _panel(group, rows, min(span.started for span in members), top)
            parts += drawn
    for name, value in facts:
        parts.append(_text(20, top, f"{name}: {value}"))
        top += 20
    height = top + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="13">\n<title>{escape(title)}</title>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(title, rows, began, top):
    """One panel: a labelled bar per row (name, start, end, colour) on an axis that starts at BEGAN."""
    ended = max(row[2] for row in rows)
    scale = (WIDTH - LEFT - RIGHT - 60) / max(ended - began, 0.001)
    bottom = top + 14 + ROW * len(rows)
    parts = [_text(20, top, title, size=15, weight="bold")]
    for tick in _ticks(ended - began):
        x = LEFT + tick * scale
        parts.append(f'<line x1="{x:.1f}" y1="{top + 8}" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>')
        parts.append(_text(x, bottom + 14, f"{tick:g} s", anchor="middle", size=11, colour="#666666"))
    for index, (name, start, end, colour) in enumerate(rows):
        y = top + 14 + index * ROW
        x, width = LEFT + (start - began) * scale, max((end - start) * scale, 1.5)
        parts.append(_text(LEFT - 10, y + BAR - 3, name, anchor="end"))
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{colour}"/>')
        parts.append(_text(x + width + 6, y + BAR - 3, f"{end - start:.2f} s", size=12, colour="#333333"))
    return parts, bottom + 46


def _ticks(seconds):
    step = next((step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60) if seconds / step <= 12), 120)
    return [step * index for index in range(int(seconds / step) + 1)]


def _text(x, y, text, anchor="start", size=13, colour="#000000", weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}">{escape(text)}</text>'
    )
