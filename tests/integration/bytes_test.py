"""The bytes of files: a long run of random operations, each compared with an ordinary filesystem; and the corners that
random operations rarely meet."""

import mmap
import os
import random

import cluster
from twin import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, Twin, fallocate

SIZE_MAX = 200_000


class RandomOperations:
    """As fsx does it: an offset and a size at random, often at the borders of blocks and pages."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def offset(self):
        offset = self.random.randrange(SIZE_MAX)
        if self.random.random() < 0.4:
            offset -= offset % self.random.choice([512, 1024, 2560, 4096])
        return offset

    def size(self):
        return self.random.choice([1, 3, 511, 512, 513, 4096, self.random.randrange(1, 50_000)])

    def next(self):
        offset, size = self.offset(), self.size()
        data = self.random.randbytes(size)
        name = self.random.choice(["write", "write", "write", "read", "read", "append", "truncate", "punch", "zero",
                                   "allocate", "map", "reopen", "fsync"])
        return name, offset, size, data


def perform(fd, path, operation):
    """Does it through fd; returns what the user sees and the fd to go on with."""
    name, offset, size, data = operation
    if name == "write":
        return os.pwrite(fd, data, offset), fd
    if name == "read":
        return os.pread(fd, size, offset), fd
    if name == "append":
        with open(path, "ab") as file:
            return file.write(data), fd
    if name == "truncate":
        return os.ftruncate(fd, offset), fd
    if name == "punch":
        return fallocate(fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, offset, size), fd
    if name == "zero":
        return fallocate(fd, FALLOC_ZERO_RANGE, offset, size), fd
    if name == "allocate":
        return fallocate(fd, 0, offset, size), fd
    if name == "map":
        length = os.fstat(fd).st_size
        if length > 0:
            with mmap.mmap(fd, length) as mapped:
                end = min(offset % length + size, length)
                mapped[offset % length:end] = data[:end - offset % length]
                mapped.flush()
        return length, fd
    if name == "reopen":
        os.close(fd)
        return "reopened", os.open(path, os.O_RDWR)
    return os.fsync(fd), fd


class Bytes(Twin):
    def test_random_operations(self):
        for seed in (1, 2, 3):
            with self.subTest(seed=seed):
                operations = RandomOperations(seed)
                paths = [root / f"random{seed}" for root in (self.local, self.mnt)]
                fds = [os.open(path, os.O_RDWR | os.O_CREAT, 0o644) for path in paths]
                for step in range(250):
                    operation = operations.next()
                    what = f"seed {seed}, step {step}: {operation[:3]}"
                    seen = []
                    for i in range(2):
                        answer, fds[i] = perform(fds[i], paths[i], operation)
                        seen.append((answer, os.fstat(fds[i]).st_size))
                    self.assertEqual(seen[1], seen[0], what)
                    if step % 10 == 9:
                        self.assertEqual(paths[1].read_bytes(), paths[0].read_bytes(), what)
                for fd in fds:
                    os.close(fd)
                self.assertEqual(paths[1].read_bytes(), paths[0].read_bytes(), f"seed {seed}, after close")

    def test_a_sparse_file_reads_as_zeros_between(self):
        def sparse(root):
            with open(root / "sparse", "w+b") as file:
                file.write(b"begin")
                file.seek(5_000_000)
                file.write(b"end")
                file.seek(4_999_990)
                return file.read(), os.fstat(file.fileno()).st_size
        self.both(sparse)
        self.assert_same_trees()

    def test_what_was_cut_off_never_comes_back(self):
        def cut(root):
            path = root / "cut"
            path.write_bytes(b"secret" * 1000)
            os.truncate(path, 700)
            os.truncate(path, 6000)
            with open(path, "r+b") as file:
                file.seek(5990)
                file.write(b"0123456789")
            return path.read_bytes()
        self.both(cut)

    def test_append_goes_to_the_end_wherever_the_offset_is(self):
        def append(root):
            fds = [os.open(root / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND) for _ in range(2)]
            for i in range(50):
                os.write(fds[i % 2], b"%d," % i * 30)
                os.lseek(fds[i % 2], 0, os.SEEK_SET)
            for fd in fds:
                os.close(fd)
            return (root / "log").read_bytes()
        self.both(append)

    def test_an_unlinked_file_lives_until_it_is_closed(self):
        def unlinked(root):
            with open(root / "gone", "w+b") as file:
                file.write(b"x" * 10_000)
                file.flush()
                os.unlink(root / "gone")
                file.write(b"y" * 10_000)
                file.seek(0)
                content = file.read()
                os.ftruncate(file.fileno(), 5000)
                return content, os.fstat(file.fileno()).st_nlink, os.fstat(file.fileno()).st_size, os.listdir(root)
        self.both(unlinked)

    def test_a_shared_mapping_is_seen_by_read_and_after_reopening(self):
        def share(root):
            path = root / "mapped"
            path.write_bytes(bytes(20_000))
            fd = os.open(path, os.O_RDWR)
            with mmap.mmap(fd, 20_000) as mapped:
                mapped[5:10] = b"hello"
                mapped[19_990:] = b"0123456789"
                seen_by_read = os.pread(fd, 5, 5)
                os.pwrite(fd, b"world", 10_000)
                seen_by_mapping = mapped[10_000:10_005]
            os.close(fd)
            return seen_by_read, seen_by_mapping, path.read_bytes()
        self.both(share)

    def test_a_private_mapping_changes_nothing(self):
        def keep_private(root):
            path = root / "private"
            path.write_bytes(b"a" * 9000)
            with open(path, "rb") as file, mmap.mmap(file.fileno(), 9000, mmap.MAP_PRIVATE,
                                                     mmap.PROT_READ | mmap.PROT_WRITE) as mapped:
                mapped[100:200] = b"b" * 100
                return mapped[99:201], path.read_bytes()
        self.both(keep_private)

    def test_direct_io(self):
        def direct(root):
            data = mmap.mmap(-1, 8192)
            data.write(b"d" * 8192)
            fd = os.open(root / "direct", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
            written = os.write(fd, data)
            read = os.preadv(fd, [data], 4096)
            os.close(fd)
            return written, read, (root / "direct").read_bytes()
        self.assertEqual(direct(self.mnt), (8192, 4096, b"d" * 8192))

    def test_refusals(self):
        (self.mnt / "file").write_bytes(b"x")
        (self.local / "file").write_bytes(b"x")

        def with_fd(flags, action):
            def run(root):
                fd = os.open(root / "file", flags)
                try:
                    return action(fd)
                finally:
                    os.close(fd)
            return run
        self.both(with_fd(os.O_RDONLY, lambda fd: os.write(fd, b"no")))
        self.both(with_fd(os.O_WRONLY, lambda fd: os.read(fd, 1)))
        self.both(with_fd(os.O_RDONLY, lambda fd: os.ftruncate(fd, 0)))
        self.both(with_fd(os.O_RDWR, lambda fd: os.pread(fd, 10, 10**15)))
        self.both(lambda root: os.truncate(root / "file", -1))
        self.both(lambda root: os.truncate(root, 0))

    def test_a_large_file_end_to_end(self):
        block = random.Random(7).randbytes(1 << 20)
        with open(self.mnt / "large", "wb") as file:
            for i in range(32):
                file.write(block[i:] + block[:i])
        with open(self.mnt / "large", "rb") as file:
            for i in range(32):
                self.assertTrue(file.read(1 << 20) == block[i:] + block[:i], f"MiB {i}")
            self.assertEqual(file.read(1), b"")


if __name__ == "__main__":
    cluster.main()
