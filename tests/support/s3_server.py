"""The part of Amazon's S3 that clients need who keep files in a bucket: s3_server.py FOLDER PORT, on 127.0.0.1.

Objects are files below FOLDER, named by their quoted keys. Signatures are not checked. What is answered is what
https://docs.aws.amazon.com/AmazonS3/latest/API says; rclone, which is tested with it, knows the real one.
"""

import datetime
import hashlib
import http.server
import os
import re
import sys
import urllib.parse
import uuid
from email.utils import formatdate
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path()


def when(path):
    return datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def route(self):
        parts = urllib.parse.urlsplit(self.path)
        bucket, _, key = urllib.parse.unquote(parts.path).lstrip("/").partition("/")
        return bucket, key, {name: values[0] for name, values in urllib.parse.parse_qs(parts.query, True).items()}

    def file(self, bucket, key):
        return FOLDER / bucket / urllib.parse.quote(key, safe="")

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, code, word):
        self.answer(code, f"<Error><Code>{word}</Code><Message>{word}</Message></Error>".encode(), Content_Type="application/xml")

    def xml(self, text):
        self.answer(200, b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode(), Content_Type="application/xml")

    def body(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.headers.get("x-amz-content-sha256", "").startswith("STREAMING"):
            return data
        plain, rest = b"", data  # aws-chunked: hex size, ";chunk-signature=...", the bytes
        while rest:
            head, _, rest = rest.partition(b"\r\n")
            size = int(head.split(b";")[0], 16)
            plain, rest = plain + rest[:size], rest[size + 2 :]
        return plain

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        bucket, key, query = self.route()
        if not key:
            return self.listing(bucket, query)
        file = self.file(bucket, key)
        if not file.is_file():
            return self.fail(404, "NoSuchKey")
        data = file.read_bytes()
        headers = {"ETag": f'"{hashlib.md5(data).hexdigest()}"', "Last_Modified": formatdate(file.stat().st_mtime, usegmt=True),
                   "Content_Type": "application/octet-stream"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            return self.answer(200, data, **headers)
        first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        if first >= len(data):
            return self.fail(416, "InvalidRange")
        self.answer(206, data[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(data)}", **headers)

    def listing(self, bucket, query):
        if not (FOLDER / bucket).is_dir():
            return self.fail(404, "NoSuchBucket")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        keys, folders = [], set()
        for name in os.listdir(FOLDER / bucket):
            key = urllib.parse.unquote(name)
            rest = key[len(prefix) :]
            if not key.startswith(prefix) or name.startswith("upload-"):
                continue
            if delimiter and delimiter in rest:
                folders.add(prefix + rest[: rest.index(delimiter) + 1])
            else:
                keys.append(key)
        text = f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>false</IsTruncated><KeyCount>{len(keys)}</KeyCount>"
        for key in sorted(keys):
            file = self.file(bucket, key)
            text += (f"<Contents><Key>{escape(key)}</Key><LastModified>{when(file)}</LastModified><Size>{file.stat().st_size}</Size>"
                     f"<ETag>&quot;{hashlib.md5(file.read_bytes()).hexdigest()}&quot;</ETag><StorageClass>STANDARD</StorageClass></Contents>")
        for folder in sorted(folders):
            text += f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
        self.xml(text + "</ListBucketResult>")

    def put(self, file, data):
        new = file.with_name("upload-" + uuid.uuid4().hex)
        new.write_bytes(data)
        new.rename(file)
        return f'"{hashlib.md5(data).hexdigest()}"'

    def do_PUT(self):
        bucket, key, query = self.route()
        data = self.body()
        if not key:
            (FOLDER / bucket).mkdir(exist_ok=True)
            return self.answer(200)
        if "uploadId" in query:
            part = self.file(bucket, key).with_name(f"upload-{query['uploadId']}-{int(query['partNumber']):05}")
            part.write_bytes(data)
            return self.answer(200, ETag=f'"{hashlib.md5(data).hexdigest()}"')
        source = self.headers.get("x-amz-copy-source")
        if not source:
            return self.answer(200, ETag=self.put(self.file(bucket, key), data))
        old = self.file(*urllib.parse.unquote(source).lstrip("/").split("/", 1))
        if not old.is_file():
            return self.fail(404, "NoSuchKey")
        tag = self.put(self.file(bucket, key), old.read_bytes())
        self.xml(f"<CopyObjectResult><LastModified>{when(old)}</LastModified><ETag>{escape(tag)}</ETag></CopyObjectResult>")

    def do_POST(self):
        bucket, key, query = self.route()
        self.body()
        head = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
        if "uploads" in query:
            return self.xml(f"<InitiateMultipartUploadResult>{head}<UploadId>{uuid.uuid4().hex}</UploadId></InitiateMultipartUploadResult>")
        parts = sorted((FOLDER / bucket).glob(f"upload-{query['uploadId']}-*"))
        tag = self.put(self.file(bucket, key), b"".join(part.read_bytes() for part in parts))
        for part in parts:
            part.unlink()
        self.xml(f"<CompleteMultipartUploadResult>{head}<ETag>{escape(tag)}</ETag></CompleteMultipartUploadResult>")

    def do_DELETE(self):
        bucket, key, _ = self.route()
        self.file(bucket, key).unlink(missing_ok=True)
        self.answer(204)


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
