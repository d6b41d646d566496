#!/usr/bin/env python3
"""A remote adapter, whole: it keeps people in a SQLite file. Python 3.9 or later, nothing to install.

    ADAPTER_TOKEN=secret python3 adapter.py people.sqlite --port 8787
"""

import argparse
import hmac
import json
import os
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PROTOCOL = "1"
PLANS = ["free", "pro"]

# What Sluice checks a sync against before it sends anything. Every field but the match field is a column that may be NULL.
PEOPLE = {
    "name": "people",
    "title": "People",
    "modes": ["upsert", "update", "insert", "mirror"],
    "removals": ["delete", "clear"],
    "batch": {"records": 500, "bytes": 1_000_000},
    "match_fields": 1,
    "idempotent": ["upsert", "update", "insert", "mirror"],
    "reads": True,
    "fields": [
        {"name": "email", "type": "text", "matches": True, "max_length": 254},
        {"name": "name", "type": "text"},
        {"name": "seats", "type": "integer"},
        {"name": "plan", "type": "enum", "options": [{"value": plan} for plan in PLANS]},
    ],
}
COLUMNS = [field["name"] for field in PEOPLE["fields"]]


class Refused(Exception):
    """The request as a whole is wrong, and nothing of it was applied."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


class Rejected(Exception):
    """One change is refused; the others go on."""

    def __init__(self, code, message, field=None):
        super().__init__(message)
        self.code, self.field = code, field


class People:
    def __init__(self, path):
        self.lock = threading.Lock()
        self.db = sqlite3.connect(path, check_same_thread=False)
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS people"
            " (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, seats INTEGER, plan TEXT)"
        )

    def find(self, change):
        """The row's number: by the id that an earlier answer gave, or by the match field."""
        known = self.db.execute("SELECT id FROM people WHERE id = ?", [change.get("id")]).fetchone()
        found = self.db.execute("SELECT id FROM people WHERE email = ?", [change["match"]["email"]]).fetchone()
        row = known or found
        return row and row[0]

    def write(self, asked):
        """All results or none: the batch is one transaction, so a crash in its middle leaves nothing half done."""
        if asked["match"] != ["email"] or asked["operation"] not in WRITERS:
            raise Refused(422, "operation_unsupported", f"People know no {asked['operation']} by {asked['match']}.")
        with self.lock, self.db:
            return [self.result_of(asked["operation"], change) for change in asked["changes"]]

    def result_of(self, operation, change):
        seq = change["seq"]
        try:
            person = WRITERS[operation](self, change, self.find(change))
            return {"seq": seq, "outcome": "accepted", **({} if person is None else {"id": str(person)})}
        except Rejected as error:
            field = {} if error.field is None else {"field": error.field}
            return {"seq": seq, "outcome": "rejected", "code": error.code, "message": str(error), **field}

    def upsert(self, change, person):
        values = {**change["record"], "email": change["match"]["email"]}
        for name in values.keys() - set(COLUMNS):
            raise Rejected("unknown_field", f"People have no {name}.", name)
        if values.get("plan") not in [None, *PLANS]:
            raise Rejected("unknown_plan", f"A plan is one of {', '.join(PLANS)}.", "plan")
        columns = [name for name in COLUMNS if name in values]
        given = [values[name] for name in columns]
        try:
            if person is None:
                marks = ", ".join("?" for _ in columns)
                sql = f"INSERT INTO people ({', '.join(columns)}) VALUES ({marks})"
                return self.db.execute(sql, given).lastrowid
            sets = ", ".join(f"{name} = ?" for name in columns)
            self.db.execute(f"UPDATE people SET {sets} WHERE id = ?", [*given, person])
            return person
        except sqlite3.IntegrityError:
            raise Rejected("email_taken", "Somebody else has this e-mail address.", "email") from None

    def update(self, change, person):
        if person is None:
            raise Rejected("not_found", "Nobody has this e-mail address.", "email")
        return self.upsert(change, person)

    def insert(self, change, person):
        if person is not None:
            raise Rejected("exists", "Somebody has this e-mail address already.", "email")
        return self.upsert(change, None)

    def delete(self, change, person):
        self.db.execute("DELETE FROM people WHERE id = ?", [person])

    def clear(self, change, person):
        return None if person is None else self.upsert(change, person)

    def read(self, asked):
        with self.lock:
            return [{"seq": change["seq"], "record": self.record_of(change, asked["fields"])} for change in asked["changes"]]

    def record_of(self, change, fields):
        person = self.find(change)
        row = self.db.execute(f"SELECT {', '.join(COLUMNS)} FROM people WHERE id = ?", [person]).fetchone()
        return row and {name: value for name, value in zip(COLUMNS, row) if name in fields}


WRITERS = {
    "upsert": People.upsert,
    "update": People.update,
    "insert": People.insert,
    "delete": People.delete,
    "clear": People.clear,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # Headers and body leave in one packet.
    people: People
    token: str

    def do_GET(self):
        self.answer(lambda _: {"/": about, "/objects": objects}[self.route()]())

    def do_POST(self):
        posts = {"/describe": describe, "/write": self.write, "/read": self.read}
        self.answer(lambda asked: posts[self.route()](asked))

    def write(self, asked):
        require_people(asked)
        return {"results": self.people.write(asked)}

    def read(self, asked):
        require_people(asked)
        return {"records": self.people.read(asked)}

    def route(self):
        return urlsplit(self.path).path

    def answer(self, act):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            self.require_known()
            status, answer = 200, act(json.loads(body or "null"))
        except Refused as error:
            status, answer = error.status, {"code": error.code, "message": str(error)}
        except (KeyError, TypeError, ValueError) as error:
            status, answer = 400, {"code": "request_invalid", "message": f"The request is not of the protocol: {error!r}"}
        except sqlite3.Error as error:
            status, answer = 503, {"code": "database_failed", "message": str(error)}
        self.send(status, json.dumps(answer).encode())

    def require_known(self):
        if not hmac.compare_digest(self.headers.get("authorization", "").encode(), f"Bearer {self.token}".encode()):
            raise Refused(401, "token_refused", "The token is not the adapter's.")
        if self.headers.get("sluice-protocol") != PROTOCOL:
            raise Refused(400, "protocol_unknown", f"This adapter speaks version {PROTOCOL} of the protocol.")

    def send(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("sluice-protocol", PROTOCOL)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Requests are not logged: they carry people's data."""


def about():
    return {"account": "People in SQLite"}


def objects():
    return {"objects": [{"name": PEOPLE["name"], "title": PEOPLE["title"]}]}


def describe(asked):
    require_people(asked)
    return PEOPLE


def require_people(asked):
    if asked["object"] != PEOPLE["name"]:
        raise Refused(404, "unknown_object", "There is one object: people.")


def main():
    options = argparse.ArgumentParser(description="A remote adapter for Sluice that keeps people in a SQLite file.")
    options.add_argument("file")
    options.add_argument("--port", type=int, default=8787)
    given = options.parse_args()
    Handler.people = People(given.file)
    Handler.token = os.environ["ADAPTER_TOKEN"]
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
