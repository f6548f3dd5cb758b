"""A package index on the loopback interface."""

import http.server
import threading


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
