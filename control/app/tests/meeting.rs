//! How a call moves its appointment: states, actual times, stays, and what time does by itself.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, at, caller};
use parley_control_app::{DeskView, Phase, RoomEvent};
use parley_control_domain::{AppointmentId, AppointmentState, EndReason, Party};

const TEN: &str = "2026-11-23T10:00:00Z";

struct Call {
    bench: Bench,
    id: AppointmentId,
    room: String,
    client: String,
    provider: String,
    client_token: String,
}

impl Call {
    /// Both are let in at 9:58 and not yet connected.
    async fn new() -> Self {
        let bench = Bench::new().await;
        let booked = bench.book(TEN).await;
        bench.clock.set(at("2026-11-23T09:58:00Z"));
        let (client_token, provider_token, room) = bench.admitted(&booked).await;
        let identity = async |token: &str| bench.app.join_view(token, &caller()).await.unwrap().identity;
        let (client, provider) = (identity(&client_token).await, identity(&provider_token).await);
        Self { id: booked.facts.appointment.id, room, client, provider, client_token, bench }
    }

    /// Both are connected: the provider from 9:59:10, the client from 10:00:03.
    async fn running() -> Self {
        let call = Self::new().await;
        call.joined(&call.provider, "P1", "2026-11-23T09:59:10Z").await;
        call.joined(&call.client, "C1", "2026-11-23T10:00:03Z").await;
        call
    }

    async fn joined(&self, identity: &str, session: &str, when: &str) {
        self.bench.joined(&self.room, identity, session, at(when)).await;
    }

    async fn left(&self, identity: &str, session: &str, when: &str) {
        self.bench.left(&self.room, identity, session, at(when)).await;
    }

    async fn tick(&self, when: &str) {
        self.bench.clock.set(at(when));
        self.bench.app.tick(at(when)).await.unwrap();
    }

    async fn desk(&self) -> DeskView {
        let doctor = self.bench.member("doctor@demo.test").await;
        self.bench.app.appointment(&doctor, self.id).await.unwrap()
    }

    async fn state(&self) -> AppointmentState {
        self.desk().await.meeting.appointment.state
    }
}

#[tokio::test]
async fn in_progress_when_both_are_connected_and_each_stay_is_written() {
    let call = Call::new().await;
    assert_eq!(call.state().await, AppointmentState::Waiting);
    call.joined(&call.provider, "P1", "2026-11-23T09:59:10Z").await;
    assert_eq!(call.state().await, AppointmentState::Waiting, "one side is not a consultation");
    call.joined(&call.client, "C1", "2026-11-23T10:00:03Z").await;
    let desk = call.desk().await;
    assert_eq!(desk.meeting.appointment.state, AppointmentState::InProgress);
    assert_eq!(desk.meeting.appointment.actual_start, Some(at("2026-11-23T10:00:03Z")));
    // The same report again changes nothing.
    call.joined(&call.client, "C1", "2026-11-23T10:00:09Z").await;
    assert_eq!(call.desk().await.meeting, desk.meeting);
    let stays: Vec<_> = desk.meeting.stays.iter().map(|s| (s.identity.clone(), s.joined_at)).collect();
    let expected = [
        (call.provider.clone(), at("2026-11-23T09:59:10Z")),
        (call.client.clone(), at("2026-11-23T10:00:03Z")),
    ];
    assert_eq!(stays, expected);
    assert_eq!(desk.meeting.stays[1].network.as_deref(), Some("udp"));
}

#[tokio::test]
async fn the_provider_ends_it_for_all() {
    let call = Call::running().await;
    call.bench.clock.set(at("2026-11-23T10:17:05Z"));
    let doctor = call.bench.member("doctor@demo.test").await;
    let desk = call.bench.app.end(&doctor, call.id).await.unwrap();
    let appointment = &desk.meeting.appointment;
    assert_eq!(appointment.state, AppointmentState::Completed);
    assert_eq!(appointment.actual_end, Some(at("2026-11-23T10:17:05Z")));
    assert_eq!(desk.meeting.consultations[0].end_reason, Some(EndReason::EndedByProvider));
    assert!(desk.meeting.stays.iter().all(|stay| stay.left_at == Some(at("2026-11-23T10:17:05Z"))));
    assert_eq!(call.bench.media.closed(), [call.room.as_str()]);
    // The reports of the closed room come later and change nothing.
    let before = call.desk().await.meeting;
    call.left(&call.client, "C1", "2026-11-23T10:17:06Z").await;
    call.left(&call.provider, "P1", "2026-11-23T10:17:06Z").await;
    assert_eq!(call.desk().await.meeting, before);
    let view = call.bench.app.join_view(&call.client_token, &caller()).await.unwrap();
    assert_eq!((view.phase, view.end_reason), (Phase::Ended, Some(EndReason::EndedByProvider)));
    // Who has an old token and connects finds the room closed again.
    call.joined(&call.client, "C2", "2026-11-23T10:18:00Z").await;
    assert_eq!(call.bench.media.closed().len(), 2);
    assert_eq!(call.desk().await.meeting.stays.len(), 2);
    assert_eq!(call.bench.app.end(&doctor, call.id).await.unwrap().meeting.appointment, before.appointment);
}

#[tokio::test]
async fn over_when_the_last_one_leaves_after_the_planned_end() {
    let call = Call::running().await;
    call.left(&call.client, "C1", "2026-11-23T10:31:00Z").await;
    assert_eq!(call.state().await, AppointmentState::InProgress);
    call.left(&call.provider, "P1", "2026-11-23T10:31:07Z").await;
    let meeting = call.desk().await.meeting;
    assert_eq!(meeting.appointment.state, AppointmentState::Completed);
    assert_eq!(meeting.appointment.actual_end, Some(at("2026-11-23T10:31:07Z")));
    assert_eq!(meeting.consultations[0].end_reason, Some(EndReason::LastLeft));
}

#[tokio::test]
async fn over_when_nobody_returns_for_a_minute() {
    let call = Call::running().await;
    call.left(&call.client, "C1", "2026-11-23T10:10:00Z").await;
    call.left(&call.provider, "P1", "2026-11-23T10:10:05Z").await;
    call.tick("2026-11-23T10:11:04Z").await;
    assert_eq!(call.state().await, AppointmentState::InProgress, "59 s");
    call.tick("2026-11-23T10:11:05Z").await;
    let meeting = call.desk().await.meeting;
    assert_eq!(meeting.appointment.state, AppointmentState::Completed);
    assert_eq!(meeting.appointment.actual_end, Some(at("2026-11-23T10:10:05Z")), "when the last one left");
    assert_eq!(meeting.consultations[0].end_reason, Some(EndReason::Abandoned));
}

#[tokio::test]
async fn who_returns_within_the_minute_goes_on() {
    let call = Call::running().await;
    call.left(&call.client, "C1", "2026-11-23T10:10:00Z").await;
    call.left(&call.provider, "P1", "2026-11-23T10:10:05Z").await;
    call.joined(&call.client, "C2", "2026-11-23T10:10:50Z").await;
    call.tick("2026-11-23T10:15:00Z").await;
    assert_eq!(call.state().await, AppointmentState::InProgress);
    assert_eq!(call.desk().await.meeting.stays.len(), 3);
    assert_eq!(call.desk().await.meeting.participants.len(), 2, "no second copy of anyone");
}

#[tokio::test]
async fn ends_by_itself_when_the_window_closes() {
    let call = Call::running().await;
    call.tick("2026-11-23T10:44:59Z").await;
    assert_eq!(call.state().await, AppointmentState::InProgress);
    call.tick("2026-11-23T10:45:01Z").await;
    let meeting = call.desk().await.meeting;
    assert_eq!(meeting.appointment.state, AppointmentState::Completed);
    assert_eq!(meeting.appointment.actual_end, Some(at("2026-11-23T10:45:00Z")));
    assert_eq!(meeting.consultations[0].end_reason, Some(EndReason::TimeUp));
    assert_eq!(call.bench.media.closed(), [call.room.as_str()]);
}

#[tokio::test]
async fn nobody_came_and_only_the_client_came() {
    let bench = Bench::new().await;
    let absent_client = bench.book(TEN).await.facts.appointment.id;
    let waited = bench.book("2026-11-23T10:30:00Z").await;
    bench.clock.set(at("2026-11-23T10:20:00Z"));
    bench.enter(&waited.join_token).await;
    let doctor = bench.member("doctor@demo.test").await;
    for (now, id, expected) in [
        ("2026-11-23T10:44:00Z", absent_client, AppointmentState::Scheduled),
        ("2026-11-23T10:45:00Z", absent_client, AppointmentState::NoShow),
        ("2026-11-23T11:14:00Z", waited.facts.appointment.id, AppointmentState::Waiting),
        ("2026-11-23T11:15:00Z", waited.facts.appointment.id, AppointmentState::NoShow),
    ] {
        bench.clock.set(at(now));
        bench.app.tick(at(now)).await.unwrap();
        assert_eq!(bench.app.appointment(&doctor, id).await.unwrap().meeting.appointment.state, expected);
    }
    let absent = async |id| bench.app.appointment(&doctor, id).await.unwrap().meeting.appointment.absent;
    assert_eq!(absent(absent_client).await, Some(Party::Client));
    assert_eq!(absent(waited.facts.appointment.id).await, Some(Party::Provider));
}

#[tokio::test]
async fn a_restart_closes_what_was_open_and_people_come_back() {
    let mut call = Call::running().await;
    call.bench.clock.set(at("2026-11-23T10:10:00Z"));
    call.bench.restart();
    // Someone is back before everything is settled: his new stay is not touched.
    call.joined(&call.client, "C2", "2026-11-23T10:10:04Z").await;
    call.bench.app.recover().await.unwrap();
    let left: Vec<_> = call.desk().await.meeting.stays.iter().map(|stay| stay.left_at).collect();
    assert_eq!(left, [Some(at("2026-11-23T10:10:00Z")), Some(at("2026-11-23T10:10:04Z")), None]);
    call.joined(&call.provider, "P2", "2026-11-23T10:10:05Z").await;
    call.tick("2026-11-23T10:20:00Z").await;
    assert_eq!(call.state().await, AppointmentState::InProgress);
    let actual_start = call.desk().await.meeting.appointment.actual_start;
    assert_eq!(actual_start, Some(at("2026-11-23T10:00:03Z")), "it did not begin anew");
}

#[tokio::test]
async fn a_planned_restart_ends_no_meeting_however_long_it_takes() {
    let mut call = Call::running().await;
    call.bench.app.stopping();
    call.left(&call.client, "C1", "2026-11-23T10:10:00Z").await;
    call.left(&call.provider, "P1", "2026-11-23T10:10:00Z").await;
    call.tick("2026-11-23T10:11:30Z").await;
    assert_eq!(call.state().await, AppointmentState::InProgress, "the old process judges no more");
    call.bench.clock.set(at("2026-11-23T10:13:00Z"));
    call.bench.restart();
    call.bench.app.recover().await.unwrap();
    call.tick("2026-11-23T10:13:59Z").await;
    assert_eq!(call.state().await, AppointmentState::InProgress, "a minute from the start");
    call.joined(&call.client, "C2", "2026-11-23T10:13:59Z").await;
    call.tick("2026-11-23T10:20:00Z").await;
    assert_eq!(call.state().await, AppointmentState::InProgress);
}

#[tokio::test]
async fn a_restart_after_the_planned_end_leaves_a_minute_to_come_back() {
    for planned in [true, false] {
        let mut call = Call::running().await;
        if planned {
            call.bench.app.stopping();
            call.left(&call.client, "C1", "2026-11-23T10:33:00Z").await;
            call.left(&call.provider, "P1", "2026-11-23T10:33:00Z").await;
        }
        call.bench.clock.set(at("2026-11-23T10:33:00Z"));
        call.bench.restart();
        call.bench.app.recover().await.unwrap();
        call.tick("2026-11-23T10:33:59Z").await;
        assert_eq!(call.state().await, AppointmentState::InProgress, "planned: {planned}");
        call.tick("2026-11-23T10:34:00Z").await;
        let meeting = call.desk().await.meeting;
        assert_eq!(meeting.appointment.state, AppointmentState::Completed, "planned: {planned}");
        assert_eq!(meeting.appointment.actual_end, Some(at("2026-11-23T10:33:00Z")));
        assert_eq!(meeting.consultations[0].end_reason, Some(EndReason::LastLeft));
    }
}

#[tokio::test]
async fn a_restart_closes_the_stay_of_one_who_was_still_alone() {
    let mut call = Call::new().await;
    call.joined(&call.provider, "P1", "2026-11-23T09:59:10Z").await;
    call.bench.clock.set(at("2026-11-23T10:01:00Z"));
    call.bench.restart();
    call.bench.app.recover().await.unwrap();
    assert_eq!(call.desk().await.meeting.stays[0].left_at, Some(at("2026-11-23T10:01:00Z")));
    call.joined(&call.client, "C1", "2026-11-23T10:02:00Z").await;
    assert_eq!(call.state().await, AppointmentState::Waiting, "the provider is not there");
    call.joined(&call.provider, "P2", "2026-11-23T10:03:00Z").await;
    let actual_start = call.desk().await.meeting.appointment.actual_start;
    assert_eq!(actual_start, Some(at("2026-11-23T10:03:00Z")));
}

#[tokio::test]
async fn a_sound_check_before_the_start_leaves_the_appointment_open() {
    let call = Call::new().await;
    call.joined(&call.provider, "P1", "2026-11-23T09:58:10Z").await;
    call.joined(&call.client, "C1", "2026-11-23T09:58:20Z").await;
    call.left(&call.client, "C1", "2026-11-23T09:59:00Z").await;
    call.left(&call.provider, "P1", "2026-11-23T09:59:05Z").await;
    call.tick("2026-11-23T10:05:00Z").await;
    assert_eq!(call.state().await, AppointmentState::InProgress);
    call.joined(&call.client, "C2", "2026-11-23T10:06:00Z").await;
    call.joined(&call.provider, "P2", "2026-11-23T10:06:10Z").await;
    call.left(&call.client, "C2", "2026-11-23T10:20:00Z").await;
    call.left(&call.provider, "P2", "2026-11-23T10:20:00Z").await;
    call.tick("2026-11-23T10:21:00Z").await;
    assert_eq!(call.state().await, AppointmentState::Completed);
}

#[tokio::test]
async fn a_request_that_is_dropped_still_closes_the_room() {
    let call = Call::running().await;
    let doctor = call.bench.member("doctor@demo.test").await;
    let held = call.bench.media.held.lock().await;
    let (app, id) = (std::sync::Arc::clone(&call.bench.app), call.id);
    let request = tokio::spawn(async move { app.end(&doctor, id).await.map(|_| ()) });
    call.bench.media.closing.notified().await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    drop(held);
    common::settle().await;
    assert_eq!(call.bench.media.closed(), [call.room.as_str()]);
    assert_eq!(call.state().await, AppointmentState::Completed);
}

#[tokio::test]
async fn a_finished_room_leaves_nobody_in_it() {
    let call = Call::running().await;
    let finished = RoomEvent::RoomFinished { room: call.room.clone(), at: at("2026-11-23T10:35:00Z") };
    call.bench.clock.set(at("2026-11-23T10:35:00Z"));
    call.bench.app.handle_room_event(&finished).await.unwrap();
    assert_eq!(call.state().await, AppointmentState::Completed);
    let unknown = RoomEvent::RoomFinished { room: "someone-elses".to_owned(), at: at(TEN) };
    call.bench.app.handle_room_event(&unknown).await.unwrap();
}

#[tokio::test]
async fn a_meeting_that_has_not_begun_is_cancelled_not_ended() {
    let call = Call::new().await;
    let doctor = call.bench.member("doctor@demo.test").await;
    let error = call.bench.app.end(&doctor, call.id).await.unwrap_err();
    assert_eq!(error.code, "appointment_not_started");
    call.joined(&call.provider, "P1", "2026-11-23T09:59:10Z").await;
    call.joined(&call.client, "C1", "2026-11-23T10:00:03Z").await;
    let error = call.bench.app.cancel_by_member(&doctor, call.id, Some("Ill")).await.unwrap_err();
    assert_eq!(error.code, "appointment_in_progress");
}

#[tokio::test]
async fn a_room_that_could_not_be_closed_is_closed_by_the_outbox() {
    let call = Call::running().await;
    call.bench.deliver().await;
    *call.bench.media.down.lock().unwrap() = true;
    let doctor = call.bench.member("doctor@demo.test").await;
    call.bench.app.end(&doctor, call.id).await.unwrap();
    assert!(call.bench.media.closed().is_empty());
    *call.bench.media.down.lock().unwrap() = false;
    call.bench.deliver().await;
    assert_eq!(call.bench.media.closed(), [call.room.as_str()]);
}

#[tokio::test]
async fn an_appointment_at_the_practice_is_no_no_show() {
    let bench = Bench::new().await;
    let service = bench.service("check-up").await;
    let mut request = bench.request("2026-11-25T10:00:00Z").await;
    request.service_id = service.id;
    let id = bench.app.book(&request, None, &caller()).await.unwrap().facts.appointment.id;
    bench.clock.set(at("2026-11-25T11:00:00Z"));
    bench.app.tick(bench.app.now()).await.unwrap();
    let doctor = bench.member("doctor@demo.test").await;
    let appointment = bench.app.appointment(&doctor, id).await.unwrap().meeting.appointment;
    assert_eq!((appointment.state, appointment.actual_start), (AppointmentState::Completed, None));
}

#[tokio::test]
async fn who_is_alone_in_the_room_of_an_appointment_at_the_practice_is_let_go() {
    let bench = Bench::new().await;
    let mut request = bench.request("2026-11-25T10:00:00Z").await;
    request.service_id = bench.service("check-up").await.id;
    let booked = bench.app.book(&request, None, &caller()).await.unwrap();
    bench.clock.set(at("2026-11-25T09:58:00Z"));
    let (token, _, room) = bench.admitted(&booked).await;
    let identity = bench.app.join_view(&token, &caller()).await.unwrap().identity;
    bench.joined(&room, &identity, "C1", at("2026-11-25T09:59:00Z")).await;
    bench.clock.set(at("2026-11-25T11:00:00Z"));
    bench.app.tick(bench.app.now()).await.unwrap();
    let doctor = bench.member("doctor@demo.test").await;
    let meeting = bench.app.appointment(&doctor, booked.facts.appointment.id).await.unwrap().meeting;
    assert_eq!(meeting.appointment.state, AppointmentState::Completed);
    assert_eq!(meeting.stays[0].left_at, Some(meeting.appointment.planned_close()));
    assert_eq!(bench.media.closed(), [room]);
}
