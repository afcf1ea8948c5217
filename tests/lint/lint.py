#!/usr/bin/env python3
"""The house rules that no compiler checks: run as `lint.py RULE [SOURCE_ROOT]`, one Meson test per rule.

A finding is `file:line: rule: what to do`. A line that must break a rule says so with `// lint: RULE because ...`.
"""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cpp_text

LINES_LONG = 400
PRODUCTS = ("master", "executor", "registry-proxy", "cli")
# Who may know whom: arrows point down only (docs/ARCHITECTURE.md).
CORE = {
    "base": (),
    "model": ("base",),
    "wire": ("model", "base"),
    "runtime": ("base",),
    "observe": ("wire", "runtime", "model", "base"),
    "http": ("wire", "runtime", "model", "base", "observe"),
    "bus": ("wire", "runtime", "model", "base", "observe"),
    "store": ("wire", "runtime", "model", "base", "observe"),
    "state": ("store", "base"),
    "flags": ("base",),
}
# Outside headers and the only places that may include them.
ONLY_IN = (
    (re.compile(r"zmq"), re.compile(r"core/bus/|tests/")),
    (re.compile(r"toml\+\+"), re.compile(r"core/flags/|tests/")),
    (re.compile(r"sqlite3\.h"), re.compile(r"core/store/|tests/")),
    (re.compile(r"boost/beast"), re.compile(r"core/http/[^/]*\.cpp$|tests/.*\.cpp$")),
    (re.compile(r"curl/"), re.compile(r"core/http/|tests/")),
    (re.compile(r"nlohmann/json\.hpp"), re.compile(r"\.cpp$|tests/")),
    (re.compile(r"core/runtime/timeout\.hpp|boost/asio/experimental/awaitable_operators\.hpp|core/runtime/async_inline\.hpp"), re.compile(r"\.cpp$|core/runtime/")),
)
# The heart decides and does nothing else: no sockets, clocks, threads or files.
PURE = ("master/cluster/",)
IMPURE = re.compile(r"boost/asio|core/(?:http|bus|store|observe|runtime)/|<(?:thread|mutex|fstream|filesystem|random)>|spdlog")

WORDS = (
    (re.compile(r"\basio::detached\b|[,(]\s*detached\s*\)"), "every child belongs to a TaskGroup"),
    (re.compile(r"\b(?:co_spawn|spawn)\s*\([^;{]*\[[&=]\s*[\],]"), "a spawned coroutine takes its state as parameters"),
    (re.compile(r"this_thread::sleep_|\b(?:usleep|nanosleep)\s*\(|(?<![\w.>])sleep\s*\("), "wait for an event or a timer"),
    (re.compile(r"\busing\s+namespace\s+std\s*;"), "name what is used"),
)
# A fake may trust the test that drives it.
WORDS_IN_PROGRAMS = (
    (re.compile(r"\b(?:stoi|stol|stoul|stoll|stoull|stod|stof|atoi|atol|atof|atoll)\s*\("), "use std::from_chars and check it"),
)
WORDS_IN_COMMENTS = ((re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b"), "do it, or write an issue or ADR and name that"),)
# Folders that exist only on the machine of whoever wrote the line; Mesos's sandbox is in every container.
OWN_PATHS = re.compile(r"(?<![\w.$}])/(?:home|Users|root|work|mnt(?!/mesos/sandbox\b))/[\w.-]+|/tmp/(?:h|hub|brief)\b")
TRIVIAL_BRACES = re.compile(r"^(?:nanoseconds|microseconds|milliseconds|seconds|minutes|hours|size_t|u?int\d+_t)$")


class Findings:
    def __init__(self, rule):
        self.rule = rule
        self.count = 0

    def add(self, path, number, line, advice):
        if f"lint: {self.rule} because" in line:
            return
        self.count += 1
        print(f"{path}:{number}: {self.rule}: {advice}\n    {line.strip()[:140]}")


def check_coroutines(findings, path, text):
    """No capturing lambda, braced aggregate or ?: in the full expression of a co_await: GCC 12 destroys them twice."""
    lines = text.splitlines()
    tokens = cpp_text.tokens_of(text)
    for at, token in enumerate(tokens):
        if token.text == "co_await":
            for advice in faults_of(cpp_text.expression_around(tokens, at)):
                findings.add(path, token.line, lines[token.line - 1], f"{advice} in a co_await statement; name it first")


def faults_of(expression):
    faults = set()
    for at, token in enumerate(expression):
        before = expression[at - 1].text if at else ""
        if token.text == "?":
            faults.add("?:")
        elif token.text == "[" and not re.match(r"[\w)\]]$|\w+$", before):
            captures = capture_list(expression, at)
            if any(not re.fullmatch(r"this|&\w+|&|", capture) for capture in captures):
                faults.add("a lambda with captures")
        elif token.text == "{" and at and not cpp_text.is_block(expression, at):
            if not TRIVIAL_BRACES.match(before):
                faults.add("braces that make an object")
    return sorted(faults)


def capture_list(expression, at):
    words, depth = [""], 0
    for token in expression[at + 1:]:
        if token.text == "]" and depth == 0:
            return words
        depth += (token.text in cpp_text.OPEN) - (token.text in cpp_text.CLOSE)
        if token.text == "," and depth == 0:
            words.append("")
        else:
            words[-1] += token.text
    return []


def check_includes(findings, path, text):
    """Arrows point down only; what is expensive or special is included in one place."""
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not found:
            continue
        name = found.group(2)
        for pattern, allowed in ONLY_IN:
            if pattern.search(name) and not allowed.search(path):
                findings.add(path, number, line, f"{name} may be included only in {allowed.pattern}")
        if path.startswith(PURE) and IMPURE.search(line):
            findings.add(path, number, line, "the heart is pure: events in, actions out")
        if found.group(1) == '"' and not may_include(path, name):
            findings.add(path, number, line, f"{path.split('/')[0]} may not know {'/'.join(name.split('/')[:2])}")


def may_include(path, name):
    here, there = path.split("/"), name.split("/")
    if here[0] == "tests" or there[0] not in (*PRODUCTS, "core"):
        return here[0] == "tests" or there[0] not in ("tests",)
    if there[0] == "core":
        return here[0] != "core" or there[1] == here[1] or there[1] in CORE.get(here[1], ())
    return here[0] == there[0]


def check_words(findings, path, text):
    """Words that mean trouble: unowned children, sleeping, conversions that do not report errors, unfinished work."""
    original = text.splitlines()
    # "" is what a blanked literal leaves; includes are no calls.
    words = WORDS if path.startswith("tests/") else WORDS + WORDS_IN_PROGRAMS
    for number, line in enumerate(cpp_text.blank(text).splitlines(), 1):
        for pattern, advice in words:
            if pattern.search(line) and not line.lstrip().startswith("#"):
                findings.add(path, number, original[number - 1], advice)
    for number, line in enumerate(original, 1):
        for pattern, advice in WORDS_IN_COMMENTS:
            if pattern.search(line):
                findings.add(path, number, line, advice)


def check_paths(findings, path, text):
    """Nothing names a folder of the machine it was written on."""
    if path == "tests/lint/lint.py":
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = OWN_PATHS.search(line)
        if found:
            findings.add(path, number, line, f"{found.group(0)} exists on one machine only")


def check_length(findings, path, text):
    """Reports long files; the report fails nothing, a reader decides whether it is still one purpose."""
    count = text.count("\n")
    if count > LINES_LONG:
        print(f"note: {path} has {count} lines; is it still one purpose?")


CPP = ("*.cpp", "*.hpp")
RULES = {
    "coroutines": (check_coroutines, CPP),
    "includes": (check_includes, CPP),
    "words": (check_words, CPP),
    "paths": (check_paths, ("*",)),
    "length": (check_length, (*CPP, "*.py")),
}


def sources(root, patterns):
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns], cwd=root,
                            check=False, capture_output=True, text=True)
    if listed.returncode == 0:
        return sorted(name for name in listed.stdout.split("\0") if name and (root / name).is_file())
    # A source archive has no git.
    return sorted(str(path.relative_to(root)) for pattern in patterns for path in root.rglob(pattern)
                  if path.is_file() and not path.relative_to(root).parts[0].startswith(("build", ".")))


def main(arguments):
    if not arguments or arguments[0] not in RULES:
        print(f"usage: lint.py {'|'.join(RULES)} [SOURCE_ROOT]", file=sys.stderr)
        return 2
    rule = arguments[0]
    root = pathlib.Path(arguments[1] if len(arguments) > 1 else ".").resolve()
    check, patterns = RULES[rule]
    findings = Findings(rule)
    names = sources(root, patterns)
    for name in names:
        try:
            text = (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a binary corpus file
        check(findings, name, text)
    print(f"{rule}: {len(names)} files, {findings.count} findings")
    return 1 if findings.count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
