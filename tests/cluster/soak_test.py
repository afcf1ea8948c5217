"""Many short tasks while executors, Engines and the master are killed and containers are ended behind their backs, and a
storm of launches: every task has exactly one end, ran at most once by its own account, and nothing is left behind.

Each task writes to a file of its own when it begins and when it ends, so that what is told of it can be compared with
what it did. METHOS_SOAK_TASKS (200) and METHOS_SOAK_SEED (1) make it longer, and another one.
"""

import collections
import os
import pathlib
import queue
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import ClusterCase
from tests.support.lab import UPSTREAM_NAME
from tests.support.mesos_framework import MesosFramework
from tests.support.rest import WaitTimeout, wait_until

TASKS = int(os.environ.get("METHOS_SOAK_TASKS", "200"))
SEED = int(os.environ.get("METHOS_SOAK_SEED", "1"))
STORM = 100
CPUS, MEMORY = 0.05, 16
IN_FLIGHT_MAX = 16
TASKS_PER_FAULT = 20
SECONDS_PER_TASK = 3  # of a busy machine, faults included
QUIET_SECONDS = 180
RECONCILE_SECONDS = 3
IMAGE = f"{UPSTREAM_NAME}/lib/demo:1"
ENDS = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE",
        "TASK_UNKNOWN"}
NEVER_RAN = {"TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE", "TASK_UNKNOWN"}
COMMANDS = {"ends": "sleep 0.3; echo ended >> $FILE", "fails": "sleep 0.1; echo ended >> $FILE; exit 3",
            "stays": "trap 'echo ended >> $FILE; exit 0' TERM; sleep 1000 & wait"}
PLANNED = {"ends": "TASK_FINISHED", "fails": "TASK_FAILED", "stays": "TASK_KILLED"}


class Task:
    def __init__(self, name, plan):
        self.name, self.plan = name, plan
        self.agent = None
        self.states = []  # as they were told, without repetitions
        self.messages = []
        self.ends = {}  # by the update's id

    @property
    def over(self):
        return bool(self.ends)


class SoakTest(ClusterCase):
    hosts_wanted = 2
    executor_flags = ("--keep-ended", "off")

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.account = self.lab.folder / "account"
        self.account.mkdir(exist_ok=True)
        self.framework = MesosFramework(self.lab.api)
        self.framework.subscribe()
        self.tasks, self.waiting = {}, collections.deque()
        self.in_flight_max = IN_FLIGHT_MAX
        self.reconciled_at = time.monotonic()

    def tearDown(self):
        self.framework.call("TEARDOWN")
        super().tearDown()

    # The framework

    def info(self, task, agent):
        file = f"/account/{task.name}"
        return {"name": task.name, "task_id": {"value": task.name}, "agent_id": {"value": agent},
                "command": {"shell": True, "value": f"FILE={file}; echo began >> $FILE; {COMMANDS[task.plan]}"},
                "container": {"type": "DOCKER", "docker": {"image": IMAGE},
                              "volumes": [{"mode": "RW", "host_path": str(self.account), "container_path": "/account"}]},
                "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": CPUS}},
                              {"name": "mem", "type": "SCALAR", "scalar": {"value": MEMORY}}]}

    def in_flight(self):
        return [task for task in self.tasks.values() if task.agent and not task.over]

    def on_offer(self, offer):
        room = self.in_flight_max - len(self.in_flight())
        offered = {found["name"]: found.get("scalar", {}).get("value", 0) for found in offer["resources"]}
        fits = int(min(offered.get("cpus", 0) / CPUS, offered.get("mem", 0) / MEMORY))
        chosen = [self.waiting.popleft() for _ in range(max(0, min(room, fits, len(self.waiting), 8)))]
        if not chosen:
            self.framework.call("DECLINE", decline={"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.5}})
            return
        for task in chosen:
            task.agent = offer["agent_id"]["value"]
        launch = {"type": "LAUNCH", "launch": {"task_infos": [self.info(task, task.agent) for task in chosen]}}
        self.framework.call("ACCEPT", accept={"offer_ids": [offer["id"]], "operations": [launch],
                                              "filters": {"refuse_seconds": 0}})

    def on_update(self, status):
        task = self.tasks[status["task_id"]["value"]]
        state = status["state"]
        if not task.states or task.states[-1] != state:
            task.states.append(state)
        task.messages.append(f"{state} {status.get('reason', '')} {status.get('message', '')}")
        if state in ENDS:
            task.ends[status.get("uuid", "by reconciliation")] = state
        if "uuid" in status:
            self.framework.call("ACKNOWLEDGE", acknowledge={key: status[key] for key in ("task_id", "agent_id", "uuid")})
        if state == "TASK_RUNNING" and task.plan == "stays":
            self.framework.call("KILL", kill={"task_id": status["task_id"]})

    def reconcile(self):
        """What was accepted by a master that died before it was durable is known to nobody."""
        if time.monotonic() - self.reconciled_at < RECONCILE_SECONDS:
            return
        self.reconciled_at = time.monotonic()
        asked = [{"task_id": {"value": task.name}, "agent_id": {"value": task.agent}} for task in self.in_flight()]
        if asked:
            self.framework.call("RECONCILE", reconcile={"tasks": asked})

    def turn(self):
        try:
            event = self.framework.events.get(timeout=0.2)
        except queue.Empty:
            event = {"type": "NONE"}
        try:
            if event is None:
                self.framework.subscribe()
            elif event["type"] == "OFFERS":
                for offer in event["offers"]["offers"]:
                    self.on_offer(offer)
            elif event["type"] == "UPDATE":
                self.on_update(event["update"]["status"])
            self.reconcile()
        except OSError:  # the master is not there
            if event is None:
                self.framework.events.put(None)
            time.sleep(0.1)

    def run_all(self, prefix, plans, faults=()):
        """Launches a task for each plan, does a fault now and then, and goes on until every task is over."""
        wanted = [Task(f"{prefix}-{number}", plan) for number, plan in enumerate(plans)]
        self.tasks.update({task.name: task for task in wanted})
        self.waiting.extend(wanted)
        faults = collections.deque(faults)
        end = time.monotonic() + 60 + SECONDS_PER_TASK * len(wanted)
        while not all(task.over for task in wanted):
            self.assertLess(time.monotonic(), end, [(task.name, task.messages) for task in wanted if not task.over])
            self.turn()
            for host in self.lab.hosts:
                host.dockerd.require_alive()
            over = sum(task.over for task in wanted)
            if faults and over >= TASKS_PER_FAULT * (self.faults_done + 1):
                self.faults_done += 1
                fault, host = faults.popleft(), self.random.choice(self.lab.hosts)
                print(f"{over} are over: {fault.__name__} on {host.name}", flush=True)
                fault(host)
        return wanted

    # Faults

    faults_done = 0

    @staticmethod
    def kill_executor(host):
        host.executor.kill()
        host.start_executor()

    @staticmethod
    def stop_executor(host):
        host.executor.stop()
        host.start_executor()

    @staticmethod
    def kill_dockerd(host):
        host.kill_dockerd()
        host.start_dockerd()

    @staticmethod
    def kill_dockerd_and_executor(host):
        host.executor.kill()
        host.kill_dockerd()
        host.start_dockerd()
        host.start_executor()

    @staticmethod
    def stop_dockerd(host):
        host.dockerd.stop(60)
        host.start_dockerd()

    def kill_master(self, _host):
        self.lab.master.kill()
        self.lab.start_master()

    def kill_a_container(self, host):
        running = host.docker.get("/containers/json")
        if running:
            host.docker.raw("POST", f"/containers/{self.random.choice(running)['Id']}/kill")

    def pick_faults(self, count):
        kinds = [self.kill_executor, self.kill_dockerd, self.kill_master, self.kill_a_container, self.stop_executor,
                 self.kill_dockerd_and_executor, self.stop_dockerd]
        self.random.shuffle(kinds)
        return [kinds[number % len(kinds)] for number in range(count)]

    # The account

    def lines_of(self, task):
        file = self.account / task.name
        return file.read_text().split() if file.exists() else []

    def assert_account(self, tasks):
        for task in tasks:
            lines, told = self.lines_of(task), f"{task.name} ({task.plan}): {task.messages}"
            self.assertEqual(1, len(set(task.ends.values())), told)
            self.assertLessEqual(lines.count("began"), 1, f"it was started twice; {told}")
            state = next(iter(task.ends.values()))
            if state in NEVER_RAN:
                self.assertEqual([], lines, told)
            if state == "TASK_FINISHED":
                self.assertEqual(["began", "ended"], lines, told)

    def assert_nothing_left(self):
        for left in (self.containers_left, self.processes_left):
            try:
                wait_until("nothing is left", lambda left=left: not left(), QUIET_SECONDS)
            except WaitTimeout:
                self.fail(f"left: {left()}")
        agents = wait_until("the hosts have no task", lambda: (
            hosts := self.lab.api.get("/methos/v1/hosts")["hosts"]) and all(not host["tasks"] for host in hosts) and hosts,
            QUIET_SECONDS)
        for host in agents:
            self.assertEqual(0, host["resources"]["cpus"]["used"], host)

    def containers_left(self):
        return [(host.name, found["Name"], found["State"]["Status"]) for host in self.lab.hosts
                for found in host.containers(every=True)]

    def processes_left(self):
        """Of the hosts' containers, whatever their Engines know of them."""
        folders = [folder for host in self.lab.hosts for folder in pathlib.Path("/sys/fs/cgroup").glob(f"*/{host.namespace}")]
        self.assertTrue(folders, "where are the cgroups?")
        return {(file.parent.name, pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()) for folder in folders
                for file in folder.rglob("cgroup.procs") for pid in file.read_text().split()}

    def opened(self):
        """Descriptors and threads of each of our daemons."""
        processes = {"master": self.lab.master.pid, **{host.name: host.executor.pid for host in self.lab.hosts}}
        return {name: (len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task")))
                for name, pid in processes.items()}

    def test_every_task_is_accounted_for_whatever_dies_and_nothing_leaks(self):
        plans = self.random.choices(["ends", "fails", "stays"], [6, 2, 2], k=TASKS)
        tasks = self.run_all("soak", plans, self.pick_faults(TASKS // TASKS_PER_FAULT - 1))
        self.assert_account(tasks)
        self.assert_nothing_left()
        unlike_planned = [task for task in tasks if PLANNED[task.plan] not in task.ends.values()]
        print(f"{len(unlike_planned)} of {len(tasks)} ended otherwise than planned:",
              *sorted(f"{task.plan}: {task.messages[-1]}" for task in unlike_planned), sep="\n  ", flush=True)
        self.wait_hosts_up()

        # What a storm opens is closed again.
        self.in_flight_max = STORM
        self.assert_account(self.run_all("first", ["ends"] * STORM))
        self.assert_nothing_left()
        before = self.opened()
        storm = self.run_all("storm", ["ends"] * STORM)
        self.assert_account(storm)
        self.assertEqual({"TASK_FINISHED"}, {state for task in storm for state in task.ends.values()})
        self.assert_nothing_left()
        wait_until(f"as much is open as before: {before}", lambda: all(
            now[0] <= before[name][0] and now[1] <= before[name][1] for name, now in self.opened().items()), QUIET_SECONDS)


if __name__ == "__main__":
    cluster_case.main()
