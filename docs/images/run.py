#!/usr/bin/env python3
"""Draws docs/images/run.svg: what a terminal shows at the end of `pghaul demo`.

    cargo build --release -p pghaul && docs/images/run.py
"""

import html
import os
import pty
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAM = os.environ.get("PGHAUL_BIN", HERE.parents[1] / "target/release/pghaul")
COLUMNS, ROWS, CELL, LINE = 92, 60, 8.4, 19
COLORS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "36": "#76e3ea", "2": "#8b949e"}


def record():
    """The bytes that the demo writes to a terminal."""
    main, side = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color"}
    subprocess.run(["stty", "cols", str(COLUMNS), "rows", str(ROWS)], stdin=side, check=True)
    demo = subprocess.Popen([PROGRAM, "demo"], stdin=side, stdout=side, stderr=side, env=environment)
    os.close(side)
    written = b""
    while True:
        try:
            more = os.read(main, 65536)
        except OSError:
            break
        if not more:
            break
        written += more
    assert demo.wait() == 0, "the demo failed"
    return written.decode()


def screen(text):
    """Lines of (character, style) as they stand at the end, for the few control sequences that are used."""
    lines, row, column, style = [[]], 0, 0, ()
    for token in re.finditer(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b.|(.)", text, re.S):
        arguments, command, character = token.groups()
        if command == "m":
            for code in arguments.split(";"):
                style = () if code in ("", "0") else (*style, code)
        elif command == "K":
            lines[row] = [] if arguments == "2" else lines[row][:column]
        elif command == "A":
            row = max(0, row - int(arguments or 1))
        elif command == "B":
            row += int(arguments or 1)
        elif character == "\r":
            column = 0
        elif character == "\n":
            row += 1
        elif character and character.isprintable():
            if column == COLUMNS:
                row, column = row + 1, 0
                lines.extend([] for _ in range(row + 1 - len(lines)))
            line = lines[row]
            line.extend([(" ", ())] * (column + 1 - len(line)))
            line[column] = (character, style)
            column += 1
        lines.extend([] for _ in range(row + 1 - len(lines)))
    return lines


def draw(lines):
    """The picture of a terminal window."""
    while lines and not lines[-1]:
        lines.pop()
    width = round(COLUMNS * CELL + 40)
    height = (len(lines) + 1) * LINE + 72
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    yield "<title>pghaul demo, as a terminal shows it</title>"
    yield f'<rect width="{width}" height="{height}" rx="10" fill="#0d1117"/>'
    for number, color in enumerate(["#ff5f57", "#febc2e", "#28c840"]):
        yield f'<circle cx="{22 + 20 * number}" cy="22" r="6" fill="{color}"/>'
    yield ('<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14" fill="#e6edf3" '
           'xml:space="preserve">')
    for number, line in enumerate([[(c, ()) for c in "$ pghaul demo"], *lines]):
        runs, at = [], 0
        while at < len(line):
            end = at
            while end < len(line) and line[end][1] == line[at][1]:
                end += 1
            text, style = "".join(c for c, _ in line[at:end]), line[at][1]
            color = next((f' fill="{COLORS[s]}"' for s in reversed(style) if s in COLORS), "")
            bold = ' font-weight="700"' if "1" in style else ""
            if text.strip():
                text = text.rstrip()
                place = f'x="{20 + at * CELL:.1f}" textLength="{len(text) * CELL:.1f}"'
                runs.append(f"<tspan {place}{color}{bold}>{html.escape(text)}</tspan>")
            at = end
        if runs:
            yield f'<text y="{60 + number * LINE}">{"".join(runs)}</text>'
    yield "</g></svg>"


if __name__ == "__main__":
    (HERE / "run.svg").write_text("\n".join(draw(screen(record()))) + "\n")
