"""Two participants of the PyPI package `livekit`, and patience with bounds."""

import asyncio
import contextlib
import os
import uuid
from datetime import timedelta

import numpy as np
from livekit import api, rtc

URL = os.environ.get("PARLEY_URL", "ws://127.0.0.1:7880")
KEY = os.environ.get("PARLEY_API_KEY", "devkey")
SECRET = os.environ.get("PARLEY_API_SECRET", "secret")

# Generous, for slow machines; nothing waits longer than it must.
PATIENCE_S = 20.0

WIDTH, HEIGHT, FRAMES_PER_SECOND = 640, 360, 15
SAMPLE_RATE = 48_000


def http_url() -> str:
    return URL.replace("ws", "http", 1)


def token(identity: str, room: str, *, ttl: timedelta = timedelta(hours=1), secret: str = SECRET, **grants) -> str:
    grants = {"room_join": True, "room": room, "can_update_own_metadata": True, **grants}
    return (
        api.AccessToken(KEY, secret)
        .with_identity(identity)
        .with_name(identity.title())
        .with_ttl(ttl)
        .with_attributes({"role": "tester"})
        .with_grants(api.VideoGrants(**grants))
        .to_jwt()
    )


async def until(condition, what: str, patience_s: float = PATIENCE_S):
    """Waits until `condition()` is true, and returns its value."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while not (value := condition()):
        assert loop.time() < deadline, f"waited {patience_s} s for {what}"
        await asyncio.sleep(0.02)
    return value


class Member:
    """A room and what its events have told."""

    def __init__(self, identity: str, room: str, single: bool):
        self.identity, self.room_name, self.single = identity, room, single
        self.room = rtc.Room()
        self.seen: list[tuple] = []
        self.data: list[rtc.DataPacket] = []
        self.tracks: dict[str, rtc.Track] = {}
        for name in (
            "participant_connected",
            "participant_disconnected",
            "track_published",
            "track_unpublished",
            "track_unsubscribed",
            "track_muted",
            "track_unmuted",
            "active_speakers_changed",
            "participant_attributes_changed",
            "participant_metadata_changed",
            "participant_name_changed",
            "local_track_subscribed",
            "data_track_published",
            "reconnecting",
            "reconnected",
            "disconnected",
        ):
            self.room.on(name, lambda *arguments, name=name: self.seen.append((name, *arguments)))
        self.room.on("data_received", self.data.append)
        self.room.on("track_subscribed", lambda track, publication, _: self.tracks.update({publication.sid: track}))

    async def connect(self, **grants):
        options = rtc.RoomOptions(auto_subscribe=True, single_peer_connection=self.single)
        await self.room.connect(URL, token(self.identity, self.room_name, **grants), options)

    @property
    def local(self) -> rtc.LocalParticipant:
        return self.room.local_participant

    def count(self, name: str) -> int:
        return sum(1 for event in self.seen if event[0] == name)

    async def event(self, name: str, patience_s: float = PATIENCE_S) -> tuple:
        found = await until(
            lambda: next((event for event in self.seen if event[0] == name), None), f"{name} at {self.identity}", patience_s
        )
        return found[1:]

    async def subscribed(self, sid: str) -> rtc.Track:
        return await until(lambda: self.tracks.get(sid), f"track {sid} at {self.identity}")


@contextlib.asynccontextmanager
async def pair(single: bool):
    """Two connected members of a new room."""
    name = f"interop-{uuid.uuid4()}"
    ann, bob = Member("ann", name, single), Member("bob", name, single)
    try:
        await ann.connect()
        await bob.connect()
        await until(lambda: "bob" in ann.room.remote_participants, "bob at ann")
        await until(lambda: "ann" in bob.room.remote_participants, "ann at bob")
        yield ann, bob
    finally:
        await asyncio.gather(ann.room.disconnect(), bob.room.disconnect(), return_exceptions=True)


@contextlib.asynccontextmanager
async def camera(member: Member, **options):
    """Publishes moving pictures."""
    source = rtc.VideoSource(WIDTH, HEIGHT)
    track = rtc.LocalVideoTrack.create_video_track("camera", source)

    async def film():
        number = 0
        while True:
            frame = np.full((HEIGHT, WIDTH, 4), 255, dtype=np.uint8)
            frame[:, :, 0] = (number * 5) % 256
            frame[:, (number * 8) % WIDTH :, 1] = 64
            source.capture_frame(rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.RGBA, frame.tobytes()))
            number += 1
            await asyncio.sleep(1 / FRAMES_PER_SECOND)

    async with _publishing(member, track, film(), rtc.TrackSource.SOURCE_CAMERA, **options) as publication:
        yield track, publication


@contextlib.asynccontextmanager
async def microphone(member: Member):
    """Publishes a loud tone."""
    source = rtc.AudioSource(SAMPLE_RATE, 1)
    track = rtc.LocalAudioTrack.create_audio_track("microphone", source)

    async def sing():
        samples = SAMPLE_RATE // 100
        time = 0
        while True:
            wave = np.sin(2 * np.pi * 440 * (time + np.arange(samples)) / SAMPLE_RATE)
            time += samples
            data = (wave * 20_000).astype(np.int16).tobytes()
            await source.capture_frame(rtc.AudioFrame(data, SAMPLE_RATE, 1, samples))

    async with _publishing(member, track, sing(), rtc.TrackSource.SOURCE_MICROPHONE) as publication:
        yield track, publication


@contextlib.asynccontextmanager
async def _publishing(member: Member, track, source, kind, **options):
    task = asyncio.create_task(source)
    try:
        yield await member.local.publish_track(track, rtc.TrackPublishOptions(source=kind, **options))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def pictures(track: rtc.Track, count: int) -> list[rtc.VideoFrame]:
    """Decodes `count` pictures of a remote track."""
    stream, frames = rtc.VideoStream(track), []
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for event in stream:
                frames.append(event.frame)
                if len(frames) == count:
                    return frames
    finally:
        await stream.aclose()
    return frames


async def loudness(track: rtc.Track, seconds: float) -> float:
    """The loudest root mean square of 10 ms in `seconds` of a remote track."""
    stream, loudest, heard = rtc.AudioStream(track), 0.0, 0.0
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for event in stream:
                samples = np.frombuffer(event.frame.data, dtype=np.int16).astype(np.float64)
                loudest = max(loudest, float(np.sqrt(np.mean(samples**2))))
                heard += event.frame.samples_per_channel / event.frame.sample_rate
                if heard >= seconds:
                    break
    finally:
        await stream.aclose()
    return loudest
