"""Sessions that break and are taken up again."""

import asyncio

import pytest
from livekit import rtc
from livekit.rtc import SimulateScenarioKind

from support import camera, pair, pictures, until


@pytest.fixture(params=[True, False], ids=["single", "dual"])
def single(request):
    return request.param


async def test_a_broken_signal_connection_is_resumed_in_place(single):
    async with pair(single) as (ann, bob), camera(ann) as (_, video):
        remote = await bob.subscribed(video.sid)
        await pictures(remote, 5)
        sid = ann.local.sid
        await ann.room.simulate_scenario(SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT)
        await ann.event("reconnected")
        assert ann.local.sid == sid
        assert len(await pictures(remote, 10)) == 10, "the same track goes on"
        assert bob.count("participant_disconnected") == bob.count("track_unpublished") == 0
        await ann.local.publish_data(b"after the resume")
        await until(lambda: bob.data, "data after the resume")


async def test_a_full_reconnect_comes_back_with_its_tracks(single):
    async with pair(single) as (ann, bob), camera(ann) as (_, video):
        await pictures(await bob.subscribed(video.sid), 5)
        old = ann.local.sid
        bob.tracks.clear()
        await ann.room.simulate_scenario(SimulateScenarioKind.SIMULATE_FULL_RECONNECT)
        await ann.event("reconnected", 30)
        await until(lambda: len(bob.tracks) == 1, "the track again")
        assert len(await pictures(next(iter(bob.tracks.values())), 5)) == 5
        assert len(bob.room.remote_participants) == 1
        assert bob.room.remote_participants["ann"].sid != old


async def test_the_server_can_send_a_client_away(single):
    async with pair(single) as (ann, bob):
        await ann.room.simulate_scenario(SimulateScenarioKind.SIMULATE_SERVER_LEAVE)
        (reason,) = await ann.event("disconnected")
        assert reason == rtc.DisconnectReason.PARTICIPANT_REMOVED
        (left,) = await bob.event("participant_disconnected")
        assert left.identity == "ann"
