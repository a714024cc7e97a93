"""The same operation in the mount and in a directory of an ordinary filesystem; both must answer alike, errno included."""

import ctypes
import errno
import os
import pathlib
import stat
import tempfile

from cluster import Scenario

_libc = ctypes.CDLL(None, use_errno=True)
RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
FALLOC_KEEP_SIZE = 1
FALLOC_PUNCH_HOLE = 2
FALLOC_ZERO_RANGE = 16


def _check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def renameat2(source, target, flags):
    AT_FDCWD = -100
    _check(_libc.renameat2(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), flags))


def fallocate(fd, mode, offset, length):
    _check(_libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)))


class Twin(Scenario):
    def setUp(self):
        self.system = self.cluster()
        temporary = tempfile.TemporaryDirectory(prefix="mendfs-twin-")
        self.addCleanup(temporary.cleanup)
        self.local = pathlib.Path(temporary.name)
        self.mnt = self.system.mnt

    def both(self, action, what=""):
        """action(root) in both; what it returns, or the errno it fails with, must be equal. Returns it."""
        expected = _outcome(action, self.local)
        actual = _outcome(action, self.mnt)
        self.assertEqual(actual, expected, what)
        return expected

    def assert_same_trees(self, what=""):
        self.assertEqual(tree(self.mnt), tree(self.local), what)


def _outcome(action, root):
    try:
        return "returned", action(root)
    except OSError as error:
        return "failed", errno.errorcode.get(error.errno, error.errno)


def tree(root):
    """All that a user can see below a directory, but for what must differ (inode numbers, times not set)."""
    seen = {}
    root = os.fsencode(root)
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            entry = {"mode": oct(status.st_mode), "uid": status.st_uid, "gid": status.st_gid}
            if stat.S_ISREG(status.st_mode):
                entry.update(size=status.st_size, links=status.st_nlink)
                with open(path, "rb") as file:
                    entry["content"] = file.read()
            elif stat.S_ISLNK(status.st_mode):
                entry["target"] = os.readlink(path)
            elif not stat.S_ISDIR(status.st_mode):
                entry["rdev"] = status.st_rdev
            seen[os.path.relpath(path, root)] = entry
    return seen
