"""Data, RPC, streams, attributes: everything that is not media."""

import asyncio
import os

import pytest
from livekit import rtc

from support import Member, pair, until


@pytest.fixture(params=[True, False], ids=["single", "dual"])
def single(request):
    return request.param


async def test_reliable_data_keeps_its_order(single):
    async with pair(single) as (ann, bob):
        sent = [f"message {number}".encode() for number in range(200)]
        for payload in sent:
            await ann.local.publish_data(payload, reliable=True, topic="count")
        await until(lambda: len(bob.data) >= 200, "200 messages")
        assert [packet.data for packet in bob.data] == sent
        first = bob.data[0]
        assert (first.participant.identity, first.topic) == ("ann", "count")
        assert first.kind == rtc.DataPacketKind.KIND_RELIABLE
        assert not ann.data, "not to the sender"


async def test_lossy_data_arrives(single):
    async with pair(single) as (ann, bob):
        for number in range(20):
            await ann.local.publish_data(bytes([number]) * 100, reliable=False, topic="lossy")
            await asyncio.sleep(0.01)
        await until(lambda: len(bob.data) >= 15, "most of 20 messages on loopback")
        assert all(packet.kind == rtc.DataPacketKind.KIND_LOSSY for packet in bob.data)


async def test_large_messages_arrive_whole(single):
    async with pair(single) as (ann, bob):
        payload = os.urandom(14_000)
        await ann.local.publish_data(payload, reliable=True)
        await until(lambda: bob.data, "the large message")
        assert bob.data[0].data == payload


async def test_destinations_are_obeyed(single):
    async with pair(single) as (ann, bob):
        eve = Member("eve", ann.room_name, single)
        await eve.connect()
        try:
            await until(lambda: "eve" in ann.room.remote_participants, "eve")
            await ann.local.publish_data(b"for bob", destination_identities=["bob"])
            await ann.local.publish_data(b"for all")
            await until(lambda: len(bob.data) == 2, "both at bob")
            await until(lambda: eve.data, "one at eve")
            assert [packet.data for packet in eve.data] == [b"for all"]
        finally:
            await eve.room.disconnect()


async def test_who_may_not_send_data_is_not_heard(single):
    async with pair(single) as (ann, bob):
        mute = Member("mute", ann.room_name, single)
        await mute.connect(can_publish_data=False)
        try:
            await until(lambda: "mute" in ann.room.remote_participants, "mute")
            try:
                await asyncio.wait_for(mute.local.publish_data(b"psst"), 3)
            except Exception:
                pass  # The SDK may refuse by itself.
            await ann.local.publish_data(b"end")
            await until(lambda: bob.data, "the last message")
            assert [packet.data for packet in bob.data] == [b"end"]
        finally:
            await mute.room.disconnect()


async def test_rpc(single):
    async with pair(single) as (ann, bob):

        @bob.local.register_rpc_method("greet")
        async def greet(call: rtc.RpcInvocationData) -> str:
            return f"hello {call.caller_identity}: {call.payload}"

        @bob.local.register_rpc_method("fail")
        async def fail(_: rtc.RpcInvocationData) -> str:
            raise rtc.RpcError(1234, "no", "details")

        answer = await ann.local.perform_rpc(destination_identity="bob", method="greet", payload="hi")
        assert answer == "hello ann: hi"
        with pytest.raises(rtc.RpcError) as caught:
            await ann.local.perform_rpc(destination_identity="bob", method="fail", payload="")
        assert (caught.value.code, caught.value.message) == (1234, "no")
        with pytest.raises(rtc.RpcError) as caught:
            await ann.local.perform_rpc(destination_identity="bob", method="unknown", payload="")
        assert caught.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD


async def test_text_and_byte_streams(single):
    async with pair(single) as (ann, bob):
        texts, files = asyncio.Queue(), asyncio.Queue()

        async def read(reader, queue, sender):
            await queue.put((sender, await reader.read_all()))

        async def collect(reader, sender):
            await files.put((sender, b"".join([chunk async for chunk in reader])))

        tasks = []
        bob.room.register_text_stream_handler(
            "chat", lambda reader, sender: tasks.append(asyncio.create_task(read(reader, texts, sender)))
        )
        bob.room.register_byte_stream_handler(
            "file", lambda reader, sender: tasks.append(asyncio.create_task(collect(reader, sender)))
        )
        text = "Grüße, שלום, 你好! " * 4_000
        await ann.local.send_text(text, topic="chat")
        assert await asyncio.wait_for(texts.get(), 20) == ("ann", text)

        payload = os.urandom(300_000)
        writer = await ann.local.stream_bytes("scan.pdf", total_size=len(payload), topic="file")
        await writer.write(payload)
        await writer.aclose()
        assert await asyncio.wait_for(files.get(), 20) == ("ann", payload)


async def test_name_metadata_and_attributes(single):
    async with pair(single) as (ann, bob):
        await ann.local.set_attributes({"hand": "raised", "role": ""})
        changed, participant = await bob.event("participant_attributes_changed")
        assert participant.identity == "ann"
        assert dict(participant.attributes) == {"hand": "raised"}
        await ann.local.set_metadata("notes")
        await bob.event("participant_metadata_changed")
        await ann.local.set_name("Doctor Ann")
        await bob.event("participant_name_changed")
        remote = bob.room.remote_participants["ann"]
        assert (remote.metadata, remote.name) == ("notes", "Doctor Ann")


async def test_metadata_needs_the_grant(single):
    async with pair(single) as (ann, bob):
        fixed = Member("fixed", ann.room_name, single)
        await fixed.connect(can_update_own_metadata=False)
        try:
            await until(lambda: "fixed" in bob.room.remote_participants, "fixed")
            # The SDK waits for the server's refusal, and keeps it to itself.
            await fixed.local.set_metadata("mine")
            await fixed.local.publish_data(b"done")
            await until(lambda: bob.data, "the message after it")
            assert bob.room.remote_participants["fixed"].metadata == ""
        finally:
            await fixed.room.disconnect()


async def test_data_tracks(single):
    async with pair(single) as (ann, bob):
        track = await ann.local.publish_data_track(name="pulse")
        (remote,) = await bob.event("data_track_published")
        assert (remote.info.name, remote.publisher_identity) == ("pulse", "ann")
        stream, frames = remote.subscribe(), []

        async def collect():
            async for frame in stream:
                frames.append(frame.payload)
                if len(frames) >= 10:
                    return

        task = asyncio.create_task(collect())
        async with asyncio.timeout(20):
            while not task.done():
                track.try_push(rtc.DataTrackFrame(payload=b"beat"))
                await asyncio.sleep(0.02)
        assert frames[0] == b"beat"
