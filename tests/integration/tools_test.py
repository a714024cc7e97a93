"""What people do with a filesystem: git, SQLite, tar, cp."""

import pathlib
import sqlite3
import subprocess
import tempfile

import cluster
from cluster import Scenario, eventually


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=200, **options)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Tools(Scenario):
    def setUp(self):
        self.system = self.cluster()
        self.mnt = self.system.mnt
        temporary = tempfile.TemporaryDirectory(prefix="mendfs-tools-")
        self.addCleanup(temporary.cleanup)
        self.local = pathlib.Path(temporary.name)

    def test_git(self):
        source = self.local / "source"
        git = ["git", "-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "gc.auto=0"]
        run(*git, "init", source)
        for i in range(15):
            (source / f"file{i}").write_text(f"line {i}\n" * 500)
            run(*git, "-C", source, "add", ".")
            run(*git, "-C", source, "commit", "-m", f"change {i}")
        clone = self.mnt / "clone"
        run("git", "clone", "--no-local", source, clone)
        (clone / "file3").write_text("changed\n")
        self.assertIn("M file3", run("git", "-C", clone, "status", "--short"))
        run(*git, "-C", clone, "commit", "-a", "-m", "in the mount")
        run("git", "-C", clone, "gc", "--quiet")
        run("git", "-C", clone, "fsck", "--full", "--strict")
        self.assertEqual(len(run("git", "-C", clone, "log", "--oneline").splitlines()), 16)

    def test_tar_cp_and_diff(self):
        tree = self.local / "tree"
        for i in range(10):
            (tree / f"directory{i}").mkdir(parents=True)
            for j in range(40):
                (tree / f"directory{i}" / f"file{j}").write_bytes(bytes([i, j]) * (i * 97 + j * 31))
            (tree / f"directory{i}" / "link").symlink_to("file0")
        run("tar", "-C", self.local, "-cf", self.local / "tree.tar", "tree")
        run("tar", "-C", self.mnt, "-xf", self.local / "tree.tar")
        run("diff", "-r", "--no-dereference", tree, self.mnt / "tree")
        run("cp", "-a", self.mnt / "tree", self.mnt / "copy")
        run("diff", "-r", "--no-dereference", tree, self.mnt / "copy")
        run("rm", "-r", self.mnt / "tree")
        self.assertEqual([path.name for path in self.mnt.iterdir()], ["copy"])

    def test_sqlite_survives_a_dataserver_killed_in_a_transaction(self):
        for journal in ("wal", "delete"):
            with self.subTest(journal=journal):
                path = self.mnt / f"{journal}.db"
                user = self.user(self.system, f"""
import sqlite3
database = sqlite3.connect({str(path)!r}, timeout=30)
database.execute("pragma journal_mode={journal}")
database.execute("create table t (i integer primary key, text)")
for round_number in range(3):
    with database:
        for i in range(300):
            database.execute("insert into t (text) values (?)", (f"row {{round_number}} {{i}} " * 5,))
            if i == 150:
                say("half")
                sys.stdin.readline()
database.close()
""")
                for round_number in range(3):
                    eventually(lambda: len(user.said()) == round_number + 1, "half of a transaction is done")
                    self.system.dataserver(round_number).kill()
                    user.tell("go on")
                    self.system.dataserver(round_number).start()
                self.assertEqual(user.wait(60), 0)
                database = sqlite3.connect(path)
                self.assertEqual(database.execute("pragma integrity_check").fetchone(), ("ok",))
                self.assertEqual(database.execute("select count(*) from t").fetchone(), (900,))
                database.close()

    def test_cp_while_servers_are_killed_and_restarted_in_turn(self):
        tree = self.local / "tree"
        tree.mkdir()
        for i in range(150):
            (tree / f"file{i}").write_bytes(bytes([i]) * (i * 1777))
        copying = subprocess.Popen(["cp", "-a", tree, self.mnt / "tree"])
        self.addCleanup(copying.kill)
        for server in self.system.servers:
            server.restart()
        self.assertEqual(copying.wait(120), 0)
        eventually(lambda: all(slot["state"] == "up" for slot in self.system.status()["slots"]), "all are up")
        run("diff", "-r", tree, self.mnt / "tree")


if __name__ == "__main__":
    cluster.main()
