"""The eleven design parameters of the original system, one test each."""

import hashlib
import os

import cluster
from cluster import Scenario, eventually

BLOCK = 512


def blocks_on(server, inode):
    """What a dataserver itself lists of a file: block -> (copy, digest)."""
    listed = server.rpc.block.list(str(inode))
    return {int(entry["block"]): (entry["copy"], entry["digest"]) for entry in listed if entry["state"] == "data"}


def content_of(size, seed=0):
    return b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(size // 32 + 1))[:size]


class DesignParameters(Scenario):
    def test_01_metadata_and_data_are_on_different_servers(self):
        system = self.cluster()
        name, data = b"a-name-like-no-other", b"a-content-like-no-other" * 100
        (system.mnt / os.fsdecode(name)).write_bytes(data)
        system.mounts[0].unmount()
        for server in system.servers:
            server.terminate()

        def contains(store, needle):
            return any(needle in path.read_bytes() for path in store.rglob("*") if path.is_file())
        self.assertTrue(contains(system.metaserver.store, name))
        self.assertFalse(contains(system.metaserver.store, data[:23]), "no file data on the metaserver")
        for server in system.dataservers:
            self.assertFalse(contains(server.store, name), "no name on a dataserver")
        self.assertTrue(any(contains(server.store, data[:23]) for server in system.dataservers))

    def test_02_there_is_one_metaserver(self):
        system = self.cluster(dataservers=2)
        other = cluster.Cluster(dataservers=2, start=False)
        self.addCleanup(other.close)
        other.metaserver.start()
        command = [cluster.BIN / "fuseclient", other.directory, other.metaserver.port,
                   *(server.port for server in system.dataservers), "-o", "nonempty",
                   "--log-file", other.directory / "fuseclient.log"]
        _, sentence = self.refusal(command)
        self.assertRegex(sentence, "belong|another|cluster", "dataservers of one metaserver refuse a second one")
        (system.mnt / "file").write_bytes(b"still works")

    def test_03_at_least_two_dataservers(self):
        system = self.cluster(dataservers=2, start=False)
        _, sentence = self.refusal([cluster.BIN / "dataserver", 0, system.dataserver(0).port, "--dir",
                                    system.directory / "alone"])
        self.assertRegex(sentence, "two|2")
        system.metaserver.start()
        mountpoint = system.directory / "mnt"
        mountpoint.mkdir()
        _, sentence = self.refusal([cluster.BIN / "fuseclient", mountpoint, system.metaserver.port,
                                    system.dataserver(0).port, "--log-file", system.directory / "fuseclient.log"])
        self.assertRegex(sentence, "two|2")

    def test_04_round_robin_of_512_byte_blocks_with_the_second_copy_on_the_next_server(self):
        for count in (2, 3, 5):
            with self.subTest(dataservers=count):
                system = self.cluster(dataservers=count)
                data = content_of(23 * BLOCK + 100)
                (system.mnt / "striped").write_bytes(data)
                located = system.locate("/striped")
                path_hash = hashlib.sha256(b"/striped").digest()[:8]
                self.assertEqual(located["start"], int.from_bytes(path_hash, "little") % count)

                expected = [{} for _ in range(count)]
                for block in range(24):
                    piece = data[block * BLOCK:(block + 1) * BLOCK].ljust(BLOCK, b"\0")
                    for copy in range(2):
                        slot = (located["start"] + block + copy) % count
                        expected[slot][block] = (copy, hashlib.sha256(piece).hexdigest())
                for slot, server in enumerate(system.dataservers):
                    self.assertEqual(blocks_on(server, located["inode"]), expected[slot], f"slot {slot} of {count}")

    def test_05_blocks_are_persistent(self):
        system = self.cluster()
        (system.mnt / "kept").write_bytes(content_of(20 * BLOCK))
        inode = system.locate("/kept")["inode"]
        before = [blocks_on(server, inode) for server in system.dataservers]
        for server in system.dataservers:
            server.restart()
        self.assertEqual([blocks_on(server, inode) for server in system.dataservers], before)

    def test_06_restart_resumes_from_disk(self):
        system = self.cluster()
        for i in range(20):
            (system.mnt / f"file{i}").write_bytes(content_of(i * 777, i))
        system.kill_all()
        system.restart_servers()
        mnt = system.mount().path
        self.assertEqual(sorted(os.listdir(mnt)), sorted(f"file{i}" for i in range(20)))
        for i in range(20):
            self.assertEqual((mnt / f"file{i}").read_bytes(), content_of(i * 777, i))
        (mnt / "new").write_bytes(b"writes go on")

    def test_07_a_wiped_disk_is_rebuilt_from_the_neighbours_and_stores_again(self):
        system = self.cluster()
        (system.mnt / "file").write_bytes(content_of(300 * BLOCK))
        inode = system.locate("/file")["inode"]
        victim = system.dataserver(1)
        before = blocks_on(victim, inode)
        victim.kill()
        victim.wipe()
        victim.start()
        eventually(lambda: system.status()["slots"][1]["state"] == "up" and blocks_on(victim, inode) == before,
                   "the emptied server has its blocks again")
        self.assertEqual((system.mnt / "file").read_bytes(), content_of(300 * BLOCK))
        (system.mnt / "after").write_bytes(content_of(30 * BLOCK, 1))
        self.assertEqual((system.mnt / "after").read_bytes(), content_of(30 * BLOCK, 1))
        self.assertTrue(blocks_on(victim, system.locate("/after")["inode"]), "it stores again")

    def test_08_checksums_are_stored_with_the_blocks(self):
        system = self.cluster(dataservers=2)
        data = content_of(10 * BLOCK)
        (system.mnt / "file").write_bytes(data)
        inode = system.locate("/file")["inode"]
        for server in system.dataservers:
            for block, (_, digest) in blocks_on(server, inode).items():
                self.assertEqual(digest, hashlib.sha256(data[block * BLOCK:(block + 1) * BLOCK]).hexdigest())
        damaged = system.corrupt(0, "/file")["block"]
        verified = system.dataserver(0).rpc.block.verify(str(inode))
        self.assertEqual([int(block) for block in verified["bad"]], [damaged])

    def test_09_a_read_checks_both_copies_and_writes_back_to_the_corrupted_server(self):
        system = self.cluster()
        data = content_of(40 * BLOCK)
        path = system.mnt / "file"
        path.write_bytes(data)
        inode = system.locate("/file")["inode"]
        for copy in (0, 1):
            for mode in ("flip", "zero", "truncate", "delete", "stale"):
                with self.subTest(copy=copy, mode=mode):
                    holder = (system.locate("/file")["start"] + 7 + copy) % 3
                    server = system.dataserver(holder)
                    before = blocks_on(server, inode)
                    told = system.corrupt(holder, "/file", "--block", 7, "--copy", copy, "--mode", mode)
                    self.assertEqual((told["block"], told["copy"]), (7, copy))
                    self.assertEqual(path.read_bytes(), data, "the read is right")
                    eventually(lambda: blocks_on(server, inode) == before, "and mends the copy", deadline=5)

    def test_10_writes_block_while_a_server_is_down_and_succeed_when_it_is_back(self):
        system = self.cluster()
        (system.mnt / "file").write_bytes(content_of(12 * BLOCK))
        system.dataserver(1).kill()
        # The first writes may be taken before the loss is noticed; soon write(2) itself waits.
        new = content_of(12 * BLOCK, 2)
        writer = self.user(system, f"""
file = open({str(system.mnt / "file")!r}, "r+b", buffering=0)
for i in range(200):
    os.pwrite(file.fileno(), {new!r}, 0)
    say(str(i))
os.fsync(file.fileno())
say("synced")
file.close()
say("closed")
""")
        self.assertTrue(writer.stands_still(), "write(2) waits")
        self.assertLess(len(writer.said()), 200)
        self.assertEqual((system.mnt / "file").stat().st_size, 12 * BLOCK, "names go on")
        system.dataserver(1).start()
        self.assertEqual(writer.wait(), 0, "and succeeds when the server is back")
        self.assertEqual(writer.said()[-2:], ["synced", "closed"])
        self.assertEqual((system.mnt / "file").read_bytes(), new)

    def test_11_reads_succeed_with_a_single_good_copy(self):
        system = self.cluster()
        data = content_of(100 * BLOCK)
        (system.mnt / "file").write_bytes(data)
        for index in range(3):
            with self.subTest(down=index):
                system.dataserver(index).kill()
                self.assertEqual((system.mnt / "file").read_bytes(), data)
                system.dataserver(index).start()
                eventually(lambda: all(slot["state"] == "up" for slot in system.status()["slots"]), "all are up")


if __name__ == "__main__":
    cluster.main()
