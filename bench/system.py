"""Measures a whole mendfs: starts one metaserver and four dataservers on free ports, mounts, works, stops.

Other directories may be named to be measured in turns with it. Each row is the median of --rounds.
Run by scripts/bench.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

DATASERVERS = 4
READY_WITHIN_S = 20


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Processes and a mount in a directory of their own; gone when the with-block ends, however it ends."""

    def __init__(self, programs, directory):
        self.programs = os.path.abspath(programs)
        self.directory = directory
        self.mount = os.path.join(directory, "mnt")
        self.processes = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def run(self, name, *arguments):
        log = open(os.path.join(self.directory, f"{name}{len(self.processes)}.log"), "wb")
        program = os.path.join(self.programs, name)
        self.processes.append(subprocess.Popen([program, *arguments], cwd=self.directory, stdout=log, stderr=log))

    def start(self):
        os.mkdir(self.mount)
        meta, *data = free_ports(DATASERVERS + 1)
        self.run("metaserver", meta)
        for index in range(DATASERVERS):
            self.run("dataserver", str(index), *data)
        wait_for_answer(meta)
        subprocess.run(
            [os.path.join(self.programs, "fuseclient"), self.mount, meta, *data], cwd=self.directory, check=True)

    def stop(self):
        if os.path.ismount(self.mount):
            subprocess.run(["fusermount3", "-u", "-z", self.mount], check=False)
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait()


def wait_for_answer(port):
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise


def write_large(path, mib):
    block = os.urandom(1 << 20)
    begin = time.perf_counter()
    with open(path, "wb", buffering=0) as file:
        for _ in range(mib):
            file.write(block)
        os.fsync(file.fileno())
    return mib / (time.perf_counter() - begin)


def read_large(path, mib):
    # Opening drops the kernel's pages of a mendfs file; of other filesystems this asks for it.
    with open(path, "rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    begin = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
    return mib / (time.perf_counter() - begin)


def per_second(count, operation):
    begin = time.perf_counter()
    for i in range(count):
        operation(i)
    return count / (time.perf_counter() - begin)


def write_small(path, content):
    with open(path, "wb", buffering=0) as file:
        file.write(content)


def read_small(path):
    with open(path, "rb", buffering=0) as file:
        file.read()


def write_synced(file, i, content):
    os.pwrite(file, content, i * len(content))
    os.fsync(file)


def measure(directory, mib, files):
    """One round: the figures by the names of their rows."""
    base = tempfile.mkdtemp(dir=directory)
    large = os.path.join(base, "large")
    content = os.urandom(4096)

    def small(i):
        return os.path.join(base, f"small{i}")

    rows = {"write, MiB/s": write_large(large, mib), "read, MiB/s": read_large(large, mib)}
    rows["create + write 4 KiB + close, files/s"] = per_second(files, lambda i: write_small(small(i), content))
    rows["stat, files/s"] = per_second(files, lambda i: os.stat(small(i)))
    rows["read 4 KiB files, files/s"] = per_second(files, lambda i: read_small(small(i)))
    file = os.open(large, os.O_RDWR)
    try:
        rows["4 KiB write + fsync, ops/s"] = per_second(min(files, 500), lambda i: write_synced(file, i, content))
    finally:
        os.close(file)
    rows["unlink, files/s"] = per_second(files, lambda i: os.unlink(small(i)))
    shutil.rmtree(base)
    return rows


def print_table(rounds):
    names = list(rounds)
    print(f"{'median of rounds':40}" + "".join(f"{name[-24:]:>26}" for name in names))
    medians = {name: {} for name in names}
    for row in rounds[names[0]][0]:
        for name in names:
            medians[name][row] = statistics.median(one[row] for one in rounds[name])
        print(f"{row:40}" + "".join(f"{medians[name][row]:26,.0f}" for name in names))
    return medians


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directories", nargs="*")
    parser.add_argument("--programs", required=True, help="where metaserver, dataserver and fuseclient are")
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="mendfs-bench-") as directory:
        with Cluster(options.programs, directory) as cluster:
            places = {"mendfs": cluster.mount, **{path: path for path in options.directories}}
            rounds = {name: [] for name in places}
            for number in range(options.rounds):
                for name, path in places.items():
                    print(f"round {number + 1} of {options.rounds}: {name}", file=sys.stderr)
                    rounds[name].append(measure(path, options.mib, options.files))
            medians = print_table(rounds)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"medians": medians, "rounds": rounds}, file, indent=1)


if __name__ == "__main__":
    main()
