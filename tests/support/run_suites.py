#!/usr/bin/env python3
"""Builds, runs the Meson suites and adds up the results: the body of scripts/test.

Every stage (a build, a check, each Meson test) is one line of the sum. A stage that cannot be built counts as one
failure and the others go on, so that one run shows everything that is wrong. Builds run one after another, each with
all compile jobs. Meson's own log files are the source of the counts, never its printed text.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD_ROOT = pathlib.Path(os.environ.get("METHOS_BUILD_ROOT") or ROOT)
CI = os.environ.get("CI") == "true"

PARALLEL_SUITES = ["unit", "component", "simulation", "fuzz", "lint"]
SERIAL_SUITES = ["docker", "clients", "cluster"]
MUST_RUN_IN_CI = set(SERIAL_SUITES)

MEMORY_PER_JOB_KB = 1_500_000  # a translation unit with Beast and JSON at -O2
TIDY_FILES_MAX = 6
TIDY_SECONDS_MAX = 480
HEADERS_MAX = 20


def compile_jobs():
    """As many as there are cores, but no more than the memory carries."""
    if os.environ.get("METHOS_JOBS"):
        return os.environ["METHOS_JOBS"]
    cores = len(os.sched_getaffinity(0))
    with open("/proc/meminfo", encoding="ascii") as lines:
        memory_kb = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    return str(max(1, min(cores, memory_kb // MEMORY_PER_JOB_KB)))


def cached(compiler):
    """The compiler behind ccache where that is installed: a second run costs what changed."""
    return f"ccache {compiler}" if shutil.which("ccache") else compiler


class Sum:
    """What passed, failed and was skipped, and where the time went."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.stages = []

    def stage(self, name, started):
        self.stages.append((name, time.monotonic() - started))

    def result(self, name, ok):
        if ok:
            self.passed += 1
        else:
            self.failed.append(name)
        return ok

    def skip(self, name, why):
        if CI and name.split(":")[0] in MUST_RUN_IN_CI:
            self.failed.append(f"{name} (skipped, which CI does not allow: {why})")
        else:
            self.skipped.append(f"{name}: {why}")

    def finish(self):
        print("\n== where the time went")
        for name, seconds in self.stages:
            print(f"   {seconds:7.1f} s  {name}")
        for name in self.skipped:
            print(f"skipped: {name}")
        for name in self.failed:
            print(f"FAILED: {name}")
        if not self.passed and not self.failed:
            self.failed.append("no test ran")
            print("FAILED: no test ran")
        print(f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped", flush=True)
        return 1 if self.failed else 0


def say(text):
    print(f"\n== {text}", flush=True)


def run(command, **options):
    print("+ " + " ".join(str(word) for word in command), flush=True)
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False, **options).returncode == 0


class Build:
    """One build folder: its options, which test programs it builds, and running them."""

    def __init__(self, total, name, options, environment=None):
        self.total = total
        self.name = name
        self.folder = BUILD_ROOT / f"build-{name}"
        self.options = options
        self.environment = {**os.environ, **(environment or {})}

    def setup(self):
        command = ["meson", "setup", str(self.folder), str(ROOT), *self.options]
        # Options of an existing folder are set again, so that an old folder cannot test something else.
        if (self.folder / "build.ninja").exists():
            command.insert(2, "--reconfigure")
        ok = run(command, env=self.environment, stdout=subprocess.DEVNULL)
        if not ok and (self.folder / "meson-private").exists():
            shutil.rmtree(self.folder)
            ok = run(["meson", "setup", str(self.folder), str(ROOT), *self.options], env=self.environment)
        return ok

    def tests(self, wanted):
        """The Meson tests for which wanted(suite, path of the program inside the folder) holds."""
        listed = subprocess.run(["meson", "introspect", "--tests", str(self.folder)], cwd=ROOT, check=True,
                                capture_output=True, text=True).stdout
        found = []
        for test in json.loads(listed):
            if wanted(self.suite_of(test), self.relative(test["cmd"][0])):
                found.append(test)
        return found

    def programs(self, identities):
        """The files of the targets that tests start besides themselves, relative to the folder."""
        listed = subprocess.run(["meson", "introspect", "--targets", str(self.folder)], cwd=ROOT, check=True,
                                capture_output=True, text=True).stdout
        return {self.relative(file) for target in json.loads(listed)
                if target["id"] in identities and target["type"] == "executable" for file in target["filename"]}

    @staticmethod
    def suite_of(test):
        return test["suite"][0].split(":")[-1]

    def relative(self, path):
        try:
            return str(pathlib.Path(path).relative_to(self.folder))
        except ValueError:
            return path

    def compile(self, targets=()):
        started = time.monotonic()
        say(f"build {self.name}" + (f" ({len(targets)} programs)" if targets else ""))
        ok = self.setup() and run(["ninja", "-C", str(self.folder), "-j", compile_jobs(), "-k", "0", *targets],
                                  env=self.environment)
        self.total.stage(f"build {self.name}", started)
        return self.total.result(f"build {self.name}", ok)

    def compile_for(self, wanted):
        """Builds only the programs that the wanted tests start."""
        if not self.setup():
            return self.total.result(f"setup {self.name}", False)
        tests = self.tests(wanted)
        needed = {identity for test in tests for identity in test.get("depends", [])}
        targets = sorted({self.relative(test["cmd"][0]) for test in tests} | self.programs(needed))
        if not targets:
            return self.total.result(f"build {self.name} (no test matched)", False)
        return self.compile(targets)

    def run_tests(self, label, tests, processes, multiplier=1):
        if not tests:
            say(f"{label}: no tests")
            return
        started = time.monotonic()
        say(f"{label}: {len(tests)} tests")
        base = f"methos-{label.replace(' ', '-')}"
        log = self.folder / "meson-logs" / f"{base}.json"
        log.unlink(missing_ok=True)
        run(["meson", "test", "-C", str(self.folder), "--no-rebuild", "--print-errorlogs", "--logbase", base,
             "--num-processes", str(processes), "--timeout-multiplier", str(multiplier),
             # Suites share names (the unit and the component tests of http), so both words select.
             *[word for suite in sorted({self.suite_of(test) for test in tests}) for word in ("--suite", suite)],
             *sorted({test["name"] for test in tests})], env=self.environment)
        self.total.stage(label, started)
        self.count(label, log, tests)

    def count(self, label, log, tests):
        seen = {}
        if log.exists():
            with open(log, encoding="utf-8") as lines:
                for line in lines:
                    entry = json.loads(line)
                    seen[entry["name"].split(":", 1)[-1]] = entry  # project:suite / name
        for test in tests:
            suite = self.suite_of(test)
            name = f"{suite}:{test['name']}" + ("" if self.name == "test" else f" ({self.name})")
            entry = seen.get(f"{suite} / {test['name']}")
            if entry is None:
                self.total.result(f"{name} (did not run in {label})", False)
            elif entry["result"] == "SKIP":
                self.total.skip(name, reason_of_skip(entry))
            else:
                self.total.result(name, entry["result"] in ("OK", "EXPECTEDFAIL"))


def reason_of_skip(entry):
    lines = (entry.get("stdout", "") + entry.get("stderr", "")).splitlines()
    return next((line.split("skipped:", 1)[1].strip() for line in lines if "skipped:" in line), "no reason given")


def gcc_and_all_suites(total):
    # -O2 without debug information halves the time; asserts stay on, and so do the standard library's.
    build = Build(total, "test", ["--buildtype=plain", "-Doptimization=2", "-Ddebug=false", "-Dwerror=true",
                                  "-Dcpp_args=-D_GLIBCXX_ASSERTIONS"], {"CXX": cached("g++")})
    built = build.compile()
    if not built and not (build.folder / "build.ninja").exists():
        return
    suites = build.tests(lambda suite, path: True)
    known = set(PARALLEL_SUITES + SERIAL_SUITES)
    for test in suites:
        if build.suite_of(test) not in known:
            total.result(f"{test['name']}: its suite {test['suite']} is none that scripts/test runs", False)
    build.run_tests("suites in parallel", [t for t in suites if build.suite_of(t) in PARALLEL_SUITES],
                    len(os.sched_getaffinity(0)))
    build.run_tests("suites one by one", [t for t in suites if build.suite_of(t) in SERIAL_SUITES], 1)


def sanitizers(total):
    def address_wanted(suite, path):
        return suite in ("unit", "simulation", "component") and not path.startswith("/")

    def undefined_wanted(suite, path):
        pure = ("tests/unit/core/base/", "tests/unit/core/model/", "tests/unit/core/wire/", "tests/unit/master/",
                "tests/simulation/")
        return suite in ("unit", "simulation") and path.startswith(pure)

    # No optimisation: coroutine code compiles twice as fast with a sanitizer, and the suites are short.
    options = ["--buildtype=plain", "-Doptimization=0", "-Ddebug=false", "-Dcpp_args=-g1", "-Db_lundef=false"]
    for name, sanitizer, wanted, environment in (
            ("asan", "address", address_wanted, {"ASAN_OPTIONS": "detect_stack_use_after_return=0"}),
            ("ubsan", "undefined", undefined_wanted, {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})):
        build = Build(total, name, [*options, f"-Db_sanitize={sanitizer}"], {"CXX": cached("g++"), **environment})
        if build.compile_for(wanted):
            build.run_tests(f"{name} suites", build.tests(wanted), len(os.sched_getaffinity(0)), multiplier=4)


def clang(total):
    def wanted(suite, path):
        return suite in ("unit", "simulation") and not path.startswith("/")

    build = Build(total, "clang", ["--buildtype=plain", "-Doptimization=0", "-Ddebug=false", "-Dwerror=true"],
                  {"CXX": cached("clang++-14")})
    # Everything is compiled, so that a warning of the second compiler anywhere is seen; unit and simulation run.
    if build.compile():
        build.run_tests("clang suites", build.tests(wanted), len(os.sched_getaffinity(0)), multiplier=4)
    return build


def tracked_sources():
    listed = subprocess.run(["git", "ls-files", "*.cpp", "*.hpp"], cwd=ROOT, check=True, capture_output=True, text=True)
    return listed.stdout.split()


def clang_format(total):
    started = time.monotonic()
    say("clang-format")
    ok = run(["clang-format-14", "--dry-run", "-Werror", *tracked_sources()])
    total.stage("clang-format", started)
    total.result("clang-format", ok)


def changed_sources(pattern):
    """Files that differ from the branch this one left, or from the commit before when it left none."""
    for base in (os.environ.get("METHOS_TIDY_BASE"), "origin/main", "HEAD~1"):
        if not base:
            continue
        found = subprocess.run(["git", "diff", "--name-only", "--diff-filter=AM", f"{base}...HEAD", "--", pattern],
                               cwd=ROOT, check=False, capture_output=True, text=True)
        if found.returncode == 0 and found.stdout.strip():
            return found.stdout.split()
    return []


def headers_alone(total, build):
    """A changed header compiles without what its users happen to include before it."""
    changed = changed_sources("*.hpp")
    say(f"{min(len(changed), HEADERS_MAX)} of {len(changed)} changed headers alone")
    started = time.monotonic()
    for name in changed[:HEADERS_MAX]:
        total.result(f"header {name} alone", run([
            "clang++-14", "-std=c++20", "-fsyntax-only", "-Wno-pragma-once-outside-header", "-x", "c++", "-I", ".",
            "-I", build.folder, "-DBOOST_ASIO_SEPARATE_COMPILATION", "-DBOOST_BEAST_SEPARATE_COMPILATION", name]))
    total.stage("headers alone", started)


def clang_tidy(total, build):
    changed = [name for name in changed_sources("*.cpp") if not name.startswith("tests/")]
    chosen = changed[:TIDY_FILES_MAX]
    say(f"clang-tidy on {len(chosen)} of {len(changed)} changed files")
    if not chosen:
        return
    started = time.monotonic()
    for name in chosen:
        left = TIDY_SECONDS_MAX - (time.monotonic() - started)
        if left < 30:
            print(f"out of time; not looked at: {name}")
            continue
        try:
            ok = run(["clang-tidy-14", "--quiet", "-p", str(build.folder), name], timeout=left)
        except subprocess.TimeoutExpired:
            print(f"out of time at {name}")
            continue
        total.result(f"clang-tidy {name}", ok)
    total.stage("clang-tidy", started)


def main():
    total = Sum()
    os.environ.setdefault("NINJA_STATUS", "[%f/%t %es] ")
    try:
        gcc_and_all_suites(total)
        if "--all" in sys.argv[1:]:
            clang_format(total)
            second = clang(total)
            headers_alone(total, second)
            clang_tidy(total, second)
            sanitizers(total)
    except FileNotFoundError as missing:
        total.result(f"a program is missing: {missing.filename}; run scripts/install-deps --test", False)
    return total.finish()


if __name__ == "__main__":
    sys.exit(main())
