"""Who is let in, and what the others are told."""

import asyncio
import uuid
from datetime import timedelta

import aiohttp
import pytest
from livekit import rtc

from support import URL, Member, http_url, token, until


@pytest.fixture
def room():
    return f"interop-{uuid.uuid4()}"


async def validate(path: str, **query) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{http_url()}{path}", params=query) as response:
        return response.status, await response.text()


async def test_validate_answers_as_sdks_expect(room):
    good = token("ann", room)
    for path in ("/rtc/validate",):
        assert await validate(path, access_token=good) == (200, "success")
        assert (await validate(path))[0] == 401
        assert (await validate(path, access_token="garbage"))[0] == 401
        assert (await validate(path, access_token=token("ann", room, secret="guess" * 8)))[0] == 401
        expired = token("ann", room, ttl=timedelta(seconds=-3600))
        status, text = await validate(path, access_token=expired)
        assert status == 401 and "expired" in text
        assert (await validate(path, access_token=token("ann", room, room_join=False)))[0] == 403
        assert (await validate(path, access_token=good, room="another"))[0] == 403
    # On v1 a 404 would make SDKs fall back to v0.
    assert (await validate("/rtc/v1/validate", access_token=good))[0] == 400
    assert (await validate("/rtc/v1/validate", access_token="garbage"))[0] == 401


@pytest.mark.parametrize("single", [True, False], ids=["single", "dual"])
@pytest.mark.parametrize("fault", ["forged", "expired", "no-join"])
async def test_bad_tokens_do_not_join(room, fault, single):
    bad = {
        "forged": token("ann", room, secret="guess" * 8),
        "expired": token("ann", room, ttl=timedelta(seconds=-3600)),
        "no-join": token("ann", room, room_join=False),
    }[fault]
    client = rtc.Room()
    with pytest.raises(rtc.ConnectError):
        options = rtc.RoomOptions(single_peer_connection=single)
        await asyncio.wait_for(client.connect(URL, bad, options), 20)


async def test_hidden_participants_are_not_seen(room):
    ann, spy = Member("ann", room, True), Member("spy", room, True)
    await ann.connect()
    await spy.connect(hidden=True)
    try:
        await until(lambda: "ann" in spy.room.remote_participants, "ann at the hidden one")
        await spy.local.publish_data(b"boo")
        await until(lambda: ann.data, "data of the hidden one")
        assert not ann.room.remote_participants
        assert ann.data[0].participant is None
    finally:
        await asyncio.gather(ann.room.disconnect(), spy.room.disconnect())


async def test_garbage_on_the_socket_disturbs_nobody_else(room):
    ann, bob = Member("ann", room, True), Member("bob", room, True)
    await ann.connect()
    await bob.connect()
    try:
        await until(lambda: "bob" in ann.room.remote_participants, "bob")
        async with aiohttp.ClientSession() as session:
            query = {"access_token": token("mallory", room)}
            async with session.ws_connect(f"{http_url()}/rtc", params=query) as socket:
                assert (await socket.receive()).type == aiohttp.WSMsgType.BINARY
                await socket.send_bytes(b"\xff" * 10_000)
                while (message := await asyncio.wait_for(socket.receive(), 10)).type == aiohttp.WSMsgType.BINARY:
                    pass
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1002)
            async with session.ws_connect(f"{http_url()}/rtc", params=query) as socket:
                # Closed with 1009, or cut before the close frame could be read.
                try:
                    await socket.send_bytes(b"\0" * 5_000_000)
                    while (message := await asyncio.wait_for(socket.receive(), 10)).type == aiohttp.WSMsgType.BINARY:
                        pass
                    assert message.data in (1009, None)
                except (ConnectionError, aiohttp.ClientError):
                    pass
        await ann.local.publish_data(b"still here")
        await until(lambda: bob.data, "data after the garbage")
    finally:
        await asyncio.gather(ann.room.disconnect(), bob.room.disconnect())
