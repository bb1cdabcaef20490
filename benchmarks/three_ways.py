"""The same photos asked in three ways: from Python, through the app, and on the page in a browser.

    python benchmarks/three_ways.py DATA [--model FOLDER] [--photos N] [--json FILE]

Python reads the file and runs the model; the app is started as a process of its own and asked over HTTP with Gradio's
client; the page is built as it is published, served on this machine and opened in a headless Chromium, where each photo
goes through the file chooser. Printed is what each says, in whole percent, and how far their probabilities differ.
Exit code 1 where what is shown differs. Without ``--model`` the plain recipe is trained on the clean split and exported
first, which takes a minute or two.
"""

import argparse
import contextlib
import functools
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass(frozen=True)
class Reply:
    """What one way says to one file: an answer or an error. Both are None where it was lost."""

    answer: dict | None = None
    """As :meth:`skinlib.serve.exported.Answer.as_dict` gives it."""
    error: str | None = None
    """The line that tells why there is no answer."""
    lost: str = ""
    """What happened instead of either: it took too long, or died."""
    seconds: float = 0.0

    @property
    def word(self) -> str:
        """What happened, in a word: answered, refused or lost."""
        return "answered" if self.answer else "lost" if self.lost else "refused"


class Way:
    """One way to ask a model. It is a context manager: ``with App(model) as app: app.ask(path)``."""

    def __enter__(self):
        """Start it."""
        return self

    def __exit__(self, *_):
        """End it, with all its processes."""

    def ask(self, path: str, *how: str) -> Reply:
        """Ask about one file. Never raises for what the file holds."""
        started = time.perf_counter()
        reply = self._ask(str(path), *how)
        return Reply(**{**vars(reply), "seconds": time.perf_counter() - started})

    def peak_megabytes(self) -> int:
        """Return the most memory that its largest process held, in MB."""
        return max((_peak(pid) for pid in self.processes()), default=0)

    def processes(self) -> list[int]:
        """Return the ids of the processes that do its work."""
        return [self.process.pid]


def _peak(pid: int) -> int:
    """Return the most memory that a process held, in MB, where the system tells; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 // 10**6 for line in lines if line.startswith("VmHWM")), 0)


class Python(Way):
    """``ExportedModel.read`` and ``.answer`` in a process of its own, with a limit on its memory, in bytes."""

    def __init__(self, model: Path, limit: float = 30, memory: int = 6 << 30, cwd: Path = ROOT):
        self.command = [sys.executable, __file__, "--worker", str(model), str(memory)]
        self.limit, self.cwd = limit, cwd

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._start()
        return self

    def _start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, cwd=self.cwd,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.log.close()

    def read(self, path: str) -> Reply:
        """Only read a file. Its answer is {"shape": [height, width, 3]}."""
        return self.ask(path, "read")

    def _ask(self, path, what="answer"):
        timer = threading.Timer(self.limit, self.process.kill)
        timer.start()
        try:
            print(json.dumps([what, path]), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if line:
            return Reply(**json.loads(line))
        code = self.process.wait()
        self._start()
        return Reply(lost=f"ended with {code}, or took longer than {self.limit} s")

    def told(self) -> str:
        """Return what came on standard error."""
        self.log.seek(0)
        return self.log.read()


def _work(model: str, memory: str) -> None:
    """Read or answer for the paths that come in, one a line."""
    from skinlib.data.reading import PhotoError
    from skinlib.serve.exported import ExportedModel

    with contextlib.suppress(ImportError):  # Windows has no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    exported = ExportedModel(model)
    for line in sys.stdin:
        try:
            what, path = json.loads(line)
            photo = exported.read(path)
            answer = {"shape": photo.shape} if what == "read" else exported.answer(photo).as_dict()
            reply = {"answer": answer}
        except PhotoError as error:
            reply = {"error": str(error)}
        except BaseException as error:  # what must not happen is to be told, whatever it is
            reply = {"lost": repr(error)}
        print(json.dumps(reply), flush=True)


class App(Way):
    """``python -m skinlib app``, asked with Gradio's client; ``uploads`` is where it keeps a file while it needs it."""

    def __init__(self, model: Path, limit: float = 30):
        self.model, self.limit = model, limit

    def __enter__(self):
        import gradio_client

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.folder = tempfile.TemporaryDirectory()
        self.uploads = Path(self.folder.name) / "uploads"
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "skinlib", "app", str(self.model), "--port", str(port)],
            cwd=ROOT, stdout=self.log, stderr=subprocess.STDOUT,
            env=os.environ | {"GRADIO_TEMP_DIR": str(self.uploads)},
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{port}"
        try:
            self._wait(port)
            self.client = gradio_client.Client(self.url, verbose=False, analytics_enabled=False)
        except BaseException:
            self._end()  # nobody calls __exit__ of what was never entered
            raise
        return self

    def _wait(self, port):
        for _ in range(600):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if self.process.poll() is not None:
                raise RuntimeError(f"the app did not start: {self.told()}")
            time.sleep(0.1)

    def __exit__(self, *_):
        self.client.close()
        self._end()

    def _end(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
        self.folder.cleanup()

    def _ask(self, path):
        import concurrent.futures

        import gradio_client

        try:
            job = self.client.submit(gradio_client.handle_file(path), api_name="/predict")
            return Reply(answer=job.result(self.limit))
        except concurrent.futures.TimeoutError:
            return Reply(lost=f"took longer than {self.limit} s")
        except Exception as error:  # the client has an exception for each place that can say no
            if self.process.poll() is not None:
                return Reply(lost=f"the app ended with {self.process.returncode}")
            return Reply(error=" ".join(str(error).split()) or repr(error))

    def told(self) -> str:
        """Return what it printed."""
        self.log.seek(0)
        return self.log.read()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a word on standard error."""

    def log_message(self, *_):
        """Say nothing."""


class Page(Way):
    """The page in headless Chromium. ``asked`` lists what it asked of other hosts, ``troubles`` its script errors."""

    def __init__(self, model: Path, limit: float = 30):
        self.model, self.limit = model, limit
        self.asked, self.troubles = [], []

    def __enter__(self):
        from playwright.sync_api import sync_playwright

        from skinlib.serve import publish
        from skinlib.serve.exported import ExportedModel

        self.folder = tempfile.TemporaryDirectory()
        site = publish.web(ExportedModel(self.model), Path(self.folder.name) / "web")
        handler = functools.partial(QuietHandler, directory=site)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.playwright = sync_playwright().start()
        self.browser = self.playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        self._open()
        return self

    def _open(self):
        self.page = self.browser.new_page()
        self.page.set_default_timeout(1000 * self.limit)
        self.page.on(
            "request",
            lambda request: (
                None if request.url.startswith((self.url, "data:", "blob:")) else self.asked.append(request.url)
            ),
        )
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.goto(self.url + "index.html")
        self.page.wait_for_selector(".skin-try[data-ready=true]")

    def __exit__(self, *_):
        self.browser.close()
        self.playwright.stop()
        self.server.shutdown()
        self.server.server_close()
        self.folder.cleanup()

    def _ask(self, path):
        from playwright.sync_api import Error

        try:
            # The state of the photo before is taken away, so that it can't be mistaken for this one's.
            self.page.evaluate("document.querySelector('.skin-try').dataset.state = 'empty'")
            self.page.set_input_files(".skin-try input[type=file]:not([capture])", path)
            self.page.wait_for_selector(".skin-try:is([data-state=answered], [data-state=error])", state="attached")
            said = self.page.evaluate(_READ)
        except Error as error:
            self.page.close()
            self._open()
            return Reply(lost=str(error).splitlines()[0])
        if said["answer"] is None:
            return Reply(error=said["status"])
        answer = json.loads(said["answer"])
        titles = {condition["title"]: condition["key"] for condition in said["conditions"]}
        answer["percent"] = {titles[title]: int(share.split()[0]) for title, share in said["shown"]}
        return Reply(answer=answer)

    def processes(self) -> list[int]:
        """Return Chromium's processes, which descend from this one."""
        parents = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(status.parent.name)] = int(status.read_text("utf-8").rpartition(")")[2].split()[1])
            except OSError:
                continue  # it ended meanwhile
        found, names = {os.getpid()}, []
        while new := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= new
        for pid in found - {os.getpid()}:
            try:
                names.append((pid, Path(f"/proc/{pid}/comm").read_text("utf-8", "replace")))
            except OSError:
                continue
        return [pid for pid, name in names if name.startswith(("chrom", "google"))]


_READ = """async () => {
  const root = document.querySelector(".skin-try");
  const shown = [...root.querySelectorAll(".bars li")].map((row) =>
    [".name", ".share"].map((part) => row.querySelector(part).textContent));
  const { conditions } = await (await fetch("labels.json")).json();
  return { answer: root.dataset.answer ?? null, status: root.querySelector(".status").textContent, shown, conditions };
}"""
"""Reads what the page shows, and from its data the digits that it does not show."""


def difference(first: dict, second: dict) -> float:
    """Return the largest difference between the probabilities of two answers."""
    keys = first["probabilities"]
    return max(abs(keys[key] - second["probabilities"][key]) for key in keys)


def same(first: dict, second: dict) -> bool:
    """Tell whether two answers show a person the same: the doubt, the best guess and all whole percents."""
    return all(first[part] == second[part] for part in ("doubt", "best_guess", "percent"))


def _shown(reply: Reply) -> str:
    if not reply.answer:
        return f"{reply.error or reply.lost}"[:40]
    return " ".join(f"{p:3d}" for p in reply.answer["percent"].values()) + f" {reply.answer['doubt'] or 'answered'}"


def _exported(data, settings) -> Path:
    """Train the plain recipe on the clean split and export it."""
    from skinlib.learn.prepared import prepare
    from skinlib.learn.train import train
    from skinlib.serve.export import export

    return export(train(prepare(data, settings, "grouped")), data, settings).folder


def main() -> int:
    """Ask, compare and print. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", metavar="DATA")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="an exported model")
    parser.add_argument("--photos", type=int, default=20, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    from skinlib.base.fingerprint import result_versions
    from skinlib.base.settings import load_settings
    from skinlib.data.opening import open_data

    settings = load_settings(data=options.data, weights=None if options.model is None else "untrained")
    data = open_data(settings)
    test = data.photos[data.photos.split == "test"].drop_duplicates("sha256")
    chosen = test.iloc[np.linspace(0, len(test) - 1, min(options.photos, len(test))).round().astype(int)]
    paths = [str(data.path(path)) for path in chosen.path]
    model, replies = options.model or _exported(data, settings), {}
    for kind in (Python, App, Page):
        with kind(model) as way:
            replies[kind.__name__] = [way.ask(path) for path in paths]

    order = list(next(reply.answer for reply in replies["Python"] if reply.answer)["probabilities"])
    print("Percents in this order:", ", ".join(order))
    largest, equal = {"App": 0.0, "Page": 0.0}, 0
    for number, (path, *row) in enumerate(zip(paths, *replies.values(), strict=True), start=1):
        whole = all(reply.answer for reply in row)
        for reply in row:
            if reply.answer:
                reply.answer["percent"] = {key: reply.answer["percent"][key] for key in order}
        agree = whole and all(same(row[0].answer, reply.answer) for reply in row[1:])
        equal += agree
        if whole:
            for name, reply in zip(largest, row[1:], strict=True):
                largest[name] = max(largest[name], difference(row[0].answer, reply.answer))
        print(f"{number:3d} {Path(path).name:36.36}  {'equal' if agree else 'NOT EQUAL'}")
        for name, reply in zip(replies, row, strict=True):
            print(f"      {name:7} {_shown(reply)}  {reply.seconds:5.2f} s")
    result = {
        "photos": len(paths),
        "equal": equal,
        "largest_difference": largest,
        "seconds": {name: round(float(np.median([r.seconds for r in rows])), 3) for name, rows in replies.items()},
        "versions": result_versions(),
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return 0 if equal == len(paths) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        _work(*sys.argv[2:])
    else:
        sys.exit(main())
