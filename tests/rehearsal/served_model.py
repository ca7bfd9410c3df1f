"""An OpenAI-compatible server whose answers follow from the words of the prompt."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STEP = re.compile(r"shows the step: ([^\n]*?)\.*\n.*?\): ([^\n]*)\n", re.DOTALL)
PAIR = re.compile(r"Video 1: (.*?)\. Video 2: (.*?)\. Summarize", re.DOTALL)
WORDS = 20
"""Number of words that a description takes from a narration, and an answer from a description."""
UNREADABLE_EVERY = 7
"""Every seventh pair is answered at first without questions, as language models do at times."""


def answer(prompt: str, retry: bool) -> str:
    """A description of a clip from its narration, or three questions about two descriptions."""
    step = STEP.search(prompt)
    if step is not None:
        said = " ".join(step[2].split()[:WORDS])
        return f"The person does this step: {step[1].strip().lower()}. {said}"
    pair = PAIR.search(prompt)
    if pair is None:
        return "I cannot answer that."
    first, second = (" ".join(text.split()[:WORDS]) for text in pair.groups())
    if not retry and len(first + second) % UNREADABLE_EVERY == 0:
        return "Both videos are about cooking."
    asked = (
        (
            "what is the main difference between these videos",
            f"the first video shows {first}, while the second video shows {second}",
        ),
        (
            "how does the second video differ from the first",
            f"the second video shows {second} instead of {first}",
        ),
        ("do both videos show the same oven", "the oven is not mentioned in the second video"),
    )  # the filter removes the last one
    return json.dumps([{"question": q, "answer": a} for q, a in asked])


class Handler(BaseHTTPRequestHandler):
    """POST /v1/chat/completions."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        text = answer(prompt, "could not be read" in prompt)
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text) // 4}
        message = {"role": "assistant", "content": text}
        reply = json.dumps(
            {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served_model() -> Iterator[str]:
    """The base URL of a running server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def dead_server() -> str:
    """The base URL of a server that is not running: connections are refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
