#!/usr/bin/env python3
"""Finds phrases that the glossary has a better word for, in src/, docs/ and the pages at the top.

It exits with status 1 if it finds any. It checks itself first: each pattern finds its example, each exception is still needed.

Each row: a pattern, and what to say instead. A line that is right as it is goes into ALLOWED, with its reason.
"""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
PLACES = ["src", "docs", "README.md", "CONTRIBUTING.md", "SECURITY.md"]
SUFFIXES = {".rs", ".md"}

# (pattern, an example that it finds, what to say)
PHRASES = [
    (r"nobody (is|has) signed in", "nobody is signed in", "not signed in"),
    (r"\b(buy|buys|buying|bought)\b", "buys a token", "acquire"),
    (r"\b(is|be|are|was|were) given\b", "be given relay credentials", "get, receive, acquire"),
    (r"\bha(ve|s|d) (it|them) from\b", "has it from Entra", "acquire, get"),
    (r"\b(see|sees|saw|seen|seeing) to (a|it|the|that)\b", "sees to a certificate", "renew, check, make sure"),
    (r"\b(is|are|was) over\b", "the certificate is over", "expired, has ended"),
    (r"\bat hand\b", "a key at hand", "cached"),
    (r"\b(take|takes|took|taking) note of\b", "takes note of a question", "record"),
    (r"\bends? with \d", "ends with 4", "exit status 4"),
    (r"\bfor want of\b", "for want of an address", "for lack of, without"),
    (r"\banew\b", "asks anew", "again"),
    (r"\bits kin\b", "ssh and its kin", "related tools"),
    (r"\b[Ww]hoever\b", "whoever asks", "the user, the caller, a client"),
    (r"\b([Ss]ome|[Nn]o|[Aa]ny|[Ee]very)body\b", "nobody is asked", "a role: user, caller, client, server; or no one"),
    (r"\b(is|are|be|was|were) (told|said|asked)\b", "is told", "the active voice: who says or asks what"),
    (r"\bit is looked\b", "it is looked whether", "entra-ssh checks whether"),
    (r"\b(persons?|people)\b", "a person signs in", "user"),
    (r"\bis none of\b", "`x` is none of a, b", "invalid …: expected one of …"),
    (r"\bis no (time|number|such|address|name|file|path|certificate|key|URL|profile)\b", "`5x` is no time", "invalid, not a …"),
    (r"\bknows? no\b", "Azure knows no X", "not found"),
    (r"\b(a second chance|another try)\b", "gets a second chance", "retry"),
    (r"\b[Tt]ells? whether\b", "Tells whether it is due", "Returns whether, or an is_ name without the line"),
    (r"\b(subscriptions|memory|machine|user|users) alone\b", "these subscriptions alone", "only"),
]

# Lines that are right as they are: a part of the line, and why.
ALLOWED = [
    ("a summary in the third person", "grammar"),
    ('#[serde(rename = "person")]', "profiles of earlier versions"),
    ("What stands between the marks of a block is written anew", "the title of files that earlier versions wrote"),
]


def found(line: str):
    """Yields what a line should not say, and what to say."""
    if any(part in line for part, _ in ALLOWED):
        return
    for pattern, _, instead in PHRASES:
        match = re.search(pattern, line)
        if match:
            yield match.group(), instead


def files():
    """Yields the files to check."""
    for place in PLACES:
        path = TOP / place
        yield from sorted(path.rglob("*")) if path.is_dir() else [path]


def check() -> int:
    """Prints each finding, and returns how many there are."""
    count = lines = 0
    for path in files():
        if path.suffix not in SUFFIXES:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            lines += 1
            for phrase, instead in found(line):
                count += 1
                print(f"{path.relative_to(TOP)}:{number}: `{phrase}`; say: {instead}")
    if lines < 10_000:
        sys.exit(f"only {lines} lines were read: does this check still find the files?")
    return count


def check_itself() -> None:
    """Fails if a phrase does not find its example, or if no line needs an exception any more."""
    for pattern, example, _ in PHRASES:
        if not re.search(pattern, example):
            sys.exit(f"{pattern} does not find its example, {example}")
    texts = "\n".join(path.read_text(encoding="utf-8") for path in files() if path.suffix in SUFFIXES)
    for part, _ in ALLOWED:
        if part not in texts:
            sys.exit(f"no line needs this exception any more: {part}")


def main() -> None:
    check_itself()
    if check():
        sys.exit(1)


if __name__ == "__main__":
    main()
