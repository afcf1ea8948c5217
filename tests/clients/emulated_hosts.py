#!/usr/bin/python3
"""Hosts without machines: python_executor.py's executor, many of them in one process, whose tasks are nothing but a
state. For tests of how hosts are shared out, which would need a machine for each otherwise.

Usage: emulated_hosts.py TOKEN_FILE NAME COUNT CPUS_OF_EACH PROTO_FOLDER
The hosts are NAME0, NAME1, ... Lines on stdout as python_executor.py's.
"""

import pathlib
import signal
import sys

import zmq

from python_executor import KILLED, KILLED_BY_REQUEST, RUNNING, Executor, Task, load_messages, say

TURN_MS = 20  # all of them together wait so long for something to happen


class EmulatedTask(Task):
    """Runs until it is killed."""

    def start(self, launch, spec):
        pass

    def kill(self, how):
        self.killed = True

    def look(self):
        if self.state != RUNNING or not self.killed:
            return False
        self.state, self.reason = KILLED, KILLED_BY_REQUEST
        return True


class EmulatedHost(Executor):
    """Says, besides, when the master has taken its INVENTORY: it answers the BEAT that came after it."""

    task_type = EmulatedTask
    told = 0  # the session of which that was said

    def handle(self, frame):
        super().handle(frame)
        if frame.WhichOneof("body") == "beat" and self.told != self.session:
            self.told = self.session
            say("inventoried", host=self.hostname)


def main():
    token_file, name, count, cpus, proto_folder = sys.argv[1:]
    EmulatedHost.cpus = int(cpus)
    messages = load_messages(proto_folder)
    token = pathlib.Path(token_file).read_text().strip()
    hosts = [EmulatedHost(token, f"{name}{number}", messages) for number in range(int(count))]

    def stop(_signal, _frame):
        for host in hosts:
            host.stopping = True

    signal.signal(signal.SIGTERM, stop)
    while not hosts[0].stopping:
        poller = zmq.Poller()  # a turn may replace a socket
        for host in hosts:
            if host.socket:
                poller.register(host.socket, host.awaits())
        poller.poll(TURN_MS)
        for host in hosts:  # none of them waits, so that none keeps the others from their beats
            try:
                host.turn(0)
            except zmq.Again:  # the master is not there: nothing is queued for it
                pass
    for host in hosts:
        host.leave()


if __name__ == "__main__":
    main()
