"""C++ source as the lints need it: comments and literals blanked, tokens with their lines, and the full expression that
a token stands in. Not a parser: it knows brackets, statements and what kind of brace is opened, no more."""

import bisect
import re
from typing import NamedTuple

TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.']*|->|::|&&|\|\||<=>|\[\[|\]\]|[^\s\w]")
LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.|[^\'\\\n])+\'', re.S)
OPEN, CLOSE = {"(", "[", "{", "[["}, {")", "]", "}", "]]"}
# What stands before the brace of a block; after a name or a template's `>` it is an initializer's.
BEFORE_BLOCK = {")", ";", "}", "else", "do", "try", "const", "noexcept", "override", "mutable", ":"}


class Token(NamedTuple):
    text: str
    line: int


def blank(text):
    """Comments become spaces and literals lose their content; lines stay where they were."""

    def replacement(found):
        piece = found.group(0)
        lines = "\n" * piece.count("\n")
        return lines + " " if piece.startswith("/") else '""' + lines

    return LITERAL.sub(replacement, text)


def tokens_of(text):
    clean = blank(text)
    # Preprocessor lines are none of the language's statements.
    clean = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda found: "\n" * found.group(0).count("\n"), clean, flags=re.M)
    starts = [0] + [found.end() for found in re.finditer("\n", clean)]
    return [Token(found.group(0), bisect.bisect_right(starts, found.start())) for found in TOKEN.finditer(clean)]


def is_block(tokens, at):
    """Whether the `{` at this place opens a block of statements."""
    if at == 0 or tokens[at - 1].text in BEFORE_BLOCK:
        return True
    if tokens[at - 1].text == "{":
        return is_block(tokens, at - 1)
    # A lambda's or function's `-> type {`: the arrow comes after the parameters, with no other bracket between.
    for back in range(at - 1, max(-1, at - 30), -1):
        text = tokens[back].text
        if text == "->":
            return True
        if text in ("(", ")", ";", "{", "}", "=", "return", "co_return", "co_await", ","):
            return False
    return False


def expression_around(tokens, at):
    """The tokens of the full expression in which tokens[at] stands: from the statement's start to its end."""
    first, depth = at, 0
    while first > 0:
        text = tokens[first - 1].text
        if text in CLOSE:
            # `}` of a block before us ends the statement before; one of an initializer belongs to ours.
            if depth == 0 and text == "}" and block_ends_here(tokens, first - 1):
                break
            depth += 1
        elif text in OPEN:
            if depth == 0 and text == "{" and is_block(tokens, first - 1):
                break
            depth = max(0, depth - 1)
        elif text == ";" and depth == 0:
            break
        first -= 1
    last, depth = at, 0
    while last + 1 < len(tokens):
        text = tokens[last + 1].text
        if text == ";" and depth <= 0:
            break
        if text == "{" and depth <= 0 and is_block(tokens, last + 1):
            break
        depth += (text in OPEN) - (text in CLOSE)
        last += 1
    return tokens[first:last + 1]


def block_ends_here(tokens, at):
    depth = 0
    for back in range(at, -1, -1):
        text = tokens[back].text
        depth += (text in CLOSE) - (text in OPEN)
        if depth == 0:
            return is_block(tokens, back) and not (back and is_lambda_body(tokens, back))
    return True


def is_lambda_body(tokens, at):
    """Whether the block opened at this place is a lambda's: its `[...]` stands before the parameters."""
    back, depth = at - 1, 0
    while back >= 0:
        text = tokens[back].text
        if depth == 0 and text in (";", "{", "}"):
            return False
        if text == "]" and depth == 0:
            return True
        depth += (text in CLOSE) - (text in OPEN)
        if depth < 0:
            return False
        back -= 1
    return False
