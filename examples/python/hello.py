"""Counts visits in a database, and says which modules of the virtual environment are there."""

import importlib.metadata
import signal
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATE = "/var/lib/hello/visits.db"


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        with sqlite3.connect(STATE) as db:
            db.execute("create table if not exists visits (path text)")
            db.execute("insert into visits values (?)", (self.path,))
            (visits,) = db.execute("select count(*) from visits").fetchone()
        names = sorted(d.metadata["Name"] for d in importlib.metadata.distributions())
        text = f"visit {visits}\nin {sys.prefix}\nwith {' '.join(names)}\n"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())


signal.signal(signal.SIGTERM, lambda *_: sys.exit())
ThreadingHTTPServer(("127.0.0.1", 8000), Hello).serve_forever()
