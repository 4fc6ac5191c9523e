"""A guest book: GET / shows who answers and the notes, POST / adds one. The notes are in PostgreSQL."""

import json
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

TABLE = "CREATE TABLE IF NOT EXISTS notes (id serial PRIMARY KEY, text text NOT NULL)"


def query(statement, *values):
    """One connection for each request: a database that moved to another address is found again by its name."""
    connection = psycopg2.connect(host=os.environ.get("DB_HOST", "db"), dbname="postgres", user="postgres",
                                  password=os.environ.get("DB_PASSWORD", ""), connect_timeout=3)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(1)")  # of several that start at once, one makes the table
            cursor.execute(TABLE)
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


class GuestBook(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(lambda: query("SELECT text FROM notes ORDER BY id"))

    def do_POST(self):
        note = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 10000)).decode(errors="replace")
        self.answer(lambda: query("INSERT INTO notes (text) VALUES (%s) RETURNING text", note))

    def answer(self, ask):
        try:
            status, body = 200, {"web": socket.gethostname(), "notes": [row[0] for row in ask()]}
        except psycopg2.Error as error:
            status, body = 503, {"web": socket.gethostname(), "error": str(error).strip()}
        data = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("", 8080), GuestBook).serve_forever()
