"""A call between two unmodified clients, over one and over two peer connections."""

import asyncio
import uuid

import pytest
from livekit import rtc

from support import HEIGHT, WIDTH, Member, camera, loudness, microphone, pair, pictures, until


@pytest.fixture(params=[True, False], ids=["single", "dual"])
def single(request):
    return request.param


async def test_joining_tells_who_is_there(single):
    async with pair(single) as (ann, bob):
        other = bob.room.remote_participants["ann"]
        assert other.name == "Ann"
        assert other.attributes["role"] == "tester"
        assert other.sid.startswith("PA_")
        assert (await bob.room.sid).startswith("RM_")
        assert len(ann.room.remote_participants) == len(bob.room.remote_participants) == 1


async def test_pictures_and_sound_arrive(single):
    async with pair(single) as (ann, bob), camera(ann) as (_, video), microphone(ann) as (_, audio):
        frames = await pictures(await bob.subscribed(video.sid), 30)
        assert len(frames) == 30
        # The first pictures may be of a lower layer.
        assert WIDTH / 4 <= frames[-1].width <= WIDTH and HEIGHT / 4 <= frames[-1].height <= HEIGHT
        assert len({bytes(frame.data[:4]) for frame in frames}) > 5, "the picture moves"
        assert await loudness(await bob.subscribed(audio.sid), 2.0) > 1_000
        (told,) = await ann.event("local_track_subscribed")
        assert told.sid in (video.sid, audio.sid)
        (speakers,) = await bob.event("active_speakers_changed")
        assert [speaker.identity for speaker in speakers] == ["ann"]


async def test_both_ways_at_once(single):
    async with pair(single) as (ann, bob):
        async with camera(ann) as (_, from_ann), camera(bob) as (_, from_bob):
            at_bob, at_ann = await bob.subscribed(from_ann.sid), await ann.subscribed(from_bob.sid)
            results = await asyncio.gather(pictures(at_bob, 15), pictures(at_ann, 15))
            assert [len(frames) for frames in results] == [15, 15]


async def test_who_comes_later_gets_what_is_there(single):
    async with pair(single) as (ann, _), camera(ann) as (_, video), microphone(ann) as (_, audio):
        late = Member("late", ann.room_name, single)
        await late.connect()
        try:
            assert len(await pictures(await late.subscribed(video.sid), 10)) == 10
            assert await loudness(await late.subscribed(audio.sid), 1.0) > 1_000
        finally:
            await late.room.disconnect()
        (left,) = await ann.event("participant_disconnected")
        assert left.identity == "late"


async def test_mute_and_unmute(single):
    async with pair(single) as (ann, bob), microphone(ann) as (track, publication):
        remote = await bob.subscribed(publication.sid)
        assert await loudness(remote, 0.5) > 1_000
        track.mute()
        await bob.event("track_muted")
        assert bob.room.remote_participants["ann"].track_publications[publication.sid].muted
        track.unmute()
        await bob.event("track_unmuted")
        assert await loudness(remote, 2.0) > 1_000


async def test_unpublish_and_publish_again(single):
    async with pair(single) as (ann, bob):
        for round in range(3):
            async with camera(ann) as (_, publication):
                assert len(await pictures(await bob.subscribed(publication.sid), 5)) == 5
                await ann.local.unpublish_track(publication.sid)
                await until(lambda: bob.count("track_unpublished") == round + 1, "the end of the track")
                assert publication.sid not in bob.room.remote_participants["ann"].track_publications


async def test_unsubscribe_and_subscribe_again(single):
    async with pair(single) as (ann, bob), camera(ann) as (_, video):
        await pictures(await bob.subscribed(video.sid), 3)
        publication = bob.room.remote_participants["ann"].track_publications[video.sid]
        bob.tracks.clear()
        publication.set_subscribed(False)
        await bob.event("track_unsubscribed")
        publication.set_subscribed(True)
        assert len(await pictures(await bob.subscribed(video.sid), 5)) == 5


async def test_publisher_decides_who_subscribes(single):
    async with pair(single) as (ann, bob):
        ann.local.set_track_subscription_permissions(allow_all_participants=False)
        async with camera(ann) as (_, video):
            await bob.event("track_published")
            await asyncio.sleep(1.0)
            assert video.sid not in bob.tracks
            ann.local.set_track_subscription_permissions(allow_all_participants=True)
            assert len(await pictures(await bob.subscribed(video.sid), 3)) == 3


async def test_leaving_is_told(single):
    async with pair(single) as (ann, bob):
        await bob.room.disconnect()
        (left,) = await ann.event("participant_disconnected")
        assert left.identity == "bob"
        assert not ann.room.remote_participants


async def test_the_same_identity_replaces_itself(single):
    async with pair(single) as (ann, bob):
        second = Member("bob", ann.room_name, single)
        await second.connect()
        try:
            (reason,) = await bob.event("disconnected")
            assert reason == rtc.DisconnectReason.DUPLICATE_IDENTITY
            await until(lambda: "bob" in ann.room.remote_participants, "the second bob")
            sid = second.local.sid
            await until(lambda: ann.room.remote_participants["bob"].sid == sid, "the second bob's sid")
            assert len(ann.room.remote_participants) == 1
        finally:
            await second.room.disconnect()


async def test_many_participants_in_one_room(single):
    room = f"interop-{uuid.uuid4()}"
    members = [Member(f"member-{number}", room, single) for number in range(5)]
    try:
        await asyncio.gather(*(member.connect() for member in members))
        for member in members:
            await until(lambda: len(member.room.remote_participants) == 4, "all others")
        async with microphone(members[0]) as (_, first), microphone(members[1]) as (_, second):
            for member in members[2:]:
                assert await loudness(await member.subscribed(first.sid), 0.5) > 1_000
                assert await loudness(await member.subscribed(second.sid), 0.5) > 1_000
    finally:
        await asyncio.gather(*(member.room.disconnect() for member in members))
