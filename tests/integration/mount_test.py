"""fuseclient as a program: going into the background, refusing with a sentence, and coming to an end."""

import errno
import os
import pathlib
import signal
import subprocess
import time
import unittest

import cluster
from cluster import BIN, Scenario, eventually, is_mounted
from processes import DEADLINE


class Ends(Scenario):
    def test_it_returns_once_the_mount_answers_and_ends_with_the_unmount(self):
        system = self.cluster(mount=False)
        mountpoint = system.directory / "background"
        mountpoint.mkdir()
        pid_file = system.directory / "pid"
        reader, writer = os.pipe()
        done = subprocess.run(
            [str(word) for word in system.mount_command(mountpoint)] + ["--pid-file", str(pid_file), "--log-file",
                                                                        str(system.directory / "log")],
            capture_output=True, text=True, timeout=DEADLINE, pass_fds=[writer])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(is_mounted(mountpoint))
        (mountpoint / "file").write_bytes(b"at once")
        pid = int(pid_file.read_text())
        os.close(writer)
        self.assertEqual(os.read(reader, 1), b"", "what it inherited is closed")
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")

        subprocess.run(["fusermount3", "-u", str(mountpoint)], check=True)
        eventually(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "it ends", deadline=6)

    def test_a_lazy_unmount_with_dead_servers_ends_within_five_seconds(self):
        system = self.cluster()
        user = self.user(system, f"""
file = open({str(system.mnt / "file")!r}, "wb", buffering=0)
file.write(b"x" * 5000)
say("written")
sys.stdin.read()
""")
        eventually(user.said, "the file is open and written")
        for server in system.servers:
            server.kill()
        self.assertLess(system.mounts[0].unmount(lazily=True), 7)

    def test_sequential_reads_come_in_large_requests(self):
        device = os.stat(self.cluster().mnt).st_dev
        setting = pathlib.Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
        if not os.access(setting, os.W_OK):  # as an ordinary user, or with /sys read-only as in most containers
            self.skipTest(f"{setting} may not be written here")
        self.assertEqual(setting.read_text().strip(), "1024")

    def test_sigterm_unmounts(self):
        system = self.cluster()
        self.assertEqual(system.mounts[0].terminate(), 0)
        self.assertFalse(is_mounted(system.mnt))


class Refuses(Scenario):
    def setUp(self):
        self.system = self.cluster(dataservers=2, mount=False)
        self.mountpoint = self.system.directory / "mountpoint"
        self.mountpoint.mkdir()

    def sentence(self, *command):
        _, line = self.refusal([BIN / "fuseclient", *command, "--log-file", self.system.directory / "log"])
        self.assertTrue(line.startswith("fuseclient: "), line)
        return line

    def test_a_missing_mountpoint(self):
        self.assertIn("mkdir", self.sentence(self.system.directory / "missing", self.system.metaserver.port))

    def test_a_mountpoint_in_use(self):
        mounted = self.system.mount().path
        self.assertIn("mounted already", self.sentence(mounted, self.system.metaserver.port))

    def test_a_stale_mountpoint(self):
        mount = self.system.mount()
        mount.kill()
        self.assertIn("fusermount3 -u", self.sentence(mount.path, self.system.metaserver.port))

    def test_no_metaserver(self):
        begin = time.monotonic()
        port = self.system.ports.take()
        self.assertIn(str(port), self.sentence(self.mountpoint, port))
        self.assertLess(time.monotonic() - begin, 15)

    def test_a_missing_dataserver_is_named(self):
        self.system.dataserver(1).kill()
        line = self.sentence(*self.system.mount_command(self.mountpoint)[1:])
        self.assertIn(str(self.system.dataserver(1).port), line)

    def test_another_order_of_dataservers(self):
        self.system.mount()
        ports = [server.port for server in self.system.dataservers]
        line = self.sentence(self.mountpoint, self.system.metaserver.port, *reversed(ports))
        self.assertIn(str(ports[0]), line, "the first difference and the right line")

    def test_unknown_options(self):
        self.assertIn("-o nonsense", self.sentence(self.mountpoint, self.system.metaserver.port, "-o", "nonsense"))

    def test_read_only(self):
        (self.system.mount().path / "file").write_bytes(b"x")
        mnt = self.system.mount(options=["ro"]).path
        self.assertEqual((mnt / "file").read_bytes(), b"x")
        self.assert_errno(errno.EROFS, (mnt / "file").write_bytes, b"y")


class Servers(Scenario):
    def test_a_taken_port_is_named(self):
        system = self.cluster(dataservers=2, mount=False)
        for program, arguments in (("metaserver", [system.metaserver.port]),
                                   ("dataserver", [0, *(server.port for server in system.dataservers)])):
            _, line = self.refusal([BIN / program, *arguments, "--dir", system.directory / f"second-{program}"])
            self.assertIn(str(arguments[-2] if program == "dataserver" else arguments[0]), line)

    def test_one_process_to_a_directory(self):
        system = self.cluster(dataservers=2, mount=False)
        _, line = self.refusal([BIN / "metaserver", system.ports.take(), "--dir", system.metaserver.store])
        self.assertIn("use", line)

    def test_a_store_of_another_slot_is_refused(self):
        system = self.cluster(dataservers=2)
        for server in system.dataservers:
            server.kill()
        ports = [server.port for server in system.dataservers]
        _, line = self.refusal([BIN / "dataserver", 0, *ports, "--dir", system.dataserver(1).store])
        self.assertRegex(line, "slot|dataserver 1")

    def test_sigterm_ends_a_server_at_once(self):
        system = self.cluster(dataservers=2, mount=False)
        for server in system.servers:
            begin = time.monotonic()
            self.assertEqual(server.terminate(), 0, server.name)
            self.assertLess(time.monotonic() - begin, 4, server.name)
            server.start()

    def test_help_and_version(self):
        for program in ("metaserver", "dataserver", "fuseclient", "corrupt"):
            for option in ("--help", "--version"):
                done = subprocess.run([BIN / program, option], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0)
                self.assertTrue(done.stdout)
            self.refusal([BIN / program, "--nonsense"])


class Corrupt(Scenario):
    def test_it_says_what_it_did_and_refuses_what_it_cannot(self):
        system = self.cluster(dataservers=5)
        (system.mnt / "file").write_bytes(b"x" * 100)
        listed = system.corrupt(0, "/file", "--list")
        first, second = listed["blocks"][0]
        told = system.run_corrupt(first, "/file")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertRegex(told.stdout, r"block 0 .*byte \d+ .*was 0x[0-9a-f]{2}, is 0x[0-9a-f]{2}")
        elsewhere = next(slot for slot in range(5) if slot not in (first, second))
        refused = system.run_corrupt(elsewhere, "/file")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(str(system.dataserver(first).port), refused.stderr)
        self.assertEqual(system.run_corrupt(0, "/missing").returncode, 1)

    def test_the_same_seed_damages_the_same(self):
        system = self.cluster()
        (system.mnt / "file").write_bytes(os.urandom(20_000))
        told = []
        for _ in range(2):
            told.append(system.corrupt(1, "/file", "--seed", 42))
            del told[-1]["place"]  # a mended copy lies elsewhere
            (system.mnt / "file").read_bytes()
            inode = str(told[-1]["inode"])
            eventually(lambda: not system.dataserver(1).rpc.block.verify(inode)["bad"], "it is mended")
        self.assertEqual(told[0], told[1])


if __name__ == "__main__":
    cluster.main()
