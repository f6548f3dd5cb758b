"""Tables of the documentation that come from recordings: a page names the command, and its output holds the table.

``<!-- replayed: secagent reproduce NAME --replay -->`` begins what is shown, ``<!-- end -->`` ends it. Every row of a
table there is a row of what the command prints, and every paragraph a part of it, digit for digit.
"""

import contextlib
import io
import re
import shlex
from collections.abc import Iterator

SHOWN = re.compile(r"<!-- replayed: (?P<command>secagent .*?) -->\n(?P<shown>.*?)<!-- end -->", re.DOTALL)


def replayed(page: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a page with what is shown of its output."""
    for match in SHOWN.finditer(page):
        yield " ".join(match["command"].split()), match["shown"]


def output_of(command: str) -> str:
    """Run a command without a model, and return what it prints."""
    from eval.command.cli import main

    arguments = shlex.split(command)[1:]
    assert "--replay" in arguments, f"{command} replays nothing"
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(io.StringIO()) as told:
        status = main(["-q", *arguments])
    assert status == 0, f"{command}: {told.getvalue()}"
    return printed.getvalue()


def missing(shown: str, printed: str) -> list[str]:
    """Return the rows of tables and the paragraphs that are shown and not printed."""
    rows = {one_line(line) for line in printed.splitlines()}
    text = one_line(printed)
    lacking = []
    for paragraph in re.split(r"\n\s*\n", shown.strip()):
        if paragraph.startswith("|"):
            lacking += [line for line in paragraph.splitlines() if one_line(line) not in rows]
        elif one_line(paragraph) not in text:
            lacking.append(paragraph)
    return lacking


def one_line(text: str) -> str:
    """Return a text with single spaces, and rules of tables of one length."""
    return re.sub(r":?-{2,}:?", "--", " ".join(text.split()))
