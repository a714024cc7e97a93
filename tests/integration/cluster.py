"""Real servers and real mounts, for tests that play the user.

    class MyTest(Scenario):
        def test_something(self):
            cluster = self.cluster(dataservers=3)     # all running, mounted on cluster.mnt
            (cluster.mnt / "file").write_bytes(b"...")
            cluster.dataserver(1).kill()
            ...

Everything lives in one temporary directory and ends with the test, also when it fails (then the logs are shown). Ports
are taken from a range of its own, with a lock each, so tests run side by side. Nothing sleeps for a fixed time:
eventually() waits for a condition until a deadline.
"""

import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from processes import DEADLINE, Mount, Server, User, eventually, is_mounted

__all__ = ["BIN", "Cluster", "Scenario", "eventually", "is_mounted", "main"]

BIN = pathlib.Path(os.environ.get("MENDFS_BIN", pathlib.Path(__file__).parents[2] / "build" / "bin"))
SKIPPED = 77  # what ctest takes for "cannot be run here"


class Ports:
    """Free ports below those that the kernel gives to outgoing connections, each locked while this object lives."""

    RANGE = range(20000, 30000)
    _next = 20000 + os.getpid() * 37 % 10000

    def __init__(self):
        self._locks = []

    def take(self):
        directory = pathlib.Path(tempfile.gettempdir()) / "mendfs-test-ports"
        directory.mkdir(exist_ok=True)
        for _ in self.RANGE:
            Ports._next = self.RANGE.start + (Ports._next + 1 - self.RANGE.start) % len(self.RANGE)
            lock = open(directory / str(Ports._next), "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", Ports._next))
            except OSError:
                lock.close()
                continue
            self._locks.append(lock)
            return Ports._next
        raise AssertionError("no free port")

    def release(self):
        for lock in self._locks:
            lock.close()


class Cluster:
    """One metaserver, some dataservers, any number of mounts; the first is `mnt`."""

    def __init__(self, dataservers=3, mount=True, options=(), start=True):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="mendfs-test-"))
        self.ports = Ports()
        self.mounts = []
        meta_port = self.ports.take()
        data_ports = [self.ports.take() for _ in range(dataservers)]
        self.metaserver = self._server("metaserver", ["metaserver", meta_port], meta_port, "metastore")
        self.dataservers = [
            self._server(f"dataserver{i}", ["dataserver", i, *data_ports], port, f"datastore{i}")
            for i, port in enumerate(data_ports)
        ]
        try:
            if start:
                for server in self.servers:
                    server.start(wait=False)
                for server in self.servers:
                    eventually(server.healthy, f"{server.name} answers")
            if start and mount:
                self.mount(options=options)
        except BaseException:
            self.close(show_logs=True)
            raise

    def _server(self, name, command, port, store):
        store = self.directory / store
        program, *arguments = command
        return Server(name, [BIN / program, *arguments, "--dir", store, "--log-level", "debug"],
                      self.directory / f"{name}.log", self.directory, port, store)

    @property
    def servers(self):
        return [self.metaserver, *self.dataservers]

    @property
    def mnt(self):
        return self.mounts[0].path

    def dataserver(self, index):
        return self.dataservers[index]

    def mount_command(self, path, options=()):
        command = [BIN / "fuseclient", path, self.metaserver.port, *(server.port for server in self.dataservers)]
        for option in options:
            command += ["-o", option]
        return command

    def mount(self, options=()):
        name = f"mnt{len(self.mounts)}"
        path = self.directory / name
        mount = Mount(name, [*self.mount_command(path, options), "-f", "--log-level", "debug"],
                      self.directory / f"{name}.log", self.directory, path)
        self.mounts.append(mount)
        mount.start()
        return mount

    def corrupt(self, index, path, *arguments):
        """Runs `corrupt` on that dataserver; what it says with --json."""
        done = self.run_corrupt(index, path, *arguments, "--json")
        assert done.returncode == 0, f"corrupt failed: {done.stderr}"
        return json.loads(done.stdout)

    def run_corrupt(self, index, path, *arguments):
        command = [BIN / "corrupt", self.dataserver(index).port, path, *arguments]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=DEADLINE)

    def kill_all(self):
        for process in [*self.mounts, *self.servers]:
            process.kill()

    def restart_servers(self):
        for server in self.servers:
            if not server.alive():
                server.start(wait=False)
        for server in self.servers:
            eventually(server.healthy, f"{server.name} answers")

    def close(self, show_logs=False):
        if show_logs:
            for process in [*self.servers, *self.mounts]:
                print(f"--- {process.name}\n{process.last_words()}", file=sys.stderr)
        for mount in self.mounts:
            mount.clear()
        for server in self.servers:
            server.kill()
        self.ports.release()
        shutil.rmtree(self.directory, ignore_errors=True)

    # What the servers say of themselves, in one place: the methods people call (system.listMethods).

    def status(self):
        return self.metaserver.rpc.ring.status()

    def locate(self, path):
        return self.metaserver.rpc.ns.locate(path)


class Scenario(unittest.TestCase):
    """A test with clusters that end with it."""

    maxDiff = 2000
    SECONDS_MAX = 200  # of one test; ctest's own limit would leave mounts behind

    def run(self, result=None):
        def too_long(*_):
            raise AssertionError(f"the test took longer than {self.SECONDS_MAX} s")
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(self.SECONDS_MAX)
        try:
            return super().run(result)
        finally:
            signal.alarm(0)

    def user(self, system, script):
        user = User(script, system.directory)
        self.addCleanup(user.end)
        return user

    def cluster(self, **options):
        cluster = Cluster(**options)
        self.addCleanup(lambda: cluster.close(show_logs=self._has_failed()))
        return cluster

    def _has_failed(self):
        outcome = self._outcome
        result = getattr(outcome, "result", None)
        return any(test is self for test, _ in [*result.failures, *result.errors]) or not outcome.success

    def refusal(self, command, **options):
        """Runs a command that must fail; its exit code and the one line it says."""
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=DEADLINE,
                              **options)
        self.assertNotEqual(done.returncode, 0, f"{command} succeeded: {done.stdout}")
        lines = done.stderr.strip().splitlines()
        self.assertTrue(lines, f"{command} failed without a word")
        return done.returncode, lines[-1]

    def assert_errno(self, number, function, *arguments):
        with self.assertRaises(OSError) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.errno, number, f"{os.strerror(caught.exception.errno)}, "
                         f"not {os.strerror(number)}")


def main():
    """The end of every scenario's file."""
    if not os.path.exists("/dev/fuse"):
        print("skipped: /dev/fuse is missing")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
