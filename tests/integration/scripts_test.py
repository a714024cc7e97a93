"""scripts/up, status and down, in a folder of their own and on free ports."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import cluster
from cluster import BIN, Ports, Scenario, eventually, is_mounted

SCRIPTS = pathlib.Path(__file__).parents[2] / "scripts"
SECONDS_MAX = 60  # of one script, on a busy machine


class Scripts(Scenario):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mendfs-scripts-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.mnt = self.root / "mnt"
        self.ports = Ports()
        self.addCleanup(self.ports.release)
        self.meta_port, *self.data_ports = [self.ports.take() for _ in range(6)]
        shutil.copytree(SCRIPTS, self.root / "scripts")
        (self.root / "build").symlink_to(BIN.parent.resolve())
        for name in ("build", "deps"):  # what is tested is built and installed
            (self.root / "scripts" / name).write_text("#!/bin/sh\n")
        self.replace("cluster.sh", r"^metaserver_port=.*", f"metaserver_port={self.meta_port}")
        self.replace("cluster.sh", r"^dataserver_ports=.*", f"dataserver_ports=({' '.join(map(str, self.data_ports))})")
        self.replace("status", r'^DEFAULT = .*', f'DEFAULT = "127.0.0.1:{self.meta_port}"')
        self.addCleanup(self.end)

    def replace(self, script, pattern, text):
        path = self.root / "scripts" / script
        changed, count = re.subn(pattern, text, path.read_text(), flags=re.MULTILINE)
        self.assertEqual(count, 1, f"{pattern} in {script}")
        path.write_text(changed)

    def end(self):
        for name in self.names():
            self.kill(name)
        if is_mounted(self.mnt):
            subprocess.run(["umount", "-l", self.mnt], capture_output=True)

    def names(self):
        folder = self.root / ".mendfs" / "pid"
        return [path.name for path in folder.iterdir()] if folder.exists() else []

    def pid(self, name):
        return int((self.root / ".mendfs" / "pid" / name).read_text().split()[0])

    def kill(self, name):
        try:
            os.kill(self.pid(name), signal.SIGKILL)
        except ProcessLookupError:
            pass

    def script(self, name, *arguments):
        with tempfile.TemporaryFile("w+") as output:  # a pipe would be kept open by what the script starts
            done = subprocess.run([self.root / "scripts" / name, *arguments], stdout=output, stderr=output,
                                  stdin=subprocess.DEVNULL, timeout=SECONDS_MAX)
            output.seek(0)
            return done.returncode, output.read()

    def up(self):
        code, output = self.script("up")
        self.assertEqual(code, 0, output)
        return output

    def status(self):
        return self.script("status")[0]

    def test_up_twice_status_and_down(self):
        self.assertEqual(self.status(), 2)
        self.up()
        (self.mnt / "file").write_bytes(b"kept")
        eventually(lambda: self.status() == 0, "all is well")
        self.assertIn("up already", self.up())
        self.assertEqual(self.script("down")[0], 0)
        self.assertFalse(is_mounted(self.mnt))
        self.assertEqual(self.names(), [])
        self.up()
        self.assertEqual((self.mnt / "file").read_bytes(), b"kept")
        self.assertEqual(self.script("down", "--wipe")[0], 0)
        self.assertFalse((self.root / ".mendfs").exists())

    def test_up_starts_what_was_killed(self):
        self.up()
        (self.mnt / "file").write_bytes(b"kept")
        for name in sorted(self.names()):
            with self.subTest(name):
                self.kill(name)
                self.up()
                self.assertEqual((self.mnt / "file").read_bytes(), b"kept")

    def test_up_after_everything_was_killed(self):
        self.up()
        (self.mnt / "file").write_bytes(b"kept")
        for name in self.names():
            self.kill(name)
        self.up()
        self.assertEqual((self.mnt / "file").read_bytes(), b"kept")

    def test_down_works_when_parts_are_dead(self):
        for dead in (["metaserver"], ["dataserver0", "dataserver1"], ["fuseclient"]):
            with self.subTest(dead=dead):
                self.up()
                for name in dead:
                    self.kill(name)
                code, output = self.script("down")
                self.assertEqual(code, 0, output)
                self.assertFalse(is_mounted(self.mnt))
                self.assertEqual(self.names(), [])

    def test_a_taken_port_is_named_and_nothing_started(self):
        with socket.socket() as other:
            # Connections of the test before to a server on this port may not be forgotten yet.
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", self.data_ports[2]))
            other.listen()
            code, output = self.script("up")
        self.assertEqual(code, 1)
        self.assertIn(f"port {self.data_ports[2]}, wanted by dataserver2, is taken", output.splitlines()[-1])
        self.assertEqual(self.names(), [])

    def test_a_mountpoint_with_files_is_refused(self):
        self.mnt.mkdir()
        (self.mnt / "precious").touch()
        code, output = self.script("up")
        self.assertEqual(code, 1)
        self.assertIn("is not empty", output.splitlines()[-1])
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    cluster.main()
