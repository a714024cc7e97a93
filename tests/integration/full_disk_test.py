"""A disk that is really full: one dataserver keeps its store on a small filesystem of its own."""

import errno
import hashlib
import os
import pathlib
import subprocess

import cluster
from cluster import Scenario, eventually

MIB = 1 << 20
# Alone in its mount namespace, so that the small filesystem goes with the process.
ON_SMALL_DISK = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                 'mkdir -p "$1" && mount -t tmpfs -o size="$0" small "$1" && shift && exec "$@"']


def content_of(size):
    return b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(size // 32 + 1))[:size]


class FullDisk(Scenario):
    def full_cluster(self):
        probe = subprocess.run([*ON_SMALL_DISK, "1m", "/tmp", "true"], capture_output=True, text=True)
        if probe.returncode != 0:
            self.skipTest(f"no filesystem can be mounted here: {probe.stderr.strip()}")
        system = self.cluster(start=False)
        server = system.dataserver(1)
        server.command = [*ON_SMALL_DISK, "125m", str(server.store), *server.command]
        system.restart_servers()
        system.mount()
        # Somebody else's, on the same disk.
        ballast = pathlib.Path(f"/proc/{server.pid}/root{server.store}/ballast")
        ballast.write_bytes(bytes(20 * MIB))
        return system, ballast

    def fill(self, path, data):
        """Writes until there is no space; whether somebody said so."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        said = False
        try:
            for offset in range(0, len(data), MIB):
                os.pwrite(fd, data[offset:offset + MIB], offset)
        except OSError as error:
            self.assertEqual(error.errno, errno.ENOSPC)
            said = True
        try:
            os.close(fd)
        except OSError as error:
            self.assertEqual(error.errno, errno.ENOSPC)
            said = True
        return said

    def test_a_file_ends_where_the_space_ended_and_can_be_gone_on_with(self):
        system, ballast = self.full_cluster()
        data = content_of(100 * MIB)
        path = system.mnt / "file"
        self.assertTrue(self.fill(path, data), "somebody is told of the full disk")
        size = path.stat().st_size
        self.assertGreater(size, 10 * MIB)
        self.assertLess(size, len(data))
        self.assertEqual(path.read_bytes(), data[:size], "all of it is as it was written")
        other = system.mount().path / "file"
        self.assertEqual(other.stat().st_size, size, "both mounts have one size")
        self.assertEqual(other.read_bytes(), data[:size])

        ballast.unlink()
        more = size + 2 * MIB

        def go_on():
            have = path.stat().st_size
            if have < more:
                self.fill_from(path, data, have, min(have + MIB, more))
            return path.stat().st_size == more
        eventually(go_on, "there is space again")
        self.assertEqual(other.read_bytes(), data[:more], "nothing is missing where it was gone on with")

    def fill_from(self, path, data, begin, end):
        with open(path, "r+b", buffering=0) as file:
            file.seek(begin)
            file.write(data[begin:end])


if __name__ == "__main__":
    cluster.main()
