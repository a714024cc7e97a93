"""File names are arbitrary bytes, up to 255 of them; directories may be large and change while they are read."""

import os

import cluster
from twin import Twin

STRANGE = [
    b"with space", b" leading", b"trailing ", b"new\nline", b"tab\tbed", b"quote'\"s", b"back\\slash", b"-rf", b"*?[a]",
    b"\xff\xfe\x80", b"\xc3\x28", "grün €".encode(), b"...", b".hidden", b"a" * 255, "ü".encode() * 127, b"\x01\x7f",
    b"<&>]]>", b"%s%n",
]


class Names(Twin):
    def path(self, root, name):
        return os.path.join(os.fsencode(root), name)

    def test_strange_names(self):
        for name in STRANGE:
            with self.subTest(name=name):
                def make(root):
                    with open(self.path(root, name), "xb") as file:
                        file.write(name)
                    os.symlink(name, self.path(root, b"link"))
                    target = os.readlink(self.path(root, b"link"))
                    os.unlink(self.path(root, b"link"))
                    return target
                self.both(make)
        self.both(lambda root: sorted(os.listdir(os.fsencode(root))))
        self.assert_same_trees()

    def test_names_too_long(self):
        for size in (255, 256, 1000):
            self.both(lambda root: os.mkdir(self.path(root, b"x" * size)), f"{size} bytes")
            self.both(lambda root: os.stat(self.path(root, b"y" * size)), f"{size} bytes, missing")
        self.both(lambda root: os.symlink(b"t" * 4095, self.path(root, b"long")))
        self.both(lambda root: os.readlink(self.path(root, b"long")))
        self.both(lambda root: os.symlink(b"t" * 4096, self.path(root, b"longer")))
        self.both(lambda root: os.symlink(b"", self.path(root, b"empty")))

    def test_deep_directories(self):
        def go_down(root):
            here = os.open(root, os.O_RDONLY)
            for _ in range(60):
                os.mkdir(b"d" * 100, dir_fd=here)
                below = os.open(b"d" * 100, os.O_RDONLY, dir_fd=here)
                os.close(here)
                here = below
            with os.fdopen(os.open(b"bottom", os.O_WRONLY | os.O_CREAT, dir_fd=here), "wb") as file:
                file.write(b"deep")
            names = os.listdir(here)
            os.close(here)
            return names
        self.both(go_down, "6,000 bytes of path, one step at a time")

    def test_a_large_directory(self):
        count = 3000
        directory = self.mnt / "large"
        directory.mkdir()
        for i in range(count):
            os.mknod(directory / f"file{i}")
        self.assertEqual(sorted(os.listdir(directory)), sorted(f"file{i}" for i in range(count)))
        with os.scandir(directory) as entries:
            self.assertTrue(all(entry.is_file(follow_symlinks=False) for entry in entries))

        removed = 0
        with os.scandir(directory) as entries:
            for entry in entries:
                os.unlink(entry.path)
                removed += 1
        self.assertEqual(removed, count, "removing while reading meets each name once")
        os.rmdir(directory)

    def test_directories_refuse_as_they_should(self):
        for root in (self.mnt, self.local):
            (root / "full").mkdir()
            (root / "full" / "file").touch()
            (root / "file").touch()
        for action in (
            lambda root: os.rmdir(root / "full"),
            lambda root: os.rmdir(root / "file"),
            lambda root: os.unlink(root / "full"),
            lambda root: os.mkdir(root / "full"),
            lambda root: os.rmdir(root / "missing"),
            lambda root: os.unlink(root / "missing"),
            lambda root: os.mkdir(root / "file" / "below"),
            lambda root: os.listdir(root / "file"),
            lambda root: open(root / "full", "wb").close(),
            lambda root: os.link(root / "full", root / "second"),
            lambda root: os.link(root / "file", root / "full"),
            lambda root: os.open(root / "file", os.O_CREAT | os.O_EXCL),
            lambda root: os.open(root / "file", os.O_DIRECTORY),
            lambda root: os.stat(root / "full" / "." / ".." / "file").st_size,
        ):
            self.both(action)
        self.assert_same_trees()


if __name__ == "__main__":
    cluster.main()
