//! A worker that does not keep up: what a watcher on a good network sees and hears.

use std::time::Duration;

use parley_loadtest::network::Scenario;
use parley_media_core::{Overload, ParticipantKey};
use str0m::Candidate;
use tokio::sync::oneshot;

use super::world::{MESSAGE_BYTES, Poor, Simulation};
use crate::{
    PeerMode, codecs,
    command::{Command, RoomCommand},
};

const SPAN: Duration = Duration::from_secs(6);

struct Watched {
    simulation: Simulation,
    begun: Duration,
}

impl Watched {
    fn begin() -> Self {
        let scenario = Scenario::named("good-wifi").unwrap();
        let mut simulation = Simulation::new(&scenario, Poor::Watcher);
        simulation.set_up(scenario.seed);
        let begun = simulation.now - simulation.start;
        simulation.advance(Duration::from_secs(8));
        Self { simulation, begun }
    }

    /// Has the worker leave that out; the last four seconds of a span, when it has settled:
    /// frames shown, their highest temporal layer, and changes told.
    fn at(&mut self, overload: Overload) -> (usize, Option<u8>, Vec<bool>) {
        let simulation = &mut self.simulation;
        let told = simulation.recording.pauses.len();
        simulation.worker.set_overload(overload, &simulation.link.metrics, simulation.now);
        simulation.advance(SPAN);
        let from = simulation.now - simulation.start - Duration::from_secs(4);
        let shown = simulation.recording.picture.shown().iter().filter(|shown| shown.at >= from);
        let told = simulation.recording.pauses[told..].iter().map(|(_, paused)| *paused).collect();
        (shown.clone().count(), shown.map(|shown| shown.temporal).max(), told)
    }
}

#[test]
fn pictures_thin_and_pause_and_come_back_while_sound_goes_on() {
    let mut watched = Watched::begin();
    let (whole, top, told) = watched.at(Overload::None);
    assert!(whole > 100 && top > Some(0) && told.is_empty(), "{whole} {top:?}");
    let (thin, top, told) = watched.at(Overload::Thin);
    assert!((20..=40).contains(&thin) && top == Some(0) && told.is_empty(), "{thin} {top:?}");
    assert_eq!(watched.at(Overload::Few), (0, None, vec![true]), "a camera that nobody has pinned");
    assert_eq!(watched.simulation.link.metrics.overload_level.value(), 2);
    assert_eq!(watched.simulation.link.metrics.video_shed.value(), 1);
    assert_eq!(watched.at(Overload::SoundOnly), (0, None, vec![]));
    let (thin, _, told) = watched.at(Overload::Thin);
    assert!((20..=40).contains(&thin) && told == [false], "{thin} {told:?}");
    let (again, top, told) = watched.at(Overload::None);
    assert!(again > 100 && top > Some(0) && told.is_empty(), "{again} {top:?}");
    let (begun, end) = (watched.begun, watched.simulation.now - watched.simulation.start);
    let sound = watched.simulation.recording.sound_down.play(begun, end, &[]);
    assert_eq!(sound.interruptions, []);
    assert!(sound.packets > 2_000, "{}", sound.packets);
}

#[test]
fn nobody_new_is_taken_in_with_sound_alone() {
    let mut watched = Watched::begin();
    let simulation = &mut watched.simulation;
    let join = |simulation: &mut Simulation, overload| {
        simulation.worker.set_overload(overload, &simulation.link.metrics, simulation.now);
        let candidate = Candidate::host(simulation.server, "udp").unwrap();
        let rtc = codecs::build(&[candidate], MESSAGE_BYTES).unwrap();
        let (reply, mut answer) = oneshot::channel();
        let command = RoomCommand::Join(ParticipantKey(3), PeerMode::Single, vec![rtc], reply);
        assert!(simulation.link.commands.try_send(Command::Room(simulation.room, command)).is_ok());
        simulation.turn();
        answer.try_recv().unwrap()
    };
    assert!(matches!(join(simulation, Overload::SoundOnly), Err(crate::MediaError::Limit(_))));
    assert_eq!(simulation.link.metrics.dropped_joins.value(), 1);
    assert!(join(simulation, Overload::Few).is_ok());
}
