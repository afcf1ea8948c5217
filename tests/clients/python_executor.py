#!/usr/bin/python3
"""Another executor, written from docs/protocol.md and core/wire/bus.proto alone: a task is a process of this machine
here, and no container. It shows that the two pages are enough; nobody should run it. Needs Debian's python3-zmq,
python3-protobuf and protobuf-compiler.

Usage: python_executor.py TOKEN_FILE HOSTNAME PROTO_FOLDER
One line of JSON on stdout for each thing that happens.
"""

import base64
import json
import os
import pathlib
import secrets
import signal
import subprocess
import sys
import tempfile
import time

import zmq

STARTING, RUNNING, KILLING, FINISHED, FAILED, KILLED, ERROR = 1, 2, 3, 4, 5, 6, 7
COMMAND_EXITED, KILLED_BY_REQUEST, LAUNCH_FAILED = 1, 3, 4
REPEAT_SECONDS = 1.0  # a status that was not acknowledged is sent again
RECONNECT_SECONDS = 0.2


def load_messages(proto_folder):
    """What protoc makes of bus.proto."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", f"--proto_path={proto_folder}", f"--python_out={folder}", "bus.proto"], check=True)
        sys.path.insert(0, folder)
        import bus_pb2
        return bus_pb2


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class Task:
    """A launched task: its process, and what the master has yet to acknowledge."""

    def __init__(self, launch, spec):
        self.number, self.name = launch.number, launch.name
        self.host_ports = list(launch.host_ports)
        self.killed = False
        self.state, self.reason, self.message = RUNNING, 0, ""
        self.stamp, self.sent_at, self.acknowledged = 0, 0.0, False
        self.process = None
        self.start(launch, spec)

    def start(self, launch, spec):
        try:
            words = ["/bin/sh", "-c", spec.shell] if spec.shell else list(spec.args) or ["/bin/true"]
            self.process = subprocess.Popen(words, env={**os.environ, **spec.env, **launch.env},
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            start_new_session=True)
        except OSError as error:
            self.state, self.reason, self.message = FAILED, LAUNCH_FAILED, str(error)

    def kill(self, how):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, how)

    def look(self):
        """True when the process has just ended."""
        if self.state != RUNNING or self.process.poll() is None:
            return False
        code = self.process.returncode
        self.state = KILLED if self.killed else FINISHED if code == 0 else FAILED
        self.reason = KILLED_BY_REQUEST if self.killed else COMMAND_EXITED
        self.message = f"exit code {code}"
        return True


class Executor:
    task_type = Task
    cpus = 4

    def __init__(self, token, hostname, messages):
        assert token.startswith("methos1-"), "not a join token"
        encoded = token[len("methos1-"):]
        self.token = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        self.hostname, self.pb = hostname, messages
        self.host_id, self.host_key = secrets.token_hex(16), secrets.token_hex(16)
        self.public, self.secret = zmq.curve_keypair()
        self.context = zmq.Context()
        self.socket, self.greeted, self.connect_at = None, False, 0.0
        self.session = self.epoch = 0
        self.tasks, self.specs = {}, {}
        self.next_stamp = 1
        self.stopping = False

    def frame(self):
        return self.pb.Frame(session=self.session, epoch=self.epoch)

    def send(self, frame):
        self.socket.send(frame.SerializeToString(), zmq.NOBLOCK)

    def connect(self):
        """A fresh DEALER per session, so that nothing meant for an old one can reach the new one. Does not wait for the
        handshake: greet() when the socket can be written to."""
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.immediate = True  # nothing is queued before the handshake is done
        self.socket.curve_publickey, self.socket.curve_secretkey = self.public, self.secret
        self.socket.curve_serverkey = self.token["key"].encode()
        self.socket.connect(self.token["addresses"][0])
        self.greeted = False

    def disconnect(self):
        """A new session follows after a while."""
        self.socket.close(linger=0)
        self.socket, self.connect_at = None, time.monotonic() + RECONNECT_SECONDS
        self.session = self.epoch = 0

    def greet(self):
        self.greeted = True
        self.beat_seconds, self.loss_seconds, self.heard_at = 0.5, 5.0, time.monotonic()
        self.beat_at, self.beats = 0.0, 0
        hello = self.frame()
        hello.hello.protocol_min = hello.hello.protocol_max = 1
        hello.hello.build = "python_executor"
        hello.hello.join_secret, hello.hello.host_key = self.token["secret"], self.host_key
        host = hello.hello.host
        host.id, host.hostname, host.role = self.host_id, self.hostname, "*"
        host.milli_cpus, host.mem_bytes, host.disk_bytes = 1000 * self.cpus, 4 << 30, 10 << 30
        host.ports.add(first=31000, last=31999)
        host.docker_up, host.docker_version, host.docker_api = True, "none", "none"
        self.send(hello)

    def on_welcome(self, frame):
        self.session, self.epoch = frame.session, frame.epoch
        self.beat_seconds = frame.welcome.beat_interval_ms / 1000
        self.loss_seconds = self.beat_seconds * frame.welcome.beats_to_loss
        self.specs.clear()  # each session carries anew what it needs
        say("welcome", session=self.session, epoch=self.epoch)
        inventory = self.frame()
        inventory.inventory.SetInParent()
        for task in self.tasks.values():
            self.fill(inventory.inventory.tasks.add(), task)
        self.send(inventory)

    def on_launch(self, launch):
        for spec in launch.specs:
            self.specs[spec.number] = spec
        for wanted in launch.tasks:
            if wanted.number not in self.tasks:
                task = self.tasks[wanted.number] = self.task_type(wanted, self.specs[wanted.spec])
                say("launched", task=task.name, host=self.hostname, pid=task.process.pid if task.process else None)
            self.report(self.tasks[wanted.number])

    def on_kill(self, kill):
        for wanted in kill.tasks:
            task = self.tasks.get(wanted.number)
            if task is None:  # what is not known here is over
                gone = self.frame()
                gone.status.tasks.add(number=wanted.number, name=wanted.name, stamp=self.take_stamp(), state=KILLED)
                self.send(gone)
            else:
                task.killed = True
                task.kill(signal.SIGTERM)

    def on_ack(self, ack):
        for entry in ack.tasks:
            task = self.tasks.get(entry.number)
            if task and task.stamp == entry.stamp:
                task.acknowledged = True
                say("acknowledged", task=task.name, state=task.state)
                if task.state != RUNNING:
                    del self.tasks[entry.number]

    def take_stamp(self):
        self.next_stamp += 1
        return self.next_stamp

    def fill(self, status, task):
        status.number, status.name, status.stamp = task.number, task.name, task.stamp
        status.state, status.reason, status.message = task.state, task.reason, task.message
        status.time_ms, status.container_id = int(time.time() * 1000), f"process-{task.number}"
        status.host_ports.extend(task.host_ports)

    def report(self, task):
        """The state as it is now, under a stamp of its own; repeated until that stamp is acknowledged."""
        task.stamp, task.acknowledged = self.take_stamp(), False
        self.repeat(task)

    def repeat(self, task):
        task.sent_at = time.monotonic()
        frame = self.frame()
        self.fill(frame.status.tasks.add(), task)
        self.send(frame)

    def handle(self, frame):
        self.heard_at = time.monotonic()
        kind = frame.WhichOneof("body")
        if kind == "refused":
            say("refused", why=frame.refused.why, message=frame.refused.message)
            if frame.refused.why != self.pb.Refused.UNKNOWN_SESSION:
                sys.exit(1)
            self.heard_at = 0.0  # a new session, as after silence
        elif kind == "welcome":
            self.on_welcome(frame)
        elif frame.session == self.session and frame.epoch == self.epoch:
            action = {"launch": self.on_launch, "kill": self.on_kill, "ack": self.on_ack}.get(kind)
            if action:  # unknown bodies are ignored
                action(getattr(frame, kind))

    def awaits(self):
        """What of its socket the next turn is for."""
        return zmq.POLLIN if self.greeted else zmq.POLLOUT

    def turn(self, wait_ms=50):
        if self.socket is None:
            time.sleep(min(wait_ms / 1000, max(0.0, self.connect_at - time.monotonic())))
            if time.monotonic() >= self.connect_at:
                self.connect()
            return
        if self.socket.poll(wait_ms, self.awaits()):
            if not self.greeted:
                self.greet()
                return
            frame = self.pb.Frame()
            frame.ParseFromString(self.socket.recv())
            self.handle(frame)
        now = time.monotonic()
        if self.greeted and now - self.heard_at > self.loss_seconds:
            say("lost", host=self.hostname)
            self.disconnect()
        if not self.session:
            return
        if now >= self.beat_at:
            self.beats += 1
            self.beat_at = now + self.beat_seconds
            beat = self.frame()
            beat.beat.sequence = self.beats
            self.send(beat)
        for task in list(self.tasks.values()):
            if task.look():
                say("ended", task=task.name, state=task.state)
                self.report(task)
            elif not task.acknowledged and now - task.sent_at > REPEAT_SECONDS:
                self.repeat(task)

    def run(self):
        while not self.stopping:
            try:
                self.turn()
            except zmq.Again:  # the master is not there: nothing is queued for it
                time.sleep(RECONNECT_SECONDS)
        self.leave()

    def leave(self):
        if self.session:
            goodbye = self.frame()
            goodbye.goodbye.grace_ms = 1000
            self.send(goodbye)
        for task in self.tasks.values():
            task.kill(signal.SIGKILL)
        if self.socket:
            self.socket.close(linger=1000)


def main():
    token_file, hostname, proto_folder = sys.argv[1:]
    executor = Executor(pathlib.Path(token_file).read_text().strip(), hostname, load_messages(proto_folder))

    def stop(_signal, _frame):
        executor.stopping = True

    signal.signal(signal.SIGTERM, stop)
    executor.run()


if __name__ == "__main__":
    main()
