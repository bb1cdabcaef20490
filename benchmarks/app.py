"""The app under load, and the exported model next to Keras: the same run, the same photos, one machine.

    python benchmarks/app.py [DATA] [--json FILE]

The app runs as a process of its own and is asked 200 times by 20 clients at once. Each checks every answer against the
one that Python gives for its photo, so an answer that is lost or another client's is seen. The server's memory is read
after every 50. Then photos are asked one by one, of Keras and of ONNX Runtime. Run it on a machine that has nothing
else to do.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from gradio_client import Client, handle_file

from skinlib.base.fingerprint import result_versions
from skinlib.base.settings import load_settings
from skinlib.data import reading
from skinlib.data.opening import open_data
from skinlib.learn import preprocessing
from skinlib.learn.prepared import prepare
from skinlib.learn.train import train
from skinlib.serve.export import export

CLIENTS = 20
REQUESTS = 200
ROUND = 50
SINGLE = 30
"""Photos asked one by one."""


def started(folder: Path) -> tuple[subprocess.Popen, str]:
    """Start the app for an exported model; return its process and its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "skinlib", "app", str(folder), "--port", str(port)], stdout=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return server, address
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.2)
    server.kill()
    raise SystemExit("the app did not start")


def resident(pid: int) -> float:
    """Return the memory that a process holds, in MB (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def load(address: str, pid: int, files: list[Path], expected: list[dict]) -> dict:
    """Ask ``REQUESTS`` times, ``CLIENTS`` at once; return what was lost or wrong, the times and the memory."""
    clients = [Client(address, verbose=False) for _ in range(CLIENTS)]
    clients[0].predict(handle_file(files[0]), api_name="/predict")

    def ask(number: int) -> tuple[str, float]:
        which = number % len(files)
        begun = time.perf_counter()
        try:
            answer = clients[number % CLIENTS].predict(handle_file(files[which]), api_name="/predict")
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return "lost", 0.0
        return "right" if answer == expected[which] else "wrong", time.perf_counter() - begun

    told, memory, seconds = [], {0: round(resident(pid))}, 0.0
    with ThreadPoolExecutor(CLIENTS) as pool:
        for begin in range(0, REQUESTS, ROUND):
            begun = time.perf_counter()
            told += pool.map(ask, range(begin, begin + ROUND))
            seconds += time.perf_counter() - begun
            memory[begin + ROUND] = round(resident(pid))
    kinds, times = zip(*told, strict=True)
    return {
        "requests": REQUESTS,
        "clients": CLIENTS,
        "lost": kinds.count("lost"),
        "wrong": kinds.count("wrong"),
        "per_second": round(REQUESTS / seconds, 1),
        "median_seconds": round(statistics.median(times), 2),
        "95_percent_seconds": round(statistics.quantiles(times, n=20)[-1], 2),
        "memory_mb_after": memory,
    }


def median_ms(function, arguments: list) -> float:
    """Return the median time of one call, in milliseconds, after one that does not count."""
    function(arguments[0])
    times = []
    for argument in arguments:
        begun = time.perf_counter()
        function(argument)
        times.append(time.perf_counter() - begun)
    return round(1000 * statistics.median(times), 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", metavar="DATA", nargs="?", default="sample")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    settings = load_settings(data=options.data)
    data = open_data(settings)
    run = train(prepare(data, settings, "grouped"))
    exported = export(run, data, settings)
    # Evenly spread over the conditions; as many as the clients and one more, so that no client keeps to one photo.
    files = [data.path(path) for path in data.photos.path[:: max(1, len(data.photos) // (CLIENTS + 1))]][: CLIENTS + 1]
    expected = [exported.answer(exported.read(file)).as_dict() for file in files]

    server, address = started(exported.folder)
    try:
        under_load = load(address, server.pid, files, expected)
    finally:
        server.terminate()
        server.wait()

    some = [files[number % len(files)] for number in range(SINGLE)]
    decoded = [reading.read(file) for file in some]

    def keras(photo):  # as the original procedure asks
        return run.model.predict(preprocessing.prepare(photo)[None], verbose=0)

    def keras_compiled(photo):  # as the command line asks a run: without a pipeline for each call
        return run.predict([photo])

    ways = {
        "onnx": (exported.answer, decoded),
        "keras_predict": (keras, decoded),
        "keras_predict_on_batch": (keras_compiled, decoded),
        "onnx_with_decoding": (lambda file: exported.answer(exported.read(file)), some),
        "keras_predict_with_decoding": (lambda file: keras(reading.read(file)), some),
    }
    one = {name: median_ms(*way) for name, way in ways.items()}
    result = {
        "data": data.name,
        "load": under_load,
        "one_photo_ms": one,
        "ratio_to_keras_predict": round(one["onnx"] / one["keras_predict"], 2),
        "ratio_to_keras_predict_on_batch": round(one["onnx"] / one["keras_predict_on_batch"], 2),
        "ratio_with_decoding": round(one["onnx_with_decoding"] / one["keras_predict_with_decoding"], 2),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine()},
        "versions": result_versions() | {name: metadata.version(name) for name in ("onnxruntime", "gradio")},
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        main()
