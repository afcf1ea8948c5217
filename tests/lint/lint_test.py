#!/usr/bin/env python3
"""The lints find what they are for, and leave the safe idioms alone."""

import contextlib
import io
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import lint

# What GCC 12 compiles wrongly or rejects, as statements of a coroutine.
FAULTY = [
    "co_await run([p = std::move(p)] { use(p); });",
    "co_await run([text](int) { use(text); });",
    "auto x = co_await f(Opt{1, name});",
    "co_await f({.image = name});",
    "co_await f({});",
    "co_return co_await client.create(spec, std::array<std::string, 2>{a, b});",
    "auto y = wanted ? co_await f() : co_await g();",
    "co_await f(wanted ? A() : b);",
    "auto j = json{{\"a\", co_await f()}};",
    "if (co_await f(Opt{1})) {\n    g();\n}",
    "std::vector<std::string> names = collect(\n    co_await first(),\n    Pair{a, b});",
]
FINE = [
    "const auto opt = Opt{1, name};\nco_await f(opt);",
    "const auto done = [p] { use(p); };\nco_await f(done);",
    "auto op = call([p] { use(p); });\nco_await std::move(op);",
    "co_await wait(std::chrono::seconds{5});",
    "if (co_await f()) {\n    const auto x = wanted ? 1 : 2;\n}",
    "while (auto item = co_await next()) {\n    items.push_back({1, 2});\n}",
    "for (const auto& name : names) {\n    co_await remove(name);\n}",
    "co_await f([](int x) { return x; });",
    "co_await f(values[at], \"? { [x]\");  // a ? in words",
    "group.spawn(child(state));\nauto x = wanted ? a : b;\nco_await f(x);",
    "try {\n    co_await f();\n} catch (const Failure& failure) {\n    report({failure});\n}",
    "switch (kind) {\n    case Kind::A: co_await f(); break;\n    default: g({1});\n}",
]
COROUTINE = "awaitable<void> Thing::run(std::string name, bool wanted) {{\n{}\n}}\n"


def findings_of(check, rule, path, text):
    findings = lint.Findings(rule)
    with contextlib.redirect_stdout(io.StringIO()):
        check(findings, path, text)
    return findings.count


class CoroutineLint(unittest.TestCase):
    def test_finds_every_faulty_form(self):
        for statement in FAULTY:
            with self.subTest(statement=statement):
                self.assertTrue(findings_of(lint.check_coroutines, "coroutines", "a.cpp", COROUTINE.format(statement)))

    def test_leaves_the_safe_idioms_alone(self):
        for statement in FINE:
            with self.subTest(statement=statement):
                self.assertFalse(findings_of(lint.check_coroutines, "coroutines", "a.cpp", COROUTINE.format(statement)))

    def test_a_lambda_coroutine_is_judged_by_its_own_statements(self):
        text = COROUTINE.format("auto op = [](Opt opt) -> awaitable<void> {\n    co_await f(opt);\n};\nco_await op({1});")
        self.assertEqual(1, findings_of(lint.check_coroutines, "coroutines", "a.cpp", text))

    def test_a_reason_on_the_line_is_accepted(self):
        text = COROUTINE.format("co_await f(Id{1});  // lint: coroutines because Id has a constructor")
        self.assertFalse(findings_of(lint.check_coroutines, "coroutines", "a.cpp", text))


class OtherLints(unittest.TestCase):
    def test_arrows_point_down(self):
        for path, name, wrong in (
                ("core/base/x.cpp", "core/model/task.hpp", True),
                ("core/model/x.cpp", "core/base/error.hpp", False),
                ("core/wire/x.cpp", "core/runtime/async.hpp", True),
                ("core/http/x.cpp", "core/runtime/async.hpp", False),
                ("master/api/x.cpp", "executor/docker/engine.hpp", True),
                ("master/api/x.cpp", "core/http/server.hpp", False),
                ("executor/x.cpp", "tests/support/fake.hpp", True),
                ("tests/unit/x.cpp", "executor/docker/engine.hpp", False),
                ("master/cluster/x.cpp", "core/store/sqlite.hpp", True)):
            with self.subTest(path=path, name=name):
                count = findings_of(lint.check_includes, "includes", path, f'#include "{name}"\n')
                self.assertEqual(wrong, count > 0)

    def test_special_headers_have_one_home(self):
        for path, name, wrong in (("core/http/client.cpp", "zmq.hpp", True), ("core/bus/bus.cpp", "zmq.hpp", False),
                                  ("master/api/x.hpp", "nlohmann/json.hpp", True),
                                  ("master/api/x.cpp", "nlohmann/json.hpp", False),
                                  ("master/api/x.cpp", "boost/beast/http.hpp", True)):
            with self.subTest(path=path, name=name):
                count = findings_of(lint.check_includes, "includes", path, f"#include <{name}>\n")
                self.assertEqual(wrong, count > 0)

    def test_words_that_mean_trouble(self):
        for line, wrong in (("co_spawn(loop, f(), detached);", True), ("group.spawn([&] { f(); });", True),
                            ("group.spawn([=] { f(); });", True), ("std::this_thread::sleep_for(1s);", True),
                            ("const auto n = std::stoi(text);", True), ("// " + "TO" + "DO later", True),
                            ("log(\"detached\");", False), ("co_await sleep_for(1s);", False),
                            ("std::sort(a.begin(), a.end(), [&](int l, int r) { return l < r; });", False)):
            with self.subTest(line=line):
                self.assertEqual(wrong, findings_of(lint.check_words, "words", "a.cpp", line + "\n") > 0)

    def test_paths_of_one_machine(self):
        self.assertTrue(findings_of(lint.check_paths, "paths", "a.md", "see " + "/home" + "/me/methos\n"))
        deeper = "/".join(["docs", "work", "x"])  # only at the root is such a folder one machine's
        self.assertFalse(findings_of(lint.check_paths, "paths", "a.md", f"see /var/lib/methos and {deeper}\n"))


if __name__ == "__main__":
    unittest.main(verbosity=1)
