#!/usr/bin/env python3
"""Runs the benchmarks in labs of their own, prints a table and writes it, with the numbers, into docs/."""

import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench import fleet, heart, launch, memory, proxy
from tests.support import lab as lab_module
from tests.support.cluster_case import SETTLE_SECONDS
from tests.support.lab import Lab
from tests.support.rest import wait_until

PARTS = ("heart", "fleet", "one", "fifty", "hundred", "memory", "idle", "proxy")
SEVERAL = {"fifty": 50, "hundred": 100}  # launches, on four hosts
WITHOUT_LAB = {"heart": heart.measure, "fleet": fleet.measure}
BEGIN, END = "<!-- table: written by scripts/bench -->", "<!-- end of table -->"


def cluster(lab, hosts):
    lab.start_registry()
    lab.push("lib/demo")
    lab.start_proxy()
    lab.start_master()
    for _ in range(hosts):
        lab.add_host()
    for host in lab.hosts:
        host.wait_dockerd()
        host.start_executor()
    wait_until("all hosts are UP", lambda: [found["state"] for found in lab.api.get("/methos/v1/hosts")["hosts"]]
               == ["UP"] * hosts, SETTLE_SECONDS)


def measure(part):
    print(f"measuring: {part}", flush=True)
    if part in WITHOUT_LAB:
        return WITHOUT_LAB[part]()
    with Lab() as lab:
        try:
            cluster(lab, 4 if part in SEVERAL else 1)
            if part == "one":
                return launch.one(lab, int(os.environ.get("METHOS_BENCH_ROUNDS") or "21"))
            if part in SEVERAL:
                return launch.several(lab, SEVERAL[part])
            if part == "idle":
                return memory.with_containers(lab)
            return memory.measure(lab) if part == "memory" else proxy.measure(lab)
        except BaseException:
            print(lab.tails(), file=sys.stderr, flush=True)
            raise


def rows(results):
    """(what, Methos, rival, ratio or difference, at most or at least) of the table."""
    if found := results.get("heart"):
        yield from heart.rows(found)
    if found := results.get("fleet"):
        yield from fleet.rows(found)
    if one := results.get("one"):
        yield ("launch of 1: API call to container start, against the raw Engine's create + start; median of "
               f"{one['rounds']} paired rounds", f"{one['methos_ms']:.0f} ms", f"{one['engine_ms']:.0f} ms",
               f"{one['difference_ms']:+.1f} ms", "+15 ms", one["difference_ms"] <= 15)
    for several in (results[part] for part in SEVERAL if part in results):
        yield (f"launch of {several['containers']} on {several['hosts']} hosts, against the raw Engine at its best parallelism "
               f"({several['engine_parallel_per_host']} a host)", f"{several['methos_s']:.2f} s", f"{several['engine_s']:.2f} s",
               f"{(several['ratio'] - 1) * 100:+.0f} %", "+5 %", several["ratio"] <= 1.05)
    if idle := results.get("memory"):
        for name, limit in (("master", 8), ("executor", 5), ("proxy", 8)):
            value = idle[f"{name}_mb"]
            yield f"idle memory of the {name} (RssAnon)", f"{value:.1f} MB", "", "", f"{limit} MB", value <= limit
        if "cli_mb" in idle:
            yield "memory of `methos logs -f` (RssAnon)", f"{idle['cli_mb']:.1f} MB", "", "", "", None
    for found in results.get("idle", {}).get("counts", []):
        count, cpu = found["containers"], found["cpu_percent"]
        yield f"memory of an executor with {count} idle containers (RssAnon)", f"{found['rss_anon_mb']:.1f} MB", "", "", "", None
        yield (f"its CPU over {found['seconds']:.0f} s, of one core (its dockerd's: {found['dockerd_cpu_percent']:.2f} %)",
               f"{cpu:.2f} %", "", "", "0.5 %" if count <= 100 else "", cpu < 0.5 if count <= 100 else None)
    if found := results.get("proxy"):
        cold = found["cold_upstream_bytes_per_image_byte"]
        yield ("cold pull by one client: upstream bytes per byte of the image, against docker-registry as proxy",
               f"{cold['methos']:.2f}x", f"{cold['docker-registry']:.2f}x", "", "1.00x", cold["methos"] <= 1.005)
        warm = found["warm_blob_mib_per_s"]
        yield (f"warm blob of {found['warm_blob_mib']} MiB, against docker-registry as proxy",
               f"{warm['methos']:.0f} MiB/s", f"{warm['docker-registry']:.0f} MiB/s", f"{found['warm_ratio']:.2f}x", "", None)


def table(results, machine):
    measured = {}  # the parts by when and how they were
    for part, found in results.items():
        measured.setdefault(found["measured"], []).append(part)
    lines = [BEGIN, "", f"{machine['cpus']} CPUs ({machine['cpu']}), {machine['memory_gb']} GB, Linux {machine['kernel']}, Docker "
             f"{machine['docker']}.", "", *(f"- `scripts/bench {' '.join(parts)}`: {when}" for when, parts in measured.items()), "",
             "| what | Methos | rival | difference | wanted | reached |", "|---|---|---|---|---|---|"]
    for what, ours, rival, difference, wanted, reached in rows(results):
        verdict = {True: "yes", False: "**no**", None: ""}[reached]
        lines.append(f"| {what} | {ours} | {rival} | {difference} | {wanted} | {verdict} |")
    return "\n".join([*lines, "", END])


def machine_facts():
    def first(*command):
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    with open("/proc/meminfo", encoding="ascii") as lines:
        memory_gb = round(int(next(lines).split()[1]) / 1048576)
    return {"date": datetime.date.today().isoformat(), "cpus": os.cpu_count(), "cpu": cpu, "memory_gb": memory_gb,
            "kernel": platform.release(), "docker": first("dockerd", "--version").split(",")[0].split()[-1],
            "commit": first("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")}


def write(results, machine):
    docs = ROOT / "docs"
    (docs / "benchmarks.json").write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n",
                                          encoding="utf-8")
    page = docs / "benchmarks.md"
    text = page.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN), text.index(END) + len(END)
    page.write_text(text[:begin] + table(results, machine) + text[end:], encoding="utf-8")


def main(arguments):
    if wrong := [part for part in arguments if part not in PARTS]:
        print(f"bench: no part is called {', '.join(wrong)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    if reason := lab_module.why_not() if not arguments or set(arguments) - set(WITHOUT_LAB) else "":
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    machine = machine_facts()
    results = {}
    path = ROOT / "docs" / "benchmarks.json"
    if arguments and path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))["results"]  # the other parts stay as measured before
    for part in arguments or PARTS:
        results[part] = {**measure(part), "measured": f"{machine['date']}, commit {machine['commit']}, load before "
                         f"{os.getloadavg()[0]:.1f}"}
        print(json.dumps({key: value for key, value in results[part].items() if not key.startswith(("pairs", "all"))}))
    results = {part: results[part] for part in PARTS if part in results}
    write(results, machine)
    print(table(results, machine))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
