"""What the cluster tests share: a lab with hosts that are up, apps in it, and the questions asked of both sides.

What runs is asked of each host's Engine, never only of Methos: the tests exist to find out where the two differ.
"""

import sys
import unittest
import urllib.parse

from tests.support import lab as lab_module
from tests.support.lab import UPSTREAM_NAME, Lab
from tests.support.rest import Rest, RestError, wait_until

SKIPPED = 77  # Meson's exit code for "skipped"
SETTLE_SECONDS = 90  # generous: the machine may be busy with other work
STABLE_LOOKS = 40  # how often a count is looked at before it is taken to stay
PAGE_COMMAND = ('echo "task $MESOS_TASK_ID port $PORT0" > /www/index.html; echo started; '
                "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait $!")


def main():
    """Runs the calling file's tests, or says why they cannot run here and exits with Meson's code for it."""
    reason = lab_module.why_not()
    if reason:
        print(f"skipped: {reason}", flush=True)
        sys.exit(SKIPPED)
    unittest.main(module="__main__", verbosity=2)


def print_logs_of_failure(test, result, lab):
    """For tearDown: by then unittest has already noted whether this test failed."""
    if result is not None and any(failed is test for failed, _ in [*result.failures, *result.errors]):
        print(f"==== the logs at the end of {test.id()}\n{lab.tails()}", file=sys.stderr, flush=True)


def app_path(app):
    return "/v2/apps/" + urllib.parse.quote(app.lstrip("/"))


def parent_of(pid):
    """Of a container's first process: its shim."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[1])


class ClusterCase(unittest.TestCase):
    """Tests that share one lab (`hosts_wanted` hosts, upstream, proxy, master, executors); each has its own app."""

    hosts_wanted = 3
    live_restore = True  # of their dockerds: containers live on without one
    executor_flags = ()
    master_flags = ()
    lab = None

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        try:
            cls.start_all()
        except BaseException:
            print(cls.lab.tails(), file=sys.stderr, flush=True)
            raise

    @classmethod
    def start_all(cls):
        lab = cls.lab
        for _ in range(cls.hosts_wanted):
            lab.add_host(cls.live_restore)
        lab.start_registry()
        lab.push("lib/demo")
        lab.start_proxy()
        lab.start_master(*cls.master_flags)
        for host in lab.hosts:
            host.wait_dockerd()
            host.start_executor(*cls.executor_flags)
        cls.wait_hosts_up()

    def setUp(self):
        self.apps = []

    def run(self, result=None):
        self.result = result
        return super().run(result)

    def tearDown(self):
        print_logs_of_failure(self, self.result, self.lab)
        # The next test finds an empty cluster, whatever this one left.
        for app in self.apps:
            try:
                self.lab.api.delete(app_path(app) + "?force=true")
            except RestError as error:
                if error.status != 404:
                    raise
        for app in self.apps:
            wait_until(f"no container of {app} is left", lambda app=app: not self.containers(app), SETTLE_SECONDS)

    def look_often(self, what, condition):
        """The condition holds now and at each of many further looks."""
        for look in range(STABLE_LOOKS):
            self.assertTrue(condition(), f"{what} (look {look})")

    # Hosts

    @classmethod
    def host_states(cls):
        return {host["hostname"]: host["state"] for host in cls.lab.api.get("/methos/v1/hosts")["hosts"]}

    @classmethod
    def wait_hosts_up(cls):
        names = {host.name for host in cls.lab.hosts}
        wait_until(f"the hosts {sorted(names)} are UP",
                   lambda: (states := cls.host_states()).keys() >= names
                   and all(states[name] == "UP" for name in names), SETTLE_SECONDS)

    def wait_host_state(self, host, *states):
        wait_until(f"{host.name} is {' or '.join(states)}", lambda: self.host_states().get(host.name) in states,
                   SETTLE_SECONDS)

    # Apps

    def definition(self, name, instances, **more):
        app = {"id": f"/{name}", "cmd": PAGE_COMMAND, "instances": instances, "cpus": 0.1, "mem": 32,
               "networks": [{"mode": "container/bridge"}],
               "container": {"type": "DOCKER", "docker": {"image": f"{UPSTREAM_NAME}/lib/demo:1"},
                             "portMappings": [{"containerPort": 8080, "hostPort": 0}]}}
        app.update(more)
        self.apps.append(app["id"])
        return app

    def deploy(self, name, instances, **more):
        """Creates the app by the API and waits until all instances run; returns its id."""
        app = self.definition(name, instances, **more)
        self.lab.api.post("/v2/apps", app)
        self.wait_running(app["id"], instances)
        return app["id"]

    def containers(self, app, hosts=None, every=False):
        """Inspect documents of the app's containers, from the Engines of these hosts (all, unless named)."""
        return [container for host in (self.lab.hosts if hosts is None else hosts)
                for container in host.containers(every)
                if container["Config"]["Labels"].get("io.methos.app") == app]

    def tasks(self, app):
        return self.lab.api.get(app_path(app) + "/tasks")["tasks"]

    def running_tasks(self, app):
        return [task for task in self.tasks(app) if task["state"] == "TASK_RUNNING"]

    def last_failure(self, app):
        """What is told of the app's last task that failed; empty when none has."""
        failure = self.lab.api.get(app_path(app))["app"].get("lastTaskFailure") or {}
        return failure.get("message", "")

    def wait_running(self, app, count, hosts=None):
        """Both sides agree: the master counts `count` running, and so many containers run."""
        wait_until(f"{count} instances of {app} run", lambda: (
            self.lab.api.get(app_path(app))["app"]["tasksRunning"] == count
            and len(self.running_tasks(app)) == count
            and len(self.containers(app, hosts)) == count), SETTLE_SECONDS)

    def snapshot(self, app, hosts=None):
        """What tells a container that went on from one that was started again or made anew; dead ones are in it too."""
        return {container["Id"]: (container["State"]["Pid"], container["State"]["StartedAt"], container["RestartCount"])
                for container in self.containers(app, hosts, every=True)}

    def assert_one_container_per_task(self, app, hosts=None):
        tasks = [container["Config"]["Labels"]["io.methos.task"] for container in self.containers(app, hosts)]
        self.assertEqual(sorted(set(tasks)), sorted(tasks), "a task runs in more than one container")

    def assert_serves(self, app):
        """Each instance answers on the port that the API names, and it is that instance which answers."""
        addresses = {host.name: host.ip for host in self.lab.hosts}
        for task in self.running_tasks(app):
            host = addresses.get(task["host"], task["host"])
            url = f"http://{host}:{task['ports'][0]}"
            page = wait_until(f"{url} answers", lambda url=url: Rest(url, timeout=2).raw("GET", "/")[2].decode(), 20)
            self.assertEqual(f"task {task['id']} port {task['ports'][0]}", page.strip())
