"""Where the app is served: ports and addresses that can't be had are one line, and no variable stops its start."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest

from skinlib.__main__ import main
from skinlib.base.errors import InputError
from skinlib.serve import address


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("GRADIO_SERVER_PORT", "GRADIO_SERVER_NAME"):
        monkeypatch.delenv(name, raising=False)


BAD_PORTS = ["-1", "65536", "99999", "abc", "80.0", "1e3", " 80", "0x50", "1_000", "٣", "7860 "]


@pytest.mark.parametrize("port", [*BAD_PORTS, -1, 65536, True])
def test_a_port_that_cannot_be(port):
    with pytest.raises(InputError, match="use a whole number from 0 to 65535") as caught:
        address.choose(port)
    assert str(caught.value).startswith("the port is")


@pytest.mark.parametrize("port", BAD_PORTS)
def test_a_variable_that_is_no_port(port, monkeypatch):
    monkeypatch.setenv("GRADIO_SERVER_PORT", port)
    with pytest.raises(InputError, match="GRADIO_SERVER_PORT is"):
        address.choose()
    assert address.choose(0)[0] > 0, "who names a port has the say"


def test_nought_is_any_free_port(monkeypatch):
    ports = {address.choose(0)[0] for _ in range(3)} | {address.choose("0")[0]}
    assert all(1024 <= port <= 65535 for port in ports)
    monkeypatch.setenv("GRADIO_SERVER_PORT", "0")
    assert address.choose()[0] > 0
    monkeypatch.setenv("GRADIO_SERVER_PORT", "")
    assert address.choose()[0] in address.PORTS


def test_a_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} can be had"):
            address.choose(port)


def test_of_the_usual_ports_the_first_free_one(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        free = address.choose(0)[0]
        monkeypatch.setattr(address, "PORTS", [port, free])
        assert address.choose() == (free, "127.0.0.1")
        monkeypatch.setattr(address, "PORTS", [port])
        with pytest.raises(InputError, match=f"of the ports {port} to {port} none"):
            address.choose()


@pytest.mark.parametrize("host", ["nonsense.invalid", "256.1.1.1", "198.51.100.7", "a b", "\u0130" * 80])
def test_an_address_that_is_not_this_machines(host, monkeypatch):
    monkeypatch.setenv("GRADIO_SERVER_NAME", host)
    with pytest.raises(InputError, match=r"GRADIO_SERVER_NAME is .* no address of this machine"):
        address.choose(0)
    with pytest.raises(InputError, match="the host is"):
        address.choose(0, host)


def test_addresses_of_this_machine(monkeypatch):
    assert address.choose(0)[1] == "127.0.0.1"
    for host in ("0.0.0.0", "localhost"):
        monkeypatch.setenv("GRADIO_SERVER_NAME", host)
        assert address.choose(0)[1] == host
    assert address.choose(0, "127.0.0.1")[1] == "127.0.0.1"


@pytest.mark.parametrize("port", ["-1", "65536", "abc"])
def test_the_command_tells_it_before_any_work(port, tmp_path, capsys):
    assert main(["app", str(tmp_path / "no run at all"), "--port", port]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and f"the port is '{port}'" in errors


def test_surroundings_are_as_before(monkeypatch):
    before = {
        "NO_PROXY": "example.com", "HTTP_PROXY": "http://127.0.0.1:9", "SSL_CERT_FILE": "/nowhere",
        "GRADIO_NUM_PORTS": "many", "GRADIO_TEMP_DIR": "/tmp/photos",
    }  # fmt: skip
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("no_proxy", raising=False)
    whole = dict(os.environ)
    with pytest.raises(KeyError), address.undisturbed():
        assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == "*"
        assert "SSL_CERT_FILE" not in os.environ and "GRADIO_NUM_PORTS" not in os.environ
        assert os.environ["GRADIO_TEMP_DIR"] == "/tmp/photos"
        raise KeyError
    assert dict(os.environ) == whole


# ---- a process with everything set that could disturb it


@pytest.fixture
def proxy():
    """Return a proxy that counts what it is asked, and answers nothing."""

    class Counting(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            self.send_error(502)

        do_CONNECT = do_HEAD = do_POST = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.long
@pytest.mark.parametrize(
    "kind", ["socks", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("a proxy", "nonsense"))]
)
def test_the_app_starts_whatever_is_set(exported, proxy, tmp_path, kind):
    there = {"a proxy": f"http://127.0.0.1:{proxy.server_port}", "socks": f"socks5://127.0.0.1:{proxy.server_port}"}
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    environment = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    environment |= dict.fromkeys(names, there.get(kind, "::not a proxy::"))
    environment |= {"SSL_CERT_FILE": str(tmp_path / "none.pem"), "SSL_CERT_DIR": str(tmp_path / "none")}
    environment |= dict.fromkeys(("GRADIO_NUM_PORTS", "GRADIO_NODE_NUM_PORTS", "GRADIO_ANALYTICS_MAX_EVENTS"), "abc")
    environment |= dict.fromkeys(("GRADIO_DEBUG", "GRADIO_NUM_WORKERS", "GRADIO_DEFAULT_CONCURRENCY_LIMIT"), "abc")
    environment |= {"GRADIO_SHARE": "True", "GRADIO_TEMP_DIR": str(tmp_path / "uploads"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "skinlib", "app", str(exported.folder), "--port", "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("the app is at http://"), line + process.stderr.read()
        plain = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        config = json.load(plain.open(f"{line.split()[4].rstrip('/')}/config", timeout=30))
        assert config["title"]
    finally:
        process.terminate()
        process.wait(60)
    assert proxy.asked == []


@pytest.mark.long
@pytest.mark.parametrize("variable", [{"GRADIO_SERVER_PORT": "abc"}, {"GRADIO_SERVER_NAME": "256.1.1.1"}])
def test_variables_that_cannot_be_are_one_line(exported, variable):
    command = [sys.executable, "-m", "skinlib", "app", str(exported.folder)]
    done = subprocess.run(command, env=os.environ | variable, capture_output=True, text=True, timeout=200)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and next(iter(variable)) in done.stderr


@pytest.mark.long
def test_certificates_that_are_not_there_are_one_line_for_a_download_too(tmp_path, own_cache, monkeypatch, capsys):
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    assert main(["fetch", "--out", str(tmp_path / "clinical")]) == 1
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and "none.pem" in errors and not (tmp_path / "clinical").exists()
