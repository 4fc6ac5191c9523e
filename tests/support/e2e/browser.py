"""A headless Chromium on a host, driven over its own protocol (DevTools) through a pipe: no driver, no port, no library.

https://chromedevtools.github.io/devtools-protocol: each message is JSON, and ends with a zero byte.
"""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

from support.e2e.waiting import eventually

PROGRAM = "/usr/bin/chromium"
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
         "--disable-component-update", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe")
# Chromium drops what is under way when an interface of its machine comes or goes; the page asks again.
_NOT_OF_THE_PAGE = "net::ERR_NETWORK_CHANGED"


def why_not():
    """Why there is no browser; empty when there is one."""
    return "" if shutil.which(PROGRAM) else f"no {PROGRAM} (Debian's package chromium)"


class PageFailed(AssertionError):
    """A script on the page has thrown."""


class Browser:
    """One window. Use as a context manager, or close() it."""

    def __init__(self, host, width=1280, height=860):
        self.host = host
        self._number, self._answers, self._sleeping = 0, {}, threading.Condition()
        self.errors = []  # what the console of the page said of errors, and what was thrown
        self._start()
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Performance.enable", timeDomain="threadTicks")
        self.resize(width, height)

    def _start(self):
        orders, self._orders = os.pipe()
        self._told, told = os.pipe()
        command = ("bash", "-c", f'exec "$@" 3<&{orders} 4>&{told}', "bash", PROGRAM, *FLAGS, f"--user-data-dir=/run/host/chromium-{id(self)}")
        self._log = open(self.host.path("/run/host/chromium.log"), "ab")
        settings = self.host._enter("host", command, {"HOME": "/run/host"})
        self._process = subprocess.Popen(**settings, pass_fds=(orders, told), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        os.close(orders)
        os.close(told)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self):
        with contextlib.suppress(OSError, AssertionError):
            self._call("Browser.close")
        os.close(self._orders)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._reader.join(5)
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the protocol

    def _read(self):
        rest = b""
        with open(self._told, "rb", buffering=0) as told:
            while part := told.read(1 << 20):
                *messages, rest = (rest + part).split(b"\0")
                for message in messages:
                    self._take(json.loads(message))

    def _take(self, message):
        with self._sleeping:
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message.get("method"), message.get("params", {}))
            self._sleeping.notify_all()

    def _note(self, method, event):
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(one.get("value", one.get("description"))) for one in event["args"]))
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error" and _NOT_OF_THE_PAGE not in event["entry"]["text"]:
            self.errors.append(f"{event['entry']['text']} {event['entry'].get('url', '')}")

    def _call(self, method, session=None, **params):
        with self._sleeping:
            self._number += 1
            number = self._number
        message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self._orders, json.dumps(message).encode() + b"\0")
        with self._sleeping:
            if not self._sleeping.wait_for(lambda: number in self._answers, 60):
                raise PageFailed(f"the browser did not answer {method}")
            answer = self._answers.pop(number)
        if "error" in answer:
            raise PageFailed(f"{method}: {answer['error']}")
        return answer["result"]

    def call(self, method, **params):
        return self._call(method, self._session, **params)

    # ---- what a test says

    def open(self, url):
        self.call("Page.navigate", url=url)

    def run(self, script):
        """The value of an expression on the page, awaited when it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageFailed(f"{script[:200]}: {details.get('exception', {}).get('description', details['text'])}")
        return answer["result"].get("value")

    def until(self, script, what, deadline=15.0):
        """Waits until an expression is true."""
        def holds():
            with contextlib.suppress(PageFailed):  # while another page is being opened
                return self.run(f"Boolean({script})")
            return False
        eventually(holds, what, deadline, 0.05)

    def text(self):
        return self.run("document.body.innerText")

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme):
        """Light or dark, as the system would say it."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def click(self, script):
        """Clicks at the middle of the element that the expression gives."""
        box = self.run(f"(() => {{ const node = {script}; node.scrollIntoView({{block: 'nearest'}}); const box = node.getBoundingClientRect();"
                       " return [box.x + box.width / 2, box.y + box.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def press(self, key, code=None, text=None, modifiers=0):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "/": 191, " ": 32}
        texts = {"Enter": "\r", "/": "/", " ": " "}
        words = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper())), "modifiers": modifiers}
        said = text or texts.get(key)
        self.call("Input.dispatchKeyEvent", type="keyDown", **words, **({"text": said} if said else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **words)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def picture(self, path, whole=False):
        """A PNG of what is seen, or of all of the page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    def computed(self):
        """Seconds that the page has computed so far, whatever else the machine had to do."""
        return {one["name"]: one["value"] for one in self.call("Performance.getMetrics")["metrics"]}["TaskDuration"]

    def cookies(self):
        return self.call("Network.getCookies")["cookies"]
