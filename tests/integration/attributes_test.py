"""Modes, owners, times, links, special files, extended attributes: as an ordinary filesystem does it."""

import errno
import os
import stat
import time
import unittest

import cluster
from twin import Twin

SECOND = 1_000_000_000


def append(path):
    with open(path, "ab") as file:
        file.write(b"x")


def as_user(uid, action):
    """Runs action in a child process of another user; its errno's name, or "ok"."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        outcome = "ok"
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            action()
        except OSError as error:
            outcome = errno.errorcode[error.errno]
        os.write(writer, outcome.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        outcome = answer.read()
    os.waitpid(child, 0)
    return outcome


class Attributes(Twin):
    def test_modes(self):
        def modes(root):
            os.umask(0o027)
            (root / "file").touch(0o666)
            (root / "directory").mkdir(0o777)
            seen = []
            for mode in (0o000, 0o644, 0o4755, 0o2755, 0o1777, 0o7777):
                os.chmod(root / "file", mode)
                seen.append(oct((root / "file").stat().st_mode))
            return seen
        self.both(modes)
        os.umask(0o022)
        self.assert_same_trees()

    def test_times_to_the_nanosecond(self):
        def times(root):
            path = root / "file"
            path.touch()
            seen = []
            for ns in ((1, 2), (1_234_567_890_123_456_789, 987_654_321), (2**33 * SECOND + 5, 0)):
                os.utime(path, ns=ns)
                status = path.stat()
                seen.append((status.st_atime_ns, status.st_mtime_ns))
            return seen
        self.both(times)

    def test_what_moves_which_time(self):
        def changed(root, action):
            path = root / "file"
            os.utime(path, ns=(SECOND, SECOND))
            before = path.stat()
            action(root, path)
            after = path.stat()
            return after.st_mtime_ns != before.st_mtime_ns, after.st_ctime_ns != before.st_ctime_ns
        actions = {
            "write": lambda root, path: path.write_bytes(b"new"),
            "truncate": lambda root, path: os.truncate(path, 1),
            "chmod": lambda root, path: path.chmod(0o600),
            "link": lambda root, path: os.link(path, root / "second"),
            "rename": lambda root, path: (os.rename(path, root / "moved"), os.rename(root / "moved", path)),
            "read": lambda root, path: path.read_bytes(),
        }
        for root in (self.mnt, self.local):
            (root / "file").write_bytes(b"some content")
        for name, action in actions.items():
            with self.subTest(action=name):
                self.both(lambda root: changed(root, action), name)

    def test_now_is_now(self):
        path = self.mnt / "file"
        path.touch()
        os.utime(path, ns=(0, 0))
        os.utime(path)
        self.assertLess(abs(path.stat().st_mtime - time.time()), 5)
        directory = self.mnt / "directory"
        directory.mkdir()
        before = directory.stat().st_mtime_ns
        (directory / "entry").touch()
        self.assertGreater(directory.stat().st_mtime_ns, before, "a new name moves its directory's mtime")

    def test_links(self):
        def link(root):
            (root / "one").write_bytes(b"shared")
            os.link(root / "one", root / "two")
            (root / "two").write_bytes(b"through the other")
            seen = [(root / "one").read_bytes(), (root / "one").stat().st_nlink,
                    (root / "one").stat().st_ino == (root / "two").stat().st_ino]
            os.unlink(root / "one")
            return seen + [(root / "two").stat().st_nlink, (root / "two").read_bytes()]
        self.both(link)

    def test_special_files(self):
        def special(root):
            os.mkfifo(root / "fifo", 0o640)
            os.mknod(root / "socket", stat.S_IFSOCK | 0o600)
            if os.geteuid() == 0:
                os.mknod(root / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
            os.symlink("loop", root / "loop")
            return sorted(os.listdir(root))
        self.both(special)
        self.both(lambda root: open(root / "loop"))
        self.assert_same_trees()

    def test_extended_attributes(self):
        def xattrs(root):
            path = root / "file"
            path.touch()
            os.setxattr(path, "user.colour", b"blue\0\xff")
            os.setxattr(path, "user.empty", b"")
            os.setxattr(path, "user.colour", b"red", os.XATTR_REPLACE)
            return sorted(os.listxattr(path)), os.getxattr(path, "user.colour"), os.getxattr(path, "user.empty")
        self.both(xattrs)
        self.both(lambda root: os.setxattr(root / "file", "user.colour", b"x", os.XATTR_CREATE))
        self.both(lambda root: os.setxattr(root / "file", "user.none", b"x", os.XATTR_REPLACE))
        self.both(lambda root: os.getxattr(root / "file", "user.none"))
        self.both(lambda root: os.removexattr(root / "file", "user.none"))
        self.both(lambda root: os.removexattr(root / "file", "user.colour"))
        self.both(lambda root: os.listxattr(root / "file"))

    def test_statvfs(self):
        status = os.statvfs(self.mnt)
        self.assertEqual(status.f_namemax, 255)
        self.assertGreater(status.f_blocks, 0)
        self.assertGreaterEqual(status.f_blocks, status.f_bfree)


@unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
class Permissions(Twin):
    def setUp(self):
        super().setUp()
        self.mnt = self.system.mount(options=["allow_other"]).path
        for root in (self.system.directory, self.local):
            root.chmod(0o755)

    def both_as_user(self, action):
        return self.both(lambda root: as_user(65534, lambda: action(root)))

    def test_strangers_are_kept_out(self):
        for root in (self.mnt, self.local):
            (root / "mine").write_bytes(b"mine")
            (root / "mine").chmod(0o600)
            (root / "closed").mkdir(0o700)
            (root / "open").mkdir()
            (root / "open").chmod(0o777)
            (root / "sticky").mkdir()
            (root / "sticky").chmod(0o1777)
            (root / "sticky" / "mine").touch()
        for action in (
            lambda root: open(root / "mine", "rb").close(),
            lambda root: open(root / "mine", "wb").close(),
            lambda root: os.listdir(root / "closed"),
            lambda root: os.unlink(root / "mine"),
            lambda root: os.chmod(root / "mine", 0o777),
            lambda root: os.chown(root / "mine", 65534, 65534),
            lambda root: (root / "open" / "theirs").write_bytes(b"theirs"),
            lambda root: os.unlink(root / "sticky" / "mine"),
            lambda root: os.utime(root / "mine"),
            lambda root: os.truncate(root / "mine", 0),
        ):
            self.both_as_user(action)
        self.assert_same_trees()

    def test_suid_goes_when_a_stranger_writes(self):
        for root in (self.mnt, self.local):
            (root / "program").write_bytes(b"#!")
            (root / "program").chmod(0o6777)
        self.both_as_user(lambda root: append(root / "program"))
        self.both(lambda root: oct((root / "program").stat().st_mode))
        for root in (self.mnt, self.local):
            (root / "program").chmod(0o6777)
        self.both_as_user(lambda root: os.truncate(root / "program", 1))
        self.both(lambda root: oct((root / "program").stat().st_mode))
        for root in (self.mnt, self.local):
            (root / "program").chmod(0o6777)
        self.both(lambda root: os.chown(root / "program", 1, 1))
        self.both(lambda root: oct((root / "program").stat().st_mode))

    def test_setgid_directories_hand_down_their_group(self):
        for root in (self.mnt, self.local):
            (root / "team").mkdir()
            os.chown(root / "team", 0, 1234)
            (root / "team").chmod(0o2777)
        self.both(lambda root: (root / "team" / "below").mkdir())
        self.both(lambda root: (root / "team" / "file").touch())
        self.both_as_user(lambda root: (root / "team" / "theirs").touch())
        self.assert_same_trees()


if __name__ == "__main__":
    cluster.main()
