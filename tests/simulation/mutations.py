#!/usr/bin/env python3
"""Breaks the code on purpose, one way after another, and says at which seed the simulation finds it.

    tests/simulation/mutations.py [--build DIR] [--seeds N] [--seconds S] [--list] [NAME...]

Works on a copy of the tree in DIR (default: build-mutations), which is built at -O2 and kept for the
next time; the tree itself is not touched. Prints a row of docs/testing.md's table for each. A
mutation that does not apply any more is named, and makes the exit status 1, as does one that is not
found: mend it here when the code that it breaks has moved on.
"""
import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CLUSTER = "master/cluster/"
EXTERNAL = "master/frameworks/external/"
TASKS = "executor/tasks/"
WORLD = "tests/simulation/"

# name: (what is broken, file, text that occurs once, what stands there instead)
MUTATIONS = {
    # ---- the master
    "running-not-persisted": (
        "a change of state is not persisted", CLUSTER + "cluster_tasks.cpp",
        "    if (durable) {\n        save_task(*task, step);\n    }\n", ""),
    "kill-not-persisted": (
        "a kill is sent and not persisted", CLUSTER + "cluster_tasks.cpp",
        "    save_task(task, step);\n    send_kill(task, step);", "    send_kill(task, step);"),
    "kill-forgotten-on-reload": (
        "`kill_wanted` is forgotten on reload", CLUSTER + "cluster.cpp",
        "    task.kill_wanted = record.kill_wanted();\n", ""),
    "kill-not-retried": (
        "after a restart kills are not sent again", CLUSTER + "cluster.cpp",
        "    if (task.kill_wanted) {\n        kills_.emplace_back(task.kill_sent_at, number);\n    }\n",
        ""),
    "seen-before-durable": (
        "what a commit decides is seen although the commit is refused", WORLD + "master.cpp",
        "    // What was decided meanwhile stands on what was refused: it goes with it.\n",
        "    release(batch);\n"),
    "acks-before-commit": (
        "ACKs leave before the commit", WORLD + "master.cpp",
        "    boundaries_.pass_master();\n    auto time =",
        "    for (const auto& step : committing_->steps) {\n"
        "        for (const auto& message : step.messages) {\n"
        "            if (std::holds_alternative<cluster::SendAck>(message.body)) {\n"
        "                check_durable(message);\n"
        "            }\n        }\n    }\n"
        "    boundaries_.pass_master();\n    auto time ="),
    "numbers-used-again": (
        "numbers are used again after a restart", CLUSTER + "cluster.cpp",
        "    next_number_ = std::max<std::uint64_t>(1, numbers_reserved_);\n",
        "    next_number_ = std::max<std::uint64_t>(1, numbers_reserved_ / 2);\n"),
    "ports-not-freed": (
        "ports are not freed", CLUSTER + "cluster_tasks.cpp",
        "            host.free_ports.insert(port);\n", "            continue;\n"),
    "freed-twice": (
        "resources of an unreachable task are refunded twice", CLUSTER + "cluster_tasks.cpp",
        "    if (!task.unreachable) {\n        refund(task);\n    }\n    host.used",
        "    refund(task);\n    host.used"),
    "missing-taken-for-crossing": (
        "a missing task is always taken for a LAUNCH on its way", CLUSTER + "cluster_tasks.cpp",
        "task.launched_in == session && !task.confirmed", "!task.confirmed"),
    "sessions-after-refused-commit": (
        "sessions go on after a refused commit, inventories and all", CLUSTER + "cluster.cpp",
        "        if (!host.session.empty()) {\n            end_session(host);\n        }\n"
        "        if (host.state != HostState::Lost) {\n"
        "            host.state = HostState::Restarting;\n"
        "            host.grace_until = now.mono + policy_.executor_grace;\n"
        "        } else",
        "        if (host.state == HostState::Lost &&"
        " host.lost_since == MonoTime::min()) {\n            host.lost_since = now.mono;\n"
        "        } else"),
    "epoch-ignored": (
        "the master takes frames of an older epoch and session", WORLD + "master_bus.cpp",
        "found->second == frame.session &&\n                       frame.epoch == "
        "heart_->cluster().epoch() &&\n                       "
        "heart_->cluster().find_host(frame.session) != nullptr;\n    if (!known) {\n"
        "        refuse(id);\n        return;\n    }\n    hear(frame.session, frame);",
        "true;\n    if (!known) {\n        open(id, frame);\n        return;\n    }\n"
        "    hear(found->second, frame);"),
    "cordon-ignored": (
        "a cordoned host is used for apps", CLUSTER + "allocator.cpp",
        "host.duty != Duty::Active", "host.duty == Duty::Gone"),
    "limit-ignored": (
        "a role's limit is not asked for offers", CLUSTER + "offering.cpp",
        "least_of(host.free(), headroom)", "host.free()"),
    # ---- foreign frameworks
    "rescind-forgotten": (
        "a rescind is not told", EXTERNAL + "offers.cpp",
        "    publish(frameworks_.at(id), Rescind{offer.number}, step);\n",
        "    (void)id;\n    (void)offer;\n    (void)step;\n"),
    "withdrawn-not-told": (
        "offers of a host that went away are not rescinded", CLUSTER + "offering.cpp",
        "        withdrawn_.push_back(offers_.at(number));\n", ""),
    "update-not-persisted": (
        "an update is sent to its framework and not persisted", EXTERNAL + "updates.cpp",
        "    step.put(state::Table::Update, last.key, stored_update(task.key, last.update));\n",
        ""),
    "any-uuid-acknowledges": (
        "any uuid acknowledges", EXTERNAL + "updates.cpp",
        "task.pending.empty() || task.pending.front().update.uuid != call.uuid",
        "task.pending.empty()"),
    "updates-not-repeated": (
        "updates are not repeated to a framework that comes back", EXTERNAL + "subscriptions.cpp",
        "            schedule(task, step.now.mono);\n", "            continue;\n"),
    "seen-update-replaced": (
        "an update that was seen is replaced by the next", EXTERNAL + "updates.cpp",
        "task.pending.size() < limits_.unacknowledged_per_task_max", "task.pending.empty()"),
    "stream-not-checked": (
        "calls on an old stream are taken", EXTERNAL + "external.cpp",
        "    if (stream != framework.stream) {", "    if (false) {"),
    "torn-down-goes-on": (
        "a framework's end kills its tasks once only, those of lost hosts never",
        EXTERNAL + "subscriptions.cpp",
        "        if (!task->kill_wanted) {\n            cluster_.kill(",
        "        if (!task->kill_wanted && !task->unreachable) {\n            cluster_.kill("),
    "failover-too-early": (
        "a framework that goes away has half its failover timeout", EXTERNAL + "subscriptions.cpp",
        "    expect_back(framework, framework.info.failover_timeout, step.now);",
        "    expect_back(framework, framework.info.failover_timeout / 2, step.now);"),
    "names-not-rested": (
        "a task's name is free as soon as it is over", EXTERNAL + "offers.cpp",
        "    while (names_.taken(name) || cluster_.find_task(name) != nullptr) {",
        "    while (cluster_.find_task(name) != nullptr) {"),
    # ---- the executor
    "outbox-lost-on-reconnect": (
        "updates are forgotten with their session", TASKS + "outbox.cpp",
        "    open_ = false;\n    unacked_.clear();\n",
        "    open_ = false;\n    unacked_.clear();\n    lanes_.clear();\n"),
    "any-stamp-acknowledges": (
        "any stamp acknowledges an update", TASKS + "outbox.cpp",
        "found == lanes_.end() || found->second.waiting.front().stamp != stamp",
        "found == lanes_.end()"),
    "never-sent-again": (
        "updates are sent once only", TASKS + "outbox.cpp",
        "lane.due = now + retry_after(++lane.sent);", "lane.due = MonoTime::max();"),
    "ended-is-started": (
        "an adopted container that has never run is started", TASKS + "lifecycle_decisions.cpp",
        "    if (adopted_ && !start_settles_) {", "    if (false && !start_settles_) {"),
    "cut-start-repeated": (
        "a start whose answer was cut is repeated at once", TASKS + "lifecycle_decisions.cpp",
        "    const bool settling = start_settles_ && looked_at_ < *start_settles_;",
        "    const bool settling = false;\n    start_settles_.reset();"),
    "kill-dropped-before-list": (
        "a KILL that comes before Docker was listed is dropped", TASKS + "task_book.cpp",
        "            pending_kills_[name] = PendingKill{number, grace};\n", "            (void)grace;\n"),
    "inventory-too-early": (
        "an inventory is sent before Docker was listed", TASKS + "task_book.hpp",
        "return listed_ && docker_up_ && adoptions_.empty();", "return true;"),
    "inventory-during-adoption": (
        "an inventory does not wait for adoptions", TASKS + "task_book_adoption.cpp",
        "    if (!adoptions_.empty() || !docker_up_) {", "    if (!docker_up_) {"),
    "launch-not-known-again": (
        "a repeated LAUNCH begins anew", TASKS + "task_book.cpp",
        "known != tasks_.end()) {\n        auto& life = known->second.life;",
        "known != tasks_.end() && known->second.life.ended()) {\n"
        "        auto& life = known->second.life;"),
    "killed-before-gone": (
        "KILLED is told while a cut create may still take effect",
        TASKS + "lifecycle_decisions.cpp",
        "create_settles_ && kill_grace_ && looked_at_ < *create_settles_", "false"),
    "start-after-kill": (
        "a start that waited for its turn is sent though the task is to be killed",
        TASKS + "task_book.cpp",
        "known != nullptr && !known->life.kill_wanted()", "known != nullptr"),
    "running-after-end": (
        "what the end was is told and forgotten: RUNNING may follow", TASKS + "lifecycle_events.cpp",
        "    acked_ = outcome_;\n", "    acked_ = outcome_;\n    outcome_ = false;\n"),
    "stale-facts": (
        "a cut start is judged by facts that waited for the executor (was a bug)",
        TASKS + "lifecycle_decisions.cpp",
        "start_settles_ && looked_at_ < *start_settles_;", "start_settles_ && now.mono < *start_settles_;"),
    "old-session-obeyed": (
        "an executor obeys frames of an old session", WORLD + "executor.cpp",
        "} else if (frame.session == session_ && frame.epoch == epoch_) {", "} else {"),
}


def run(command, **options):
    return subprocess.run(command, text=True, capture_output=True, check=False, **options)


def copy_tree(source):
    names = run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT).stdout.split("\0")
    for name in filter(None, names):
        target = source / name
        text = (ROOT / name).read_bytes() if (ROOT / name).is_file() else None
        if text is None or (target.exists() and target.read_bytes() == text):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)


def set_up(folder):
    source, build = folder, folder / "build"  # beside each other, so that ccache knows the paths
    copy_tree(source)
    if not (build / "build.ninja").exists():
        made = run(["meson", "setup", str(build), str(source), "--buildtype=plain",
                    "-Doptimization=2", "-Ddebug=false", "-Dcpp_args=-D_GLIBCXX_ASSERTIONS"])
        if made.returncode != 0:
            sys.exit(made.stdout + made.stderr)
    return source, build


def make(build, program, options):
    """What went wrong; empty when it is there."""
    made = run(["ninja", f"-j{options.jobs}", "-C", str(build), program])
    return "" if made.returncode == 0 else "does not compile: " + made.stdout[-400:]


def unit_tests_that_fail(build, options):
    """Of the executor's decisions: who finds what the simulation does not."""
    program = "tests/unit/executor/executor_tasks_test"
    problem = make(build, program, options)
    if problem:
        return problem
    found = run([str(build / program), "--reporter", "junit"], timeout=options.seconds)
    names = re.findall(r'<testcase classname="[^"]*" name="([^"]*)"[^>]*>\s*<(?:failure|error)', found.stdout)
    cases = list(dict.fromkeys(name.removeprefix("Scenario: ").split("/")[0] for name in names))
    return "unit tests: " + (", ".join(cases) or ("failed" if found.returncode else "none fails"))


def build_and_find(build, path, options):
    program = "tests/simulation/heart_simulation"
    problem = make(build, program, options)
    if problem:
        return problem
    units = "; " + unit_tests_that_fail(build, options) if path.startswith(TASKS) else ""
    return find(build, program, options) + units


def find(build, program, options):
    begun = time.monotonic()
    try:
        found = run([str(build / program), "--seeds", str(options.seeds)], timeout=options.seconds)
    except subprocess.TimeoutExpired:
        return f"not found in {options.seconds} s"
    if found.returncode == 0:
        return f"not found in {options.seeds} seeds"
    seed = re.search(r"--seed (\d+)", found.stderr)
    said = found.stderr.strip().splitlines()[0] if found.stderr.strip() else "no word"
    said = re.sub(r"^(seed \d+|invariant broken): ", "", said)
    where = seed.group(1) if seed else "?"
    return f"{where} ({time.monotonic() - begun:.0f} s): {said}"


def try_one(name, source, build, options):
    what, path, old, new = MUTATIONS[name]
    place = source / path
    whole = place.read_text()
    if whole.count(old) != 1:
        return what, f"DOES NOT APPLY: its text occurs {whole.count(old)} times in {path}"
    place.write_text(whole.replace(old, new))
    try:
        return what, build_and_find(build, path, options)
    finally:
        place.write_text(whole)


def list_all():
    """The status is 1 when one does not apply any more: a test of suite lint."""
    stale = 0
    for name, (what, path, old, _) in MUTATIONS.items():
        applies = (ROOT / path).read_text().count(old) == 1
        stale += 0 if applies else 1
        print(f"{name}: {what}" + ("" if applies else f"  DOES NOT APPLY to {path}"))
    return 1 if stale else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--build", type=Path, default=ROOT / "build-mutations")
    parser.add_argument("--seeds", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    unknown = set(options.names) - set(MUTATIONS)
    if unknown:
        parser.error("unknown: " + ", ".join(sorted(unknown)))
    if options.list:
        return list_all()
    source, build = set_up(options.build)
    missed = 0
    for name in options.names or MUTATIONS:
        what, found = try_one(name, source, build, options)
        missed += 0 if found[:1].isdigit() else 1
        print(f"| {what} ({name}) | {found} |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
