"""rename(2) and renameat2(2): every kind of source onto every kind of target, as an ordinary filesystem does it."""

import itertools
import os
import shutil

import cluster
from twin import RENAME_EXCHANGE, RENAME_NOREPLACE, Twin, renameat2

KINDS = ["missing", "file", "empty directory", "full directory", "symlink", "fifo"]


def make(path, kind):
    if kind == "file":
        path.write_bytes(str(path.name).encode() * 700)
    elif kind in ("empty directory", "full directory"):
        path.mkdir()
        if kind == "full directory":
            (path / "inside").write_bytes(b"kept")
    elif kind == "symlink":
        path.symlink_to("nowhere")
    elif kind == "fifo":
        os.mkfifo(path)


class Rename(Twin):
    def clear(self):
        for root in (self.mnt, self.local):
            for path in root.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def test_every_kind_onto_every_kind(self):
        for source, target, flags in itertools.product(KINDS, KINDS, (0, RENAME_NOREPLACE, RENAME_EXCHANGE)):
            with self.subTest(source=source, target=target, flags=flags):
                for root in (self.mnt, self.local):
                    make(root / "source", source)
                    make(root / "target", target)
                self.both(lambda root: renameat2(root / "source", root / "target", flags))
                self.assert_same_trees()
                self.clear()

    def test_between_directories(self):
        for root in (self.mnt, self.local):
            (root / "a" / "b").mkdir(parents=True)
            (root / "c").mkdir()
            (root / "a" / "b" / "file").write_bytes(b"moved")
        self.both(lambda root: os.rename(root / "a" / "b", root / "c" / "b"))
        self.both(lambda root: (root / "c" / "b" / "file").read_bytes())
        self.both(lambda root: os.listdir(root / "c" / "b" / ".."), "the parent of a moved directory is the new one")
        self.assert_same_trees()

    def test_a_directory_does_not_move_into_itself(self):
        for root in (self.mnt, self.local):
            (root / "a" / "b").mkdir(parents=True)
        self.both(lambda root: os.rename(root / "a", root / "a" / "b" / "c"))
        self.both(lambda root: os.rename(root / "a", root / "a" / "c"))
        self.both(lambda root: os.rename(root / "a" / "b", root / "a"))
        self.both(lambda root: os.rename(root / "a", root / "a"))
        self.assert_same_trees()

    def test_two_names_of_one_file(self):
        for root in (self.mnt, self.local):
            (root / "one").write_bytes(b"x" * 5000)
            os.link(root / "one", root / "two")
        self.both(lambda root: os.rename(root / "one", root / "two"), "does nothing, says POSIX")
        self.assert_same_trees()

    def test_an_open_file_survives_being_replaced(self):
        for root in (self.mnt, self.local):
            (root / "old").write_bytes(b"old" * 1000)
            (root / "new").write_bytes(b"new" * 1000)

        def replace_while_open(root):
            with open(root / "old", "rb") as file:
                os.rename(root / "new", root / "old")
                return file.read(), os.fstat(file.fileno()).st_nlink, (root / "old").read_bytes()
        self.both(replace_while_open)

    def test_a_renamed_file_keeps_its_data_where_it_is(self):
        data = os.urandom(20000)
        (self.mnt / "before").write_bytes(data)
        inode = (self.mnt / "before").stat().st_ino
        (self.mnt / "elsewhere").mkdir()
        os.rename(self.mnt / "before", self.mnt / "elsewhere" / "after")
        self.assertEqual((self.mnt / "elsewhere" / "after").stat().st_ino, inode)
        self.assertEqual((self.mnt / "elsewhere" / "after").read_bytes(), data)


if __name__ == "__main__":
    cluster.main()
