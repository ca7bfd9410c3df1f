"""A real HTTP server that speaks the OpenAI protocol, well or badly, as a script tells it."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[str], str]


class Served:
    """What a server was asked, and how many requests were under way at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.prompts: list[str] = []
        self.now = self.most = 0


@contextmanager
def serve(answer: Answer, faults: Sequence[int | str] = ()) -> Iterator[tuple[str, Served]]:
    """The address of a server whose first requests meet `faults`, and what it was asked.

    Args:
        answer: what the model says to the user's text.
        faults: statuses, or "garbage" (no JSON), "shape" (other JSON), "hang", "reset", "slow".
    """
    served, left = Served(), list(faults)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            user = body["messages"][-1]["content"]
            with served.lock:
                served.prompts.append(user)
                served.now += 1
                served.most = max(served.most, served.now)
                fault = left.pop(0) if left else 200
            try:
                self.reply(user, fault)
            finally:
                with served.lock:
                    served.now -= 1

        def reply(self, user: str, fault: int | str) -> None:
            if fault == "reset":
                return
            if fault in ("hang", "slow"):
                time.sleep(1.5 if fault == "hang" else 0.05)
            usage = {"prompt_tokens": 7, "completion_tokens": 3}
            choice = {"message": {"role": "assistant", "content": answer(user)}}
            text = json.dumps({"choices": [choice], "usage": usage})
            text = {"garbage": "<html>", "shape": '{"choices": []}'}.get(str(fault), text)
            self.send_response(fault if isinstance(fault, int) else 200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):  # of a client that gave up
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
