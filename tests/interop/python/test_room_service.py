"""Every call of the server API by `livekit-api`, with real participants in the room."""

import asyncio
import contextlib
import time
import uuid

import pytest
from livekit import api, rtc
from livekit.protocol import models

from servers import server
from support import KEY, PATIENCE_S, SECRET, URL, Member, camera, loudness, microphone, pictures, token, until


@contextlib.asynccontextmanager
async def admin(url: str = None, secret: str = SECRET):
    client = api.LiveKitAPI((url or URL).replace("ws", "http", 1), KEY, secret)
    try:
        yield client
    finally:
        await client.aclose()


@contextlib.asynccontextmanager
async def people(*identities: str, room: str = None, **grants):
    """Connected members of a new room."""
    name = room or f"interop-{uuid.uuid4()}"
    members = [Member(identity, name, True) for identity in identities]
    try:
        for member in members:
            await member.connect(**grants)
        for member in members:
            await until(lambda: len(member.room.remote_participants) == len(members) - 1, "the others")
        yield members
    finally:
        await asyncio.gather(*(member.room.disconnect() for member in members), return_exceptions=True)


async def quiet(track: rtc.Track):
    """Waits until nothing is heard any more. The SDK says nothing of tracks that the server takes away."""
    async with asyncio.timeout(PATIENCE_S):
        while await loudness(track, 0.5) > 100:
            pass


async def heard(track: rtc.Track):
    async with asyncio.timeout(PATIENCE_S):
        while await loudness(track, 0.5) < 1_000:
            pass


async def refused(call) -> api.TwirpError:
    with pytest.raises(api.TwirpError) as caught:
        await call
    return caught.value


async def test_rooms_are_made_listed_changed_and_deleted():
    name = f"interop-{uuid.uuid4()}"
    async with admin() as lk:
        request = api.CreateRoomRequest(
            name=name, empty_timeout=60, departure_timeout=30, max_participants=7, metadata="first"
        )
        room = await lk.room.create_room(request)
        assert room.sid.startswith("RM_") and room.creation_time > time.time() - 60
        assert (room.empty_timeout, room.departure_timeout, room.max_participants) == (60, 30, 7)
        assert (room.metadata, room.num_participants) == ("first", 0)
        again = await lk.room.create_room(api.CreateRoomRequest(name=name, max_participants=9))
        assert (again.sid, again.metadata, again.max_participants, again.empty_timeout) == (room.sid, "first", 9, 60)
        listed = await lk.room.list_rooms(api.ListRoomsRequest(names=[name, "nobody-knows-this-one"]))
        assert [found.sid for found in listed.rooms] == [room.sid]
        assert room.sid in [found.sid for found in (await lk.room.list_rooms(api.ListRoomsRequest())).rooms]
        changed = await lk.room.update_room_metadata(api.UpdateRoomMetadataRequest(room=name, metadata="second"))
        assert (changed.metadata, changed.sid) == ("second", room.sid)
        await lk.room.delete_room(api.DeleteRoomRequest(room=name))
        assert not (await lk.room.list_rooms(api.ListRoomsRequest(names=[name]))).rooms
        fresh = await lk.room.create_room(api.CreateRoomRequest(name=name))
        assert fresh.sid != room.sid and fresh.metadata == "", "another life of the room"
        await lk.room.delete_room(api.DeleteRoomRequest(room=name))


async def test_who_is_in_a_deleted_room_is_told():
    async with admin() as lk, people("ann", "bob") as (ann, bob):
        await lk.room.delete_room(api.DeleteRoomRequest(room=ann.room_name))
        for member in (ann, bob):
            assert (await member.event("disconnected"))[0] == rtc.DisconnectReason.ROOM_DELETED


async def test_participants_are_listed_and_read():
    async with admin() as lk, people("ann", "bob") as (ann, bob):
        async with microphone(ann) as (_, publication):
            await bob.subscribed(publication.sid)
            listed = await lk.room.list_participants(api.ListParticipantsRequest(room=ann.room_name))
            assert sorted(found.identity for found in listed.participants) == ["ann", "bob"]
            who = api.RoomParticipantIdentity(room=ann.room_name, identity="ann")
            info = await lk.room.get_participant(who)
            assert (info.sid, info.name, info.attributes["role"]) == (ann.local.sid, "Ann", "tester")
            assert info.state == models.ParticipantInfo.State.ACTIVE and info.joined_at > time.time() - 60
            assert [track.sid for track in info.tracks] == [publication.sid]
            room = (await lk.room.list_rooms(api.ListRoomsRequest(names=[ann.room_name]))).rooms[0]
            assert (room.num_participants, room.num_publishers) == (2, 1)


async def test_a_removed_participant_does_not_come_back():
    async with admin() as lk, people("ann", "bob") as (ann, bob):
        old = token("ann", ann.room_name)
        who = api.RoomParticipantIdentity(room=ann.room_name, identity="ann")
        await lk.room.remove_participant(who)
        assert (await ann.event("disconnected"))[0] == rtc.DisconnectReason.PARTICIPANT_REMOVED
        await bob.event("participant_disconnected")
        with pytest.raises(rtc.ConnectError):
            await asyncio.wait_for(rtc.Room().connect(URL, old), 20)
        assert (await refused(lk.room.remove_participant(who))).code == "not_found"
        # A later token is good again; tokens tell whole seconds.
        await asyncio.sleep(1.1)
        again = Member("ann", ann.room_name, True)
        await again.connect()
        await again.room.disconnect()


async def test_tokens_are_revoked_up_to_a_moment():
    async with admin() as lk, people("ann") as (ann,):
        ahead = int(time.time()) + 3_600
        who = api.RoomParticipantIdentity(room=ann.room_name, identity="ann", revoke_token_ts=ahead)
        await lk.room.remove_participant(who)
        await ann.event("disconnected")
        await asyncio.sleep(1.1)
        with pytest.raises(rtc.ConnectError):
            await asyncio.wait_for(rtc.Room().connect(URL, token("ann", ann.room_name)), 20)


async def test_tracks_are_muted_and_not_unmuted():
    async with admin() as lk, people("ann", "bob") as (ann, bob):
        async with microphone(ann) as (_, publication):
            await bob.subscribed(publication.sid)
            request = api.MuteRoomTrackRequest(
                room=ann.room_name, identity="ann", track_sid=publication.sid, muted=True
            )
            response = await lk.room.mute_published_track(request)
            assert response.track.sid == publication.sid and response.track.muted
            await bob.event("track_muted")
            await until(lambda: publication.muted, "the mute at ann")
            request.muted = False
            fault = await refused(lk.room.mute_published_track(request))
            assert (fault.code, fault.status) == ("failed_precondition", 412)
            request.track_sid = "TR_unknown"
            assert (await refused(lk.room.mute_published_track(request))).code == "not_found"


async def test_tracks_are_unmuted_where_that_is_allowed():
    async with server(rooms_remote_unmute="true") as (url, _), admin(url) as lk:
        ann = Member("ann", "r", True)
        await ann.room.connect(url, token("ann", "r"))
        async with microphone(ann) as (_, publication):
            request = api.MuteRoomTrackRequest(room="r", identity="ann", track_sid=publication.sid, muted=True)
            await lk.room.mute_published_track(request)
            await until(lambda: publication.muted, "the mute")
            request.muted = False
            assert not (await lk.room.mute_published_track(request)).track.muted
            await until(lambda: not publication.muted, "the unmute")
        await ann.room.disconnect()


async def test_name_metadata_and_attributes_reach_the_others():
    async with admin() as lk, people("ann", "bob") as (ann, bob):
        request = api.UpdateParticipantRequest(
            room=ann.room_name, identity="ann", name="Doctor Ann", metadata="notes", attributes={"hand": "up", "role": ""}
        )
        info = await lk.room.update_participant(request)
        assert (info.name, info.metadata, dict(info.attributes)) == ("Doctor Ann", "notes", {"hand": "up"})
        at_bob = bob.room.remote_participants["ann"]
        await until(lambda: at_bob.name == "Doctor Ann" and at_bob.metadata == "notes", "name and metadata at bob")
        await until(lambda: dict(at_bob.attributes) == {"hand": "up"}, "attributes at bob")
        await until(lambda: ann.local.name == "Doctor Ann", "its own name at ann")
        too_long = api.UpdateParticipantRequest(room=ann.room_name, identity="ann", metadata="x" * 70_000)
        assert (await refused(lk.room.update_participant(too_long))).code == "invalid_argument"


async def test_permissions_take_effect_at_once():
    async with admin() as lk, people("ann", "bob") as (ann, bob):

        async def permit(identity, **permission):
            request = api.UpdateParticipantRequest(room=ann.room_name, identity=identity)
            request.permission.CopyFrom(models.ParticipantPermission(**permission))
            return (await lk.room.update_participant(request)).permission

        async with microphone(ann) as (_, publication):
            track = await bob.subscribed(publication.sid)
            await heard(track)
            given = await permit("bob", can_subscribe=False, can_publish=True, can_publish_data=True)
            assert not given.can_subscribe
            await quiet(track)
            bob.tracks.clear()
            await permit("bob", can_subscribe=True, can_publish=True, can_publish_data=True)
            await heard(await bob.subscribed(publication.sid))
            await permit("ann", can_subscribe=True, can_publish=False, can_publish_data=False)
            await bob.event("track_unpublished")
            await ann.local.publish_data(b"not for anybody")
            await bob.local.publish_data(b"for ann")
            await until(lambda: ann.data, "the data of bob")
            assert not bob.data
        who = api.RoomParticipantIdentity(room=ann.room_name, identity="ann")
        assert not (await lk.room.get_participant(who)).tracks
        await permit("ann", can_subscribe=True, can_publish=True, can_publish_data=True)
        bob.tracks.clear()
        async with microphone(ann) as (_, publication):
            await heard(await bob.subscribed(publication.sid))


async def test_subscriptions_are_changed():
    async with admin() as lk, people("ann", "bob") as (ann, bob):
        async with microphone(ann) as (_, publication):
            track = await bob.subscribed(publication.sid)
            await heard(track)
            request = api.UpdateSubscriptionsRequest(
                room=ann.room_name, identity="bob", track_sids=[publication.sid], subscribe=False
            )
            await lk.room.update_subscriptions(request)
            await quiet(track)
            bob.tracks.clear()
            tracks = models.ParticipantTracks(participant_sid=ann.local.sid, track_sids=[publication.sid])
            request = api.UpdateSubscriptionsRequest(
                room=ann.room_name, identity="bob", participant_tracks=[tracks], subscribe=True
            )
            await lk.room.update_subscriptions(request)
            await heard(await bob.subscribed(publication.sid))


async def test_data_goes_to_whom_it_is_for():
    async with admin() as lk, people("ann", "bob", "eve") as (ann, bob, eve):
        room, reliable, lossy = ann.room_name, models.DataPacket.Kind.RELIABLE, models.DataPacket.Kind.LOSSY

        def message(data, kind=reliable, **rest):
            return lk.room.send_data(api.SendDataRequest(room=room, data=data, kind=kind, topic="desk", **rest))

        await message(b"all")
        await message(b"bob", destination_identities=["bob"])
        await message(b"eve", lossy, destination_sids=[eve.local.sid])
        await message(b"end")
        for member, expected in ((ann, {b"all", b"end"}), (bob, {b"all", b"bob", b"end"}), (eve, {b"all", b"eve", b"end"})):
            await until(lambda: {packet.data for packet in member.data} >= expected, f"the data at {member.identity}")
            assert {packet.data for packet in member.data} == expected
            assert all(packet.topic == "desk" and packet.participant is None for packet in member.data)
        fault = await refused(message(b"x" * 100_000))
        assert fault.code == "invalid_argument"


async def test_room_metadata_reaches_those_inside():
    async with admin() as lk, people("ann") as (ann,):
        await lk.room.update_room_metadata(api.UpdateRoomMetadataRequest(room=ann.room_name, metadata="agenda"))
        await until(lambda: ann.room.metadata == "agenda", "the metadata")


async def test_a_participant_is_moved():
    async with admin() as lk, people("ann", "bob") as (ann, bob):
        destination = f"interop-{uuid.uuid4()}"
        async with people("eve", room=destination) as (eve,), microphone(ann) as (_, publication):
            await bob.subscribed(publication.sid)
            moved = []
            ann.room.on("moved", lambda: moved.append(ann.room.name))
            await lk.room.move_participant(
                api.MoveParticipantRequest(room=ann.room_name, identity="ann", destination_room=destination)
            )
            await until(lambda: "ann" in eve.room.remote_participants, "ann at eve")
            await until(lambda: "ann" not in bob.room.remote_participants, "no ann at bob")
            track = await until(lambda: next(iter(eve.tracks.values()), None), "the microphone at eve")
            await heard(track)
            await until(lambda: set(ann.room.remote_participants) == {"eve"}, "eve alone at ann")
            assert moved and ann.count("disconnected") == 0
            here = await lk.room.list_participants(api.ListParticipantsRequest(room=destination))
            assert sorted(found.identity for found in here.participants) == ["ann", "eve"]


async def test_nobody_is_moved_into_a_full_room():
    async with admin() as lk, people("ann") as (ann,):
        destination = f"interop-{uuid.uuid4()}"
        await lk.room.create_room(api.CreateRoomRequest(name=destination, max_participants=1))
        async with people("eve", room=destination):
            move = api.MoveParticipantRequest(room=ann.room_name, identity="ann", destination_room=destination)
            fault = await refused(lk.room.move_participant(move))
            assert (fault.code, fault.status) == ("resource_exhausted", 429)
        assert ann.count("disconnected") == 0
        move.destination_room = ann.room_name
        assert (await refused(lk.room.move_participant(move))).code == "invalid_argument"
        forward = api.ForwardParticipantRequest(room=ann.room_name, identity="ann", destination_room=destination)
        assert (await refused(lk.room.forward_participant(forward))).code == "unimplemented"


async def test_full_rooms_refuse_with_a_reason():
    async with admin() as lk:
        name = f"interop-{uuid.uuid4()}"
        await lk.room.create_room(api.CreateRoomRequest(name=name, max_participants=1))
        async with people("ann", room=name):
            with pytest.raises(rtc.ConnectError):
                await asyncio.wait_for(rtc.Room().connect(URL, token("bob", name)), 20)
            await lk.room.create_room(api.CreateRoomRequest(name=name, max_participants=2))
            bob = Member("bob", name, True)
            await bob.connect()
            await bob.room.disconnect()


async def test_a_token_says_what_its_room_is_made_with():
    name = f"interop-{uuid.uuid4()}"
    config = api.RoomConfiguration(empty_timeout=77, departure_timeout=5, max_participants=1, metadata="of the token")
    jwt = (
        api.AccessToken(KEY, SECRET)
        .with_identity("ann")
        .with_grants(api.VideoGrants(room_join=True, room=name))
        .with_room_config(config)
        .to_jwt()
    )
    ann = Member("ann", name, True)
    await ann.room.connect(URL, jwt)
    async with admin() as lk:
        room = (await lk.room.list_rooms(api.ListRoomsRequest(names=[name]))).rooms[0]
        assert (room.empty_timeout, room.departure_timeout, room.max_participants) == (77, 5, 1)
        assert room.metadata == "of the token"
    await ann.room.disconnect()


async def test_unknown_names_are_not_found():
    async with admin() as lk, people("ann") as (ann,):
        here, nowhere = ann.room_name, "no-such-room"
        calls = [
            lk.room.delete_room(api.DeleteRoomRequest(room=nowhere)),
            lk.room.list_participants(api.ListParticipantsRequest(room=nowhere)),
            lk.room.send_data(api.SendDataRequest(room=nowhere, data=b"x")),
            lk.room.update_room_metadata(api.UpdateRoomMetadataRequest(room=nowhere, metadata="x")),
        ]
        for room in (here, nowhere):
            who = api.RoomParticipantIdentity(room=room, identity="nobody")
            calls += [
                lk.room.get_participant(who),
                lk.room.remove_participant(who),
                lk.room.mute_published_track(api.MuteRoomTrackRequest(room=room, identity="nobody", muted=True)),
                lk.room.update_participant(api.UpdateParticipantRequest(room=room, identity="nobody", name="x")),
                lk.room.update_subscriptions(api.UpdateSubscriptionsRequest(room=room, identity="nobody")),
                lk.room.move_participant(
                    api.MoveParticipantRequest(room=room, identity="nobody", destination_room="elsewhere")
                ),
            ]
        for call in calls:
            fault = await refused(call)
            assert (fault.code, fault.status) == ("not_found", 404), fault


async def test_wrong_secrets_and_missing_grants_are_told_apart():
    async with people("ann") as (ann,):
        async with admin(secret="guess" * 8) as forger:
            fault = await refused(forger.room.list_rooms(api.ListRoomsRequest()))
            assert (fault.code, fault.status) == ("unauthenticated", 401)
        async with admin() as lk:
            grants = {
                "CreateRoom": (api.CreateRoomRequest(name="x"), api.VideoGrants(room_list=True)),
                "ListRooms": (api.ListRoomsRequest(), api.VideoGrants(room_create=True)),
                "DeleteRoom": (api.DeleteRoomRequest(room=ann.room_name), api.VideoGrants(room_admin=True, room=ann.room_name)),
            }
            elsewhere = api.VideoGrants(room_admin=True, room="another", room_create=True, room_list=True)
            room = ann.room_name
            for method, request in {
                "ListParticipants": api.ListParticipantsRequest(room=room),
                "GetParticipant": api.RoomParticipantIdentity(room=room, identity="ann"),
                "RemoveParticipant": api.RoomParticipantIdentity(room=room, identity="ann"),
                "MutePublishedTrack": api.MuteRoomTrackRequest(room=room, identity="ann"),
                "UpdateParticipant": api.UpdateParticipantRequest(room=room, identity="ann", name="x"),
                "UpdateSubscriptions": api.UpdateSubscriptionsRequest(room=room, identity="ann"),
                "SendData": api.SendDataRequest(room=room, data=b"x"),
                "UpdateRoomMetadata": api.UpdateRoomMetadataRequest(room=room, metadata="x"),
                "MoveParticipant": api.MoveParticipantRequest(room=room, identity="ann", destination_room="another"),
                "ForwardParticipant": api.ForwardParticipantRequest(room=room, identity="ann", destination_room="another"),
            }.items():
                grants[method] = (request, elsewhere)
            for method, (request, grant) in grants.items():
                headers = lk.room._auth_header(grant)
                call = lk.room._client.request("RoomService", method, request, headers, api.Room)
                fault = await refused(call)
                assert (fault.code, fault.status) == ("permission_denied", 403), method
            # A move needs a grant for the destination, too.
            headers = lk.room._auth_header(api.VideoGrants(room_admin=True, room=room))
            move = api.MoveParticipantRequest(room=room, identity="ann", destination_room="another")
            fault = await refused(lk.room._client.request("RoomService", "MoveParticipant", move, headers, api.Room))
            assert fault.code == "permission_denied"
        assert ann.count("disconnected") == 0


async def test_methods_are_called_at_a_participant():
    from livekit.protocol.room import PerformRpcRequest, PerformRpcResponse

    async with admin() as lk, people("ann") as (ann,):

        @ann.local.register_rpc_method("greet")
        async def greet(call: rtc.RpcInvocationData) -> str:
            return f"hello {call.payload}"

        @ann.local.register_rpc_method("fail")
        async def fail(call: rtc.RpcInvocationData) -> str:
            raise rtc.RpcError(101, "sorry", "details")

        def call(method, payload="desk", identity="ann"):
            request = PerformRpcRequest(
                room=ann.room_name, destination_identity=identity, method=method, payload=payload, response_timeout_ms=5_000
            )
            headers = lk.room._auth_header(api.VideoGrants(room_admin=True, room=ann.room_name))
            return lk.room._client.request("RoomService", "PerformRpc", request, headers, PerformRpcResponse)

        assert (await call("greet")).payload == "hello desk"
        fault = await refused(call("fail"))
        assert fault.code == "internal" and "101: sorry: details" in fault.message
        assert (await refused(call("unknown"))).code == "invalid_argument"
        assert (await refused(call("greet", "x" * 20_000))).code == "malformed"
        assert (await refused(call("greet", identity="nobody"))).code == "not_found"
        assert (await refused(call("greet", identity=""))).code == "invalid_argument"


async def test_limits_of_the_server_hold_and_say_so():
    settings = {"limits_rooms": 2, "limits_participants_per_room": 1, "limits_tracks_per_participant": 1, "rooms_auto_create": "false"}
    async with server(**settings) as (url, _), admin(url) as lk:
        with pytest.raises(rtc.ConnectError):
            await asyncio.wait_for(rtc.Room().connect(url, token("ann", "r")), 20)
        await lk.room.create_room(api.CreateRoomRequest(name="r"))
        await lk.room.create_room(api.CreateRoomRequest(name="s"))
        fault = await refused(lk.room.create_room(api.CreateRoomRequest(name="t")))
        assert (fault.code, fault.status) == ("resource_exhausted", 429)
        ann = Member("ann", "r", True)
        await ann.room.connect(url, token("ann", "r"))
        with pytest.raises(rtc.ConnectError):
            await asyncio.wait_for(rtc.Room().connect(url, token("bob", "r")), 20)
        async with microphone(ann):
            extra = rtc.LocalVideoTrack.create_video_track("camera", rtc.VideoSource(64, 64))
            # This SDK waits in vain; the server's answer to it is tested in the crate.
            with pytest.raises(Exception):
                await asyncio.wait_for(ann.local.publish_track(extra, rtc.TrackPublishOptions()), 20)
            who = api.RoomParticipantIdentity(room="r", identity="ann")
            assert [track.type for track in (await lk.room.get_participant(who)).tracks] == [models.TrackType.AUDIO]
        await ann.room.disconnect()


async def test_a_publisher_keeps_to_the_bitrate_it_is_told():
    async def sent_kbps(**settings) -> float:
        async with server(**settings) as (url, _):
            ann, bob = Member("ann", "r", True), Member("bob", "r", True)
            await ann.room.connect(url, token("ann", "r"))
            await bob.room.connect(url, token("bob", "r"))
            encoding = rtc.VideoEncoding(max_bitrate=2_000_000, max_framerate=30)
            async with camera(ann, simulcast=False, video_encoding=encoding) as (track, publication):
                await pictures(await bob.subscribed(publication.sid), 60)
                stats = [entry.outbound_rtp for entry in await track.get_stats() if entry.HasField("outbound_rtp")]
            await asyncio.gather(ann.room.disconnect(), bob.room.disconnect())
            return sum(entry.outbound.target_bitrate for entry in stats) / 1_000

    assert await sent_kbps() > 300
    assert 0 < await sent_kbps(limits_publish_kbps=150) <= 150
