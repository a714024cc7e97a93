"""The processes of a test: servers, mounts, and users who may block. All of them end with the test, however it ends."""

import ctypes
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xmlrpc.client

DEADLINE = 30.0  # seconds; for what should take one, on a busy machine


def eventually(condition, what, deadline=DEADLINE):
    """The first true value of condition(); fails with `what` when there is none before the deadline. What condition()
    raises (an OSError, a refused call) counts as false."""
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, xmlrpc.client.Error, subprocess.SubprocessError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what} (last: {last!r})")
        time.sleep(0.02)


def _die_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program of ours that is started, killed and started again with the same command line."""

    def __init__(self, name, command, log, directory):
        self.name = name
        self.command = [str(word) for word in command]
        self.log = log
        self.directory = directory
        self._process = None

    def start(self):
        assert not self.alive(), f"{self.name} runs already"
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                preexec_fn=_die_with_parent)

    def alive(self):
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self):
        return self._process.pid

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        """kill -9, and waits until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self, deadline=DEADLINE):
        """SIGTERM; its exit code."""
        self._process.terminate()
        return self._process.wait(deadline)

    def wait(self, deadline=DEADLINE):
        return self._process.wait(deadline)

    def last_words(self, count=15):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
        except FileNotFoundError:
            return ""


class Server(Process):
    def __init__(self, name, command, log, directory, port, store):
        super().__init__(name, command, log, directory)
        self.port = port
        self.store = store
        self._rpc = None

    def start(self, wait=True):
        super().start()
        if wait:
            eventually(self.healthy, f"{self.name} answers on port {self.port}\n{self.last_words()}")

    def healthy(self):
        if not self.alive():
            raise AssertionError(f"{self.name} has ended:\n{self.last_words()}")
        return http_status(self.port, "/health") == 200

    def restart(self):
        self.kill()
        self.start()

    def wipe(self):
        """Loses the disk: the store is gone at the next start."""
        assert not self.alive()
        shutil.rmtree(self.store)

    @property
    def rpc(self):
        if self._rpc is None:
            self._rpc = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{self.port}/RPC2")
        return self._rpc

    def kill(self):
        super().kill()
        if self._rpc is not None:
            self._rpc("close")()
            self._rpc = None


def http_status(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except http.client.HTTPException:
        return None
    finally:
        connection.close()


class Mount(Process):
    def __init__(self, name, command, log, directory, path):
        super().__init__(name, command, log, directory)
        self.path = path

    def start(self):
        self.path.mkdir(exist_ok=True)
        super().start()

        def answers():
            if not self.alive():
                raise AssertionError(f"{self.name} has ended:\n{self.last_words()}")
            return is_mounted(self.path) and self.path.stat()
        eventually(answers, f"{self.path} is mounted\n{self.last_words()}")

    def unmount(self, lazily=False, deadline=DEADLINE):
        """fusermount3 -u, as soon as nothing is open there; the seconds until the program has ended."""
        command = ["fusermount3", "-u"] + (["-z"] if lazily else []) + [str(self.path)]
        eventually(lambda: subprocess.run(command, capture_output=True).returncode == 0, f"{self.path} is unmounted")
        begin = time.monotonic()
        code = self.wait(deadline)
        assert code == 0, f"{self.name} ended with {code}:\n{self.last_words()}"
        return time.monotonic() - begin

    def clear(self):
        self.kill()
        if is_mounted(self.path):
            subprocess.run(["umount", "-l", str(self.path)], capture_output=True)


def is_mounted(path):
    escaped = str(path).replace("\\", "\\134").replace(" ", "\\040")
    with open("/proc/self/mountinfo") as table:
        return any(line.split()[4] == escaped for line in table)


class User:
    """A process that works in the mount. What may block there is done by one of these, never by the test itself: a fork
    of the test would inherit its open files, and their close would wait with it.

    `script` is Python; it says how far it is with say("...").
    """

    _PRELUDE = """
import os, sys
def say(text):
    os.write(1, (text + "\\n").encode())
"""

    def __init__(self, script, directory):
        self._said = tempfile.TemporaryFile(dir=directory)
        self._process = subprocess.Popen([sys.executable, "-c", self._PRELUDE + script], stdin=subprocess.PIPE,
                                         stdout=self._said, preexec_fn=_die_with_parent)

    def said(self):
        return os.pread(self._said.fileno(), 1 << 20, 0).decode().split()

    def tell(self, line):
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def stands_still(self):
        """Waits until it says nothing for a second; whether it still runs then."""
        last, since = None, time.monotonic()

        def still():
            nonlocal last, since
            if self.said() != last:
                last, since = self.said(), time.monotonic()
            return time.monotonic() - since > 1.0
        eventually(still, "the user stands still")
        return self.alive()

    def alive(self):
        return self._process.poll() is None

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, deadline=DEADLINE):
        return self._process.wait(deadline)

    def end(self):
        self._process.kill()
        self._process.stdin.close()
        self._said.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            pass  # its exit waits for a server; it ends with the mount
