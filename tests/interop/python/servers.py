"""A server of a test's own, for settings that the shared one has not, and a receiver of webhooks."""

import asyncio
import contextlib
import os
import pathlib
import socket
import tempfile

from aiohttp import web
from livekit import api

from support import KEY, SECRET, until

ROOT = pathlib.Path(__file__).resolve().parents[3]


def binary() -> str:
    return os.environ.get("PARLEY_BIN") or str(ROOT / "target" / "release" / "parley")


@contextlib.asynccontextmanager
async def server(**settings):
    """Starts `parley serve --dev` with `settings` (`webhook_urls="…"`); yields its address for SDKs and its process."""
    with socket.socket() as probe, tempfile.TemporaryDirectory() as data:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        environment |= {f"PARLEY_{name.upper()}": str(value) for name, value in settings.items()}
        process = await asyncio.create_subprocess_exec(
            binary(), "serve", "--dev", "--data", data, "--http-listen", f"127.0.0.1:{port}", "--media-udp-port", "0",
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        log: list[str] = []

        async def read():
            while line := await process.stdout.readline():
                log.append(line.decode())

        reader = asyncio.create_task(read())
        try:
            await until(lambda: any("is ready" in line for line in log) or process.returncode is not None, "the server")
            assert process.returncode is None, "".join(log)
            process.log = log
            yield f"ws://127.0.0.1:{port}", process
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 30)
            await reader


class Receiver:
    """Takes webhooks over HTTP and verifies them with the SDK's own receiver."""

    def __init__(self):
        self.events = []
        self.bodies: list[str] = []
        self.attempts = 0
        # Statuses to answer with, before everything is taken.
        self.faults: list[int] = []
        self._sdk = api.WebhookReceiver(api.TokenVerifier(KEY, SECRET))

    async def take(self, request: web.Request) -> web.Response:
        self.attempts += 1
        assert request.content_type == "application/webhook+json"
        body = await request.text()
        event = self._sdk.receive(body, request.headers["Authorization"])
        if self.faults:
            return web.Response(status=self.faults.pop(0))
        self.bodies.append(body)
        self.events.append(event)
        return web.Response()

    def names(self, room: str | None = None) -> list[str]:
        return [event.event for event in self.events if room is None or event.room.name == room]


@contextlib.asynccontextmanager
async def receiver():
    taker = Receiver()
    app = web.Application()
    app.router.add_post("/hook", taker.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    taker.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield taker
    finally:
        await runner.cleanup()
