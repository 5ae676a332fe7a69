//! Bugs on purpose: each must be found, by the law that it breaks, within few
//! seeds. A check that finds nothing would let this fail.

use crate::{
    faults::Fault,
    plan::{Action, Plan},
    problem::{Law, Problem},
    run, shrink,
};

/// Seeds within which a bug must be found.
const WITHIN: u64 = 200;

fn found(fault: Fault) -> Option<(u64, Problem)> {
    (0..WITHIN).find_map(|seed| Some((seed, run(&plan(seed, fault), fault).err()?)))
}

/// A bug that changes ranks changes what is left out for overload: that would be found first.
fn plan(seed: u64, fault: Fault) -> Plan {
    let mut plan = Plan::new(seed);
    if matches!(fault, Fault::Unfair | Fault::ScreenLast) {
        plan.actions.retain(|planned| !matches!(planned.action, Action::Overload(_)));
    }
    plan
}

/// The first problem of each seed must be one of `laws`.
fn finds(fault: Fault, laws: &[Law]) {
    let (seed, problem) = found(fault).unwrap_or_else(|| panic!("{fault:?} is not found"));
    assert!(laws.contains(&problem.law), "{fault:?} is taken for something else, seed {seed}: {problem}");
}

#[test]
fn packets_to_those_who_may_not_have_them() {
    finds(Fault::ForwardsMuted, &[Law::Permission, Law::Requests]);
    finds(Fault::KeepsDetached, &[Law::Permission]);
    finds(Fault::KeepsLeft, &[Law::Permission]);
    finds(Fault::IgnoresDisabled, &[Law::Permission]);
}

#[test]
fn jumps_of_numbers() {
    finds(Fault::SkipsNumber, &[Law::Sequence]);
    finds(Fault::RepeatsNumber, &[Law::Sequence]);
    finds(Fault::TimestampJumps, &[Law::Timestamp]);
    finds(Fault::PictureJumps, &[Law::Picture]);
    finds(Fault::Tl0Jumps, &[Law::Picture]);
}

#[test]
fn pictures_that_cannot_be_decoded() {
    finds(Fault::SwitchesWithoutKeyframe, &[Law::Keyframe, Law::Reference]);
    finds(Fault::LosesReference, &[Law::Reference, Law::Keyframe, Law::Sequence, Law::Picture]);
    finds(Fault::NoKeyframeRequests, &[Law::Best, Law::Pause, Law::Decodable]);
}

#[test]
fn bandwidth_divided_badly() {
    // The first packet that comes after what was starved is no beginning.
    finds(Fault::StarvesSound, &[Law::Sound, Law::Header]);
    finds(Fault::HearsAll, &[Law::Sound]);
    finds(Fault::HearsOne, &[Law::Sound]);
    finds(Fault::IgnoresFall, &[Law::Budget]);
    finds(Fault::IgnoresRise, &[Law::Best, Law::Sound]);
    finds(Fault::Unfair, &[Law::Fair]);
    finds(Fault::ScreenLast, &[Law::Rank]);
    finds(Fault::SilentDynacast, &[Law::Dynacast]);
}

#[test]
fn overload_and_caps() {
    finds(Fault::IgnoresOverload, &[Law::Overload]);
    finds(Fault::StaysOverloaded, &[Law::Pause, Law::Best, Law::Dynacast, Law::Fair]);
    finds(Fault::IgnoresCap, &[Law::Best, Law::Quality]);
    finds(Fault::CutsForever, &[Law::Pause, Law::Best]);
    finds(Fault::SilentCap, &[Law::Quality]);
}

#[test]
fn redundant_sound() {
    finds(Fault::AlwaysRepeats, &[Law::Redundancy]);
    finds(Fault::NeverRepeats, &[Law::Redundancy]);
}

#[test]
fn clients_told_too_little_or_too_much() {
    finds(Fault::SilentPause, &[Law::Pause]);
    finds(Fault::SpeaksForever, &[Law::Speakers]);
    finds(Fault::Chatters, &[Law::Queue]);
    finds(Fault::StuckTimers, &[Law::Timers]);
}

#[test]
fn a_failing_plan_gets_short() {
    let fault = Fault::KeepsDetached;
    let (seed, problem) = found(fault).unwrap();
    let plan = Plan::new(seed);
    let short = shrink::shrink(&plan, problem.law, fault);
    // Join, publish, open, show, detach, and some of which there must be as many for these to be picked.
    assert!(
        short.actions.len() * 10 <= plan.actions.len(),
        "{} of {}",
        short.actions.len(),
        plan.actions.len()
    );
    assert_eq!(run(&short, fault).unwrap_err().law, problem.law);
    assert!(run(&short, Fault::None).is_ok(), "without the bug it passes");
}
