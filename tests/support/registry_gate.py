"""A gate between a registry and who asks it: passes TCP bytes on, can hold what the registry says after so many bytes, and can be
dead. For tests that need something to happen in the middle of a pull. Runs in threads of its own, in the network namespace
of who makes it."""

import contextlib
import socket
import threading
import urllib.parse

PIECE_BYTES = 64 * 1024
CONNECT_SECONDS = 10


class RegistryGate:
    def __init__(self, address, upstream):
        parts = urllib.parse.urlsplit(upstream)
        self.upstream = (parts.hostname, parts.port)
        self.changed = threading.Condition()
        self.room = None  # bytes that may still pass to the asking side; None: all
        self.dead = False
        self.holds = False  # somebody waits for room
        self.refused = 0  # connections, while it was dead
        self.connections = set()
        self.listener = socket.create_server((address, 0))
        self.url = f"http://{address}:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def open(self):
        self.change(room=None, dead=False)

    def hold_after(self, count):
        """Of all connections together, counted from now."""
        self.change(room=count, dead=False)

    def die(self):
        """Cuts what is under way, and everybody who comes, until it is opened."""
        self.change(room=None, dead=True)

    def close(self):
        self.die()
        self.listener.close()

    def change(self, room, dead):
        with self.changed:
            self.room, self.dead, self.holds, self.refused = room, dead, False, 0
            cut = list(self.connections) if dead else []
            self.changed.notify_all()
        for connection in cut:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            with self.changed:
                dead = self.dead
                self.refused += dead
            if dead:
                client.close()
                continue
            try:
                server = socket.create_connection(self.upstream, CONNECT_SECONDS)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self.changed:
                self.connections |= {client, server}
            threading.Thread(target=self.pass_on, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(server, client, True), daemon=True).start()

    def pass_on(self, source, sink, counted):
        try:
            while piece := source.recv(PIECE_BYTES):
                if counted and not self.wait_for_room(len(piece)):
                    break
                sink.sendall(piece)
        except OSError:
            pass  # the other thread, or the other side, has ended it
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self.changed:
            self.connections -= {source, sink}
        if counted:
            source.close()
            sink.close()

    def wait_for_room(self, count):
        """False when the gate has died meanwhile."""
        with self.changed:
            while not self.dead and self.room is not None and self.room < count:
                self.holds = True
                self.changed.wait()
            if self.room is not None:
                self.room -= count
            return not self.dead
