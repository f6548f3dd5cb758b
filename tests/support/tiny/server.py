"""An executable that seems to be llama-server, and has bad habits."""

import sys
from pathlib import Path

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
            threading.Event().wait()  # the signal may reach another thread first
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
