"""Stands in for the gateway's process: ready on its admin port, and dying as its folder says. Run as a script."""

import http.server
import pathlib
import sys
import tomllib


class Pages(http.server.BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self) -> None:
        # Not ready the first time, as a gateway whose workers are still starting.
        Pages.asked += 1
        self.send_response(200 if Pages.asked > 1 and self.path == "/readyz" else 503)
        self.end_headers()
        if (config.parent / "die-when-ready").exists() and Pages.asked > 1:
            server.die = True

    def log_message(self, format: str, *args: object) -> None:
        sys.stderr.write(f"asked for {self.path}\n")
        sys.stderr.flush()


class Server(http.server.HTTPServer):
    die = False

    def service_actions(self) -> None:
        if self.die:
            sys.stderr.write("something went wrong\n")
            sys.exit(3)


config = pathlib.Path(sys.argv[1])
if (config.parent / "die-at-once").exists():
    sys.exit("no such spool")
host, _, port = tomllib.loads(config.read_text())["listen"]["admin"]["address"].rpartition(":")
server = Server((host, int(port)), Pages)
server.serve_forever(poll_interval=0.02)
