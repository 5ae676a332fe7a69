"""Webhooks, as a real receiver with the SDK's verification gets them."""

import asyncio
import json
import signal

from livekit import api, rtc
from livekit.protocol import models

from servers import receiver, server
from support import KEY, SECRET, Member, microphone, token, until
from test_room_service import admin

CALL = [
    "room_started",
    "participant_joined",
    "participant_joined",
    "track_published",
    "track_unpublished",
    "participant_left",
    "participant_left",
    "room_finished",
]


async def join(url: str, identity: str, room: str) -> Member:
    member = Member(identity, room, True)
    await member.room.connect(url, token(identity, room))
    return member


async def call(url: str, room: str):
    """Two people meet; one speaks and leaves; the room is deleted with the other inside."""
    ann, bob = await join(url, "ann", room), await join(url, "bob", room)
    async with microphone(ann) as (_, publication):
        await bob.subscribed(publication.sid)
        await ann.local.unpublish_track(publication.sid)
        await bob.event("track_unpublished")
    await ann.room.disconnect()
    await bob.event("participant_disconnected")
    async with admin(url) as lk:
        await lk.room.delete_room(api.DeleteRoomRequest(room=room))
    await bob.event("disconnected")


async def test_a_call_is_told_in_order_and_signed():
    async with receiver() as hook, server(webhook_urls=hook.url) as (url, _):
        await call(url, "r")
        await until(lambda: len(hook.events) >= len(CALL), "the webhooks")
        assert hook.names() == CALL
        by_name = {event.event: event for event in hook.events}
        assert len({event.id for event in hook.events}) == len(CALL)
        assert all(event.room.name == "r" and event.created_at > 0 for event in hook.events)
        assert len({event.room.sid for event in hook.events}) == 1
        assert hook.events[1].participant.identity == "ann" and hook.events[1].participant.attributes["role"] == "tester"
        assert by_name["track_published"].track.source == models.TrackSource.MICROPHONE
        assert by_name["track_published"].participant.identity == "ann"
        left = [event.participant for event in hook.events if event.event == "participant_left"]
        reasons = [(who.identity, who.disconnect_reason) for who in left]
        assert reasons == [("ann", models.DisconnectReason.CLIENT_INITIATED), ("bob", models.DisconnectReason.ROOM_DELETED)]
        # As LiveKit writes it: 64-bit numbers as strings, names in camel case.
        assert json.loads(hook.bodies[0])["createdAt"].isdigit()


async def test_a_failing_receiver_gets_every_event_once_and_in_order():
    async with receiver() as hook, server(webhook_urls=hook.url) as (url, _):
        hook.faults = [500, 503, 429, 500]
        await call(url, "r")
        await until(lambda: len(hook.events) >= len(CALL), "the webhooks")
        assert hook.names() == CALL
        assert hook.attempts == len(CALL) + 4


async def test_an_event_that_is_refused_is_not_repeated():
    async with receiver() as hook, server(webhook_urls=hook.url) as (url, process):
        hook.faults = [400]
        await call(url, "r")
        await until(lambda: len(hook.events) >= len(CALL) - 1, "the webhooks")
        assert hook.names() == CALL[1:] and hook.attempts == len(CALL)
        assert any("webhook refused" in line for line in process.log)


async def test_a_room_does_not_wait_for_another_and_everybody_is_told():
    async with receiver() as first, receiver() as second:
        async with server(webhook_urls=f"{first.url},{second.url}") as (url, _), admin(url) as lk:
            first.faults = [500] * 4
            await lk.room.create_room(api.CreateRoomRequest(name="slow"))
            await until(lambda: first.attempts >= 2, "the tries for the first room")
            await lk.room.create_room(api.CreateRoomRequest(name="fast"))
            await until(lambda: first.names() == ["room_started"] * 2, "both rooms")
            await until(lambda: second.names() == ["room_started"] * 2, "both rooms at the second")
            assert [event.room.name for event in second.events] == ["slow", "fast"]


async def test_one_who_never_connects_is_told_as_aborted():
    async with receiver() as hook, server(webhook_urls=hook.url) as (url, _):
        import aiohttp

        async with aiohttp.ClientSession() as session:
            query = {"access_token": token("ann", "r"), "protocol": "16"}
            async with session.ws_connect(f"{url.replace('ws', 'http', 1)}/rtc", params=query) as socket:
                await socket.receive()
                async with admin(url) as lk:
                    await lk.room.remove_participant(api.RoomParticipantIdentity(room="r", identity="ann"))
        await until(lambda: len(hook.events) >= 2, "the webhooks")
        assert hook.names()[:2] == ["room_started", "participant_connection_aborted"]


async def test_the_last_events_are_sent_at_shutdown():
    async with receiver() as hook, server(webhook_urls=hook.url) as (url, process):
        ann = await join(url, "ann", "r")
        await until(lambda: len(hook.events) >= 2, "the join")
        hook.faults = [500]
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)
        assert hook.names() == ["room_started", "participant_joined", "participant_left", "room_finished"]
        await ann.room.disconnect()


async def test_the_chosen_key_signs():
    keys = f"first:{'f' * 32},{KEY}:{SECRET}"
    async with receiver() as hook, server(webhook_urls=hook.url, keys=keys, webhook_api_key=KEY) as (url, _):
        async with admin(url) as lk:
            await lk.room.create_room(api.CreateRoomRequest(name="r"))
        await until(lambda: hook.events, "the webhook")
