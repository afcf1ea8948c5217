"""How much later a container starts when Methos starts it than when a client asks the Engine directly.

Both sides use the same dockerd, image, command and network, turn by turn, and the Engine's own record of the start
(State.StartedAt) is the end of both; it and our clock are this machine's.
"""

import concurrent.futures
import datetime
import statistics
import threading
import time

from tests.support.cluster_case import app_path
from tests.support.lab import HUB_IP, UPSTREAM_NAME
from tests.support.rest import Rest, wait_until

IMAGE = f"{UPSTREAM_NAME}/lib/demo:1"
COMMAND = ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait $!"]
MEMORY_MB = 8
WAIT_SECONDS = 180
ROUNDS = 3  # of launches of several
PARALLEL = (1, 2, 4, 8)  # raw Engine clients per host; the best one is the rival
CLIENTS = threading.local()


def started_at(container):
    """Seconds since 1970 of the Engine's nanosecond text."""
    text = container["State"]["StartedAt"]
    whole, fraction = text.rstrip("Z").split(".")
    return datetime.datetime.fromisoformat(whole + "+00:00").timestamp() + float("0." + fraction)


def definition(name, instances):
    return {"id": f"/{name}", "cmd": COMMAND[2], "instances": instances, "cpus": 0.01, "mem": MEMORY_MB,
            "networks": [{"mode": "host"}], "container": {"type": "DOCKER", "docker": {"image": IMAGE}},
            "requirePorts": False, "portDefinitions": []}


def containers_of(lab, app):
    return [container for host in lab.hosts for container in host.containers()
            if container["Config"]["Labels"].get("io.methos.app") == app]


def by_methos(lab, name, count):
    """Seconds from the API call to the start of the last of `count` containers."""
    begun = time.time()
    lab.api.post("/v2/apps", definition(name, count))
    wait_until(f"{count} run", lambda: lab.api.get(app_path(f"/{name}"))["app"]["tasksRunning"] == count, WAIT_SECONDS)
    last = max(started_at(container) for container in containers_of(lab, f"/{name}"))
    lab.api.delete(app_path(f"/{name}") + "?force=true")
    wait_until("they are gone", lambda: not containers_of(lab, f"/{name}"), WAIT_SECONDS)
    return last - begun


def engine_of(host):
    """This thread's connection to the host's Engine; kept open, as the executor keeps its own."""
    clients = CLIENTS.__dict__.setdefault("by_socket", {})
    if host.docker.base not in clients:
        clients[host.docker.base] = Rest(host.docker.base, timeout=WAIT_SECONDS, keep_alive=True)
    return clients[host.docker.base]


def create_and_start(host, image):
    """One container as a client of the raw Engine makes it, with the options that Methos gives its own."""
    body = {"Image": image, "Entrypoint": COMMAND[:2], "Cmd": COMMAND[2:],
            "HostConfig": {"NetworkMode": "host", "Init": True, "CpuShares": 10,
                           "Memory": MEMORY_MB * 1024 * 1024, "MemorySwap": MEMORY_MB * 1024 * 1024}}
    engine = engine_of(host)
    made = engine.post("/containers/create", body)["Id"]
    engine.post(f"/containers/{made}/start")
    return host, made


def by_engine(lab, image, count, parallel):
    """Seconds from the first create to the start of the last, with so many clients on each host."""
    begun = time.time()
    if count == 1:
        made = [create_and_start(lab.hosts[0], image)]
    else:
        with concurrent.futures.ThreadPoolExecutor(parallel * len(lab.hosts)) as pool:
            made = list(pool.map(lambda at: create_and_start(lab.hosts[at % len(lab.hosts)], image), range(count)))
    last = max(started_at(host.docker.get(f"/containers/{identity}/json")) for host, identity in made)
    for host, identity in made:
        host.docker.delete(f"/containers/{identity}?force=1")
    return last - begun


def warm(lab):
    """Every host has the image, by one run of an app; returns the image's id."""
    by_methos(lab, "warm", len(lab.hosts) * 2)
    for host in lab.hosts:
        host.docker.raw("POST", f"/images/create?fromImage={HUB_IP}:5999/lib/demo:1")
    return lab.hosts[0].docker.get(f"/images/{HUB_IP}:5999/lib/demo:1/json")["Id"]


def one(lab, rounds):
    image = warm(lab)
    pairs = []
    for at in range(rounds):
        # The order alternates, so that neither side always follows the other's removal.
        if at % 2:
            engine, ours = by_engine(lab, image, 1, 1), by_methos(lab, f"one-{at}", 1)
        else:
            ours, engine = by_methos(lab, f"one-{at}", 1), by_engine(lab, image, 1, 1)
        pairs.append((ours, engine))
    return {
        "rounds": rounds,
        "methos_ms": statistics.median(ours for ours, _ in pairs) * 1000,
        "engine_ms": statistics.median(engine for _, engine in pairs) * 1000,
        "difference_ms": statistics.median(ours - engine for ours, engine in pairs) * 1000,
        "pairs_ms": [(ours * 1000, engine * 1000) for ours, engine in pairs],
    }


def several(lab, count):
    image = warm(lab)
    ours, engine = [], {parallel: [] for parallel in PARALLEL}
    for at in range(ROUNDS):
        ours.append(by_methos(lab, f"several-{at}", count))
        for parallel in PARALLEL:
            engine[parallel].append(by_engine(lab, image, count, parallel))
    medians = {parallel: statistics.median(times) for parallel, times in engine.items()}
    best = min(medians, key=medians.get)
    return {
        "containers": count,
        "hosts": len(lab.hosts),
        "rounds": ROUNDS,
        "methos_s": statistics.median(ours),
        "engine_s": medians[best],
        "engine_parallel_per_host": best,
        "ratio": statistics.median(ours) / medians[best],
        "all_s": {"methos": ours, "engine": engine},
    }
