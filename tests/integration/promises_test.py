"""The promises of docs/design.md, section 3, that the design parameters do not show already."""

import errno
import hashlib
import http.client
import os
import signal
import socket
import subprocess
import time

import cluster
from cluster import Scenario, eventually

BLOCK = 512


def content_of(size, seed=0):
    return b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(size // 32 + 1))[:size]


class Promises(Scenario):
    def all_up(self, system):
        eventually(lambda: all(slot["state"] == "up" for slot in system.status()["slots"]), "all dataservers are up")

    def test_1_a_blocked_write_says_on_whom_and_how_long(self):
        system = self.cluster()
        system.dataserver(2).kill()
        writer = self.user(system, f"""
with open({str(system.mnt / "file")!r}, "wb", buffering=0) as file:
    for i in range(2000):
        file.write(bytes(65536))
        say(str(i))
""")
        words = f"127.0.0.1:{system.dataserver(2).port}"
        eventually(lambda: "blocked" in system.mounts[0].last_words(200) and
                   words in system.mounts[0].last_words(200), "the log names the server")
        self.assertTrue(writer.stands_still(), "it waits")
        system.dataserver(2).start()
        self.assertEqual(writer.wait(60), 0)
        self.assertEqual((system.mnt / "file").stat().st_size, 2000 * 65536)

    def test_1_an_interrupt_ends_the_wait(self):
        system = self.cluster()
        (system.mnt / "file").write_bytes(b"old")
        system.dataserver(0).kill()
        system.dataserver(1).kill()
        writer = self.user(system, f"""
import signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
file = open({str(system.mnt / "file")!r}, "r+b", buffering=0)
while True:
    file.write(bytes(65536))
""")
        eventually(lambda: "blocked" in system.mounts[0].last_words(200), "the write is blocked")
        writer.signal(signal.SIGINT)
        self.assertEqual(writer.wait(10), -signal.SIGINT)
        self.assertTrue(system.mnt.stat(), "the mount is well")

    def test_2_a_block_without_a_good_copy_is_an_error_and_its_neighbours_are_not(self):
        system = self.cluster()
        data = content_of(20 * BLOCK)
        (system.mnt / "file").write_bytes(data)
        start = system.locate("/file")["start"]
        for copy in (0, 1):
            system.corrupt((start + 8 + copy) % 3, "/file", "--block", 8)
        with open(system.mnt / "file", "rb", buffering=0) as file:
            self.assert_errno(errno.EIO, os.pread, file.fileno(), BLOCK, 8 * BLOCK)
            fd = os.open(system.mnt / "file", os.O_RDONLY | os.O_DIRECT)
            self.addCleanup(os.close, fd)
            for block in (7, 9):
                buffer = cluster_mmap(BLOCK)
                self.assertEqual(os.preadv(fd, [buffer], block * BLOCK), BLOCK)
                self.assertEqual(buffer[:], data[block * BLOCK:(block + 1) * BLOCK])

        with open(system.mnt / "file", "r+b", buffering=0) as file:
            file.seek(8 * BLOCK)
            file.write(data[8 * BLOCK:9 * BLOCK])
        self.assertEqual((system.mnt / "file").read_bytes(), data, "writing the whole block heals it")

    def test_3_every_open_checks_again(self):
        system = self.cluster()
        data = content_of(6 * BLOCK)
        (system.mnt / "file").write_bytes(data)
        for _ in range(3):
            mended = sum(int(slot.get("blocks_mended", 0)) for slot in system.status()["slots"])
            system.corrupt(system.locate("/file")["start"], "/file")
            self.assertEqual((system.mnt / "file").read_bytes(), data)
            eventually(lambda: sum(int(slot.get("blocks_mended", 0)) for slot in system.status()["slots"]) > mended,
                       "it is mended and counted", deadline=5)

    def test_4_what_is_closed_survives_kill_9_of_everything(self):
        system = self.cluster()
        for i in range(30):
            (system.mnt / f"file{i}").write_bytes(content_of(i * 1000, i))
            if i % 3 == 0:
                os.rename(system.mnt / f"file{i}", system.mnt / f"moved{i}")
        system.kill_all()
        system.restart_servers()
        mnt = system.mount().path
        for i in range(30):
            name = f"moved{i}" if i % 3 == 0 else f"file{i}"
            self.assertEqual((mnt / name).read_bytes(), content_of(i * 1000, i), name)
        self.assertEqual(len(os.listdir(mnt)), 30)

    def test_4_servers_killed_in_turn_lose_nothing(self):
        system = self.cluster()
        for i, server in enumerate(system.servers * 2):
            (system.mnt / f"before{i}").write_bytes(content_of(50_000, i))
            server.restart()
            (system.mnt / f"after{i}").write_bytes(content_of(50_000, 100 + i))
        for i in range(8):
            self.assertEqual((system.mnt / f"before{i}").read_bytes(), content_of(50_000, i))
            self.assertEqual((system.mnt / f"after{i}").read_bytes(), content_of(50_000, 100 + i))

    def test_5_two_neighbours_wiped_together_is_an_error_never_zeros(self):
        system = self.cluster()
        data = content_of(30 * BLOCK)
        (system.mnt / "file").write_bytes(data)
        system.mounts[0].unmount()
        for index in (0, 1):
            system.dataserver(index).kill()
            system.dataserver(index).wipe()
        for index in (0, 1):
            system.dataserver(index).start()
        eventually(lambda: any(slot["no_source"] for slot in system.status()["slots"]), "the status tells of the loss")
        mnt = system.mount(options=["timeout=3"]).path
        start = system.locate("/file")["start"]
        fd = os.open(mnt / "file", os.O_RDONLY | os.O_DIRECT)
        self.addCleanup(os.close, fd)
        for block in range(6):
            holders = {(start + block) % 3, (start + block + 1) % 3}
            buffer = cluster_mmap(BLOCK)
            if holders == {0, 1}:
                self.assert_errno(errno.EIO, os.preadv, fd, [buffer], block * BLOCK)
            else:
                self.assertEqual(os.preadv(fd, [buffer], block * BLOCK), BLOCK)
                self.assertEqual(buffer[:], data[block * BLOCK:(block + 1) * BLOCK], "the other blocks are there")

    def test_6_open_sees_what_was_closed_on_another_mount(self):
        system = self.cluster()
        second = system.mount().path
        for i in range(20):
            writer, reader = (system.mnt, second) if i % 2 else (second, system.mnt)
            (writer / "file").write_bytes(content_of(1000 + i, i))
            eventually(lambda: (reader / "file").exists(), "a name that was missing is pushed to the other mount")
            self.assertEqual((reader / "file").read_bytes(), content_of(1000 + i, i), f"round {i}")
            os.rename(writer / "file", writer / "other")
            eventually(lambda: not (reader / "file").exists(), "a name taken away is pushed to the other mount")
            eventually(lambda: (reader / "other").exists(), "a new name is pushed to the other mount")
            os.rename(reader / "other", reader / "file")

    def test_6_names_and_attributes_kept_by_the_kernel_follow_other_mounts(self):
        system = self.cluster()
        second = system.mount().path
        tree = system.mnt / "tree"
        tree.mkdir()
        for i in range(20):
            (tree / f"file{i}").write_bytes(content_of(100, i))
        seen = second / "tree"
        eventually(lambda: len(os.listdir(seen)) == 20, "the tree is seen")
        self.assertEqual([os.stat(seen / f"file{i}").st_size for i in range(20)], [100] * 20)
        os.chmod(tree / "file0", 0o600)
        eventually(lambda: os.stat(seen / "file0").st_mode & 0o777 == 0o600, "a mode is pushed")
        with open(tree / "file1", "ab") as file:
            file.write(b"more")
        eventually(lambda: os.stat(seen / "file1").st_size == 104, "a size is pushed")
        os.unlink(tree / "file2")
        eventually(lambda: not (seen / "file2").exists(), "a removal is pushed")
        (tree / "new").write_bytes(b"new")
        eventually(lambda: (seen / "new").exists(), "a name that was missing is pushed")
        # An open asks: it sees a file that took another one's place, however new that is.
        for i in range(20):
            (tree / "draft").write_bytes(content_of(50, 100 + i))
            os.rename(tree / "draft", tree / "file3")
            self.assertEqual((seen / "file3").read_bytes(), content_of(50, 100 + i), f"version {i}")
        os.rename(tree, system.mnt / "moved")
        eventually(lambda: (second / "moved" / "new").exists() and not seen.exists(), "a directory's new name is pushed")

    def test_6_whoever_works_in_a_directory_stays_there_when_caches_are_dropped(self):
        system = self.cluster()
        inner = system.mnt / "outer" / "inner"
        inner.mkdir(parents=True)
        shell = subprocess.Popen(["/bin/sh", "-c", "read go; pwd -P"], cwd=inner, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        os.stat(inner)
        system.metaserver.kill()
        system.metaserver.start()
        (system.mnt / "file").write_bytes(b"the mount has heard of the restart")
        where, _ = shell.communicate("go\n")
        self.assertEqual(where.strip(), str(inner.resolve()))

    def test_6_a_mount_cut_off_from_the_metaserver_trusts_nothing_it_kept(self):
        system = self.cluster()
        second = system.mount().path
        (system.mnt / "file").write_bytes(b"first")
        eventually(lambda: (second / "file").exists() and os.stat(second / "file").st_size == 5, "the file is seen")
        system.metaserver.kill()
        system.metaserver.start()
        (system.mnt / "file").write_bytes(b"second one")
        os.rename(system.mnt / "file", system.mnt / "renamed")
        eventually(lambda: not (second / "file").exists(), "the old name is not kept over a restart")
        self.assertEqual(os.stat(second / "renamed").st_size, 10)

    def test_6_two_mounts_writing_parts_of_one_block_never_undo_each_other(self):
        system = self.cluster()
        second = system.mount().path
        (system.mnt / "file").write_bytes(bytes(BLOCK))
        with open(system.mnt / "file", "r+b", buffering=0) as one, open(second / "file", "r+b", buffering=0) as two:
            for i in range(0, BLOCK, 2):
                os.pwrite(one.fileno(), b"1", i)
                os.pwrite(two.fileno(), b"2", i + 1)
        self.assertEqual((system.mnt / "file").read_bytes(), b"12" * (BLOCK // 2))

    def test_7_a_killed_metaserver_forgets_no_name(self):
        system = self.cluster(dataservers=2)
        for i in range(50):
            (system.mnt / f"a{i}").mkdir()
            os.rename(system.mnt / f"a{i}", system.mnt / f"b{i}")
            if i % 10 == 9:
                system.metaserver.restart()
                self.assertEqual(sorted(os.listdir(system.mnt)), sorted(f"b{j}" for j in range(i + 1)))

    def test_a_server_that_hangs_delays_a_read_by_two_seconds_at_most(self):
        system = self.cluster()
        data = content_of(60 * BLOCK)
        (system.mnt / "file").write_bytes(data)
        hanging = system.dataserver(1)
        hanging.signal(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            self.assertEqual((system.mnt / "file").read_bytes(), data)
            self.assertLess(time.monotonic() - begin, 4, "2 s, and some for a busy machine")
        finally:
            hanging.signal(signal.SIGCONT)
        (system.mnt / "file").write_bytes(data + data)

    def test_8_bad_input_changes_nothing(self):
        system = self.cluster(dataservers=2)
        (system.mnt / "file").write_bytes(content_of(5000))
        bodies = [b"", b"<", b"<methodCall>", b"\0" * 1000, b"<methodCall><methodName>no.such</methodName></methodCall>",
                  b"<?xml version='1.0'?><methodCall><methodName>ns.stat</methodName><params><param><value><i4>99999999999"
                  b"</i4></value></param></params></methodCall>", b"<a>" * 50_000]
        for server in system.servers:
            for body in bodies:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
                connection.request("POST", "/RPC2", body)
                reply = connection.getresponse()
                self.assertTrue(reply.status >= 400 or b"<fault>" in reply.read(), f"{server.name}: {body[:30]}")
                connection.close()
            for request in (b"GARBAGE\r\n\r\n", b"POST /RPC2 HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
                            b"GET / HTTP/1.1\r\nUpgrade: mendfs\r\nConnection: Upgrade\r\n\r\n" + b"\xff" * 4096):
                with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
                    try:
                        raw.sendall(request)
                        raw.shutdown(socket.SHUT_WR)
                        while raw.recv(65536):
                            pass
                    except OSError:
                        pass  # hung up on, which is an answer too
            self.assertTrue(server.alive(), server.name)
        self.assertEqual((system.mnt / "file").read_bytes(), content_of(5000))
        (system.mnt / "file").write_bytes(b"well")


def cluster_mmap(size):
    """A buffer aligned as O_DIRECT wants it."""
    import mmap
    return mmap.mmap(-1, size)


if __name__ == "__main__":
    cluster.main()
