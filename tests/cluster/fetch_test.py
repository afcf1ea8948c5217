#!/usr/bin/env python3
"""What tasks fetch, on a real dockerd: files and archives from an HTTP server that a container then reads, the sandbox
that goes with it, an executor that is killed while it fetches, and images of a registry that wants a password."""

import base64
import io
import json
import os
import pathlib
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.support import cluster_case
from tests.support.cluster_case import SETTLE_SECONDS, ClusterCase, app_path
from tests.support.lab import HUB_IP, UPSTREAM_NAME, Process
from tests.support.rest import Rest, wait_until

FILES_URL = f"http://{HUB_IP}:6001"
PRIVATE = "127.0.0.1:5998"  # on the host itself: dockerd trusts plain HTTP there
PASSWORD = "open-sesame"
HTPASSWD_LINE = "ali:$2y$05$methosmethosmethosmeter/qoQ40iVja2VV4cmSPLyb9CqZndye2"  # the same, as bcrypt has it
SERVE = "trap 'exit 0' TERM; httpd -f -p 8080 -h $MESOS_SANDBOX/site & wait $!"


class FetchTest(ClusterCase):
    hosts_wanted = 1

    @classmethod
    def start_all(cls):
        super().start_all()
        cls.files = cls.lab.folder / "files"
        cls.files.mkdir()
        cls.lab.run("files", sys.executable, "-m", "http.server", "--bind", HUB_IP, "--directory", cls.files, "6001")
        wait_until("the files are served", lambda: Rest(FILES_URL).raw("GET", "/")[0] == 200, SETTLE_SECONDS)
        cls.write_archive("site.tgz", "site/index.html", b"from an archive")
        host = cls.lab.hosts[0]
        cls.start_private_registry(host)
        config = {"auths": {f"http://{PRIVATE}/v2/": {"auth": base64.b64encode(f"ali:{PASSWORD}".encode()).decode()}}}
        (cls.files / ".dockercfg").write_text(json.dumps(config["auths"]), encoding="utf-8")
        cls.write_archive("docker.tar.gz", ".docker/config.json", json.dumps(config).encode())

    @classmethod
    def write_archive(cls, name, member, content):
        with tarfile.open(cls.files / name, "w:gz") as archive:
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))

    @classmethod
    def start_private_registry(cls, host):
        """What the upstream has, for those who know the password."""
        (cls.lab.folder / "htpasswd").write_text(HTPASSWD_LINE + "\n", encoding="ascii")
        config = {"version": 0.1, "log": {"level": "warn"},
                  "storage": {"filesystem": {"rootdirectory": str(cls.lab.folder / "registry")}},
                  "auth": {"htpasswd": {"realm": "lab", "path": str(cls.lab.folder / "htpasswd")}},
                  "http": {"addr": ":5998"}}
        path = cls.lab.folder / "private.yml"
        path.write_text(json.dumps(config), encoding="utf-8")
        registry = Process(cls.lab, "private", ["docker-registry", "serve", path], host.namespace)
        cls.lab.processes.append(registry)
        registry.start()
        wait_until("the private registry answers", lambda: registry.require_alive()
                   and Rest(f"http://{host.ip}:5998").raw("GET", "/v2/")[0] == 401, SETTLE_SECONDS)

    def page(self, app):
        task = self.running_tasks(app)[0]
        rest = Rest(f"http://{self.lab.hosts[0].ip}:{task['ports'][0]}", timeout=2)
        return wait_until(f"{app} serves its page", lambda: (answer := rest.raw("GET", "/"))[0] == 200 and answer[2],
                          SETTLE_SECONDS)

    def sandboxes(self):
        return list((self.lab.hosts[0].folder / "executor" / "sandboxes").iterdir())

    def private_container(self):
        return {"type": "DOCKER", "docker": {"image": f"{PRIVATE}/lib/demo:1", "forcePullImage": True},
                "portMappings": [{"containerPort": 8080, "hostPort": 0}]}

    def wait_failure(self, app):
        return wait_until(f"a task of {app} has failed", lambda: self.lab.api.get(app_path(app))["app"].get(
            "lastTaskFailure"), SETTLE_SECONDS)

    def test_a_container_reads_what_its_definition_named_and_takes_it_along(self):
        app = self.deploy("fetched", 2, cmd=SERVE, fetch=[{"uri": f"{FILES_URL}/site.tgz"}])
        self.assertEqual(b"from an archive", self.page(app))
        mine = [folder for folder in self.sandboxes() if "-fetched." in folder.name]
        self.assertEqual(2, len(mine))
        self.lab.api.delete(app_path(app))
        wait_until("the sandboxes are gone", lambda: not any(folder.exists() for folder in mine), SETTLE_SECONDS)

    def test_a_file_that_is_not_there_fails_the_task_and_says_so(self):
        app = self.definition("missing", 1, uris=[f"{FILES_URL}/none.tgz?secret=word"])
        self.lab.api.post("/v2/apps", app)
        failure = self.wait_failure(app["id"])
        self.assertEqual("TASK_FAILED", failure["state"])
        self.assertIn(f"could not fetch {FILES_URL}/none.tgz: ", failure["message"])
        self.assertIn("404", failure["message"])
        self.assertFalse(self.containers(app["id"], every=True))

    def test_an_executor_killed_while_it_fetches_comes_back_and_the_task_runs(self):
        slow = self.files / "slow.tgz"
        os.mkfifo(slow)  # the server waits for a writer, and the executor for the server
        app = self.definition("slow", 1, cmd=SERVE, fetch=[{"uri": f"{FILES_URL}/slow.tgz"}])
        self.lab.api.post("/v2/apps", app)
        begun = wait_until("a sandbox is being filled", lambda: [
            folder for folder in self.sandboxes() if "-slow." in folder.name], SETTLE_SECONDS)
        host = self.lab.hosts[0]
        host.executor.kill()
        slow.unlink()
        self.write_archive("slow.tgz", "site/index.html", b"at last")
        host.start_executor()
        self.wait_running(app["id"], 1)
        self.assertEqual(b"at last", self.page(app["id"]))
        wait_until("what the killed one had begun is gone", lambda: not begun[0].exists(), SETTLE_SECONDS)

    def test_a_registry_that_wants_a_password_is_told_the_tasks_own(self):
        denied = self.definition("denied", 1, container=self.private_container())
        self.lab.api.post("/v2/apps", denied)
        self.assertIn("no basic auth credentials", self.wait_failure(denied["id"])["message"])
        for number, name in enumerate((".dockercfg", "docker.tar.gz"), 1):
            app = self.deploy(f"private-{number}", 1, container=self.private_container(), uris=[f"{FILES_URL}/{name}"])
            container = self.containers(app)[0]
            self.assertNotIn(PASSWORD, json.dumps(container))
            self.assertNotIn(base64.b64encode(f"ali:{PASSWORD}".encode()).decode(), json.dumps(container))
        log = self.lab.hosts[0].executor.log.read_text(encoding="utf-8")
        self.assertNotIn(PASSWORD, log)
        self.assertNotIn(base64.b64encode(f"ali:{PASSWORD}".encode()).decode(), log)


if __name__ == "__main__":
    cluster_case.main()
