//! A short run without a fuzzer: the kept inputs, and mutations of them from a seed.
//! What fails is written to `fuzz/artifacts`, and then belongs into the corpus.
//!
//! Longer: `PARLEY_FUZZ_RUNS=1000000 cargo test --release -p parley-fuzz`; other
//! inputs: `PARLEY_FUZZ_SEED=n`; one target: its name as the filter of the tests.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use parley_fuzz::TARGETS;

/// Mutations of each target, without optimisation and with.
const RUNS: u64 = if cfg!(debug_assertions) { 2_000 } else { 40_000 };
const MAX_BYTES: usize = 16 * 1024;
const MAX_MUTATIONS: u64 = 6;
/// Values at the edges of fields.
const EDGES: [u8; 10] = [0, 1, 2, 0x0f, 0x10, 0x7f, 0x80, 0x90, 0xfe, 0xff];

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn mutate(corpus: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut data = corpus[rng.below(corpus.len())].clone();
    for _ in 0..=rng.next() % MAX_MUTATIONS {
        let at = rng.below(data.len() + 1);
        let length = 1 + rng.below(16);
        let end = (at + length).min(data.len());
        match rng.next() % 9 {
            0 | 1 if at < data.len() => data[at] ^= 1 << rng.below(8),
            2 if at < data.len() => data[at] = EDGES[rng.below(EDGES.len())],
            3 if at < data.len() => data[at] = rng.next() as u8,
            4 => data.insert(at, rng.next() as u8),
            5 => drop(data.drain(at..end)),
            6 => data.truncate(at),
            7 => {
                let copy = data[at..end].to_vec();
                let to = rng.below(data.len() + 1);
                data.splice(to..to, copy);
            }
            _ => {
                let other = &corpus[rng.below(corpus.len())];
                let from = rng.below(other.len());
                let to = (from + 4 * length).min(other.len());
                data.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
    data.truncate(MAX_BYTES);
    data
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn attempt(name: &str, target: fn(&[u8]), data: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(data))).is_err() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts").join(name);
        fs::create_dir_all(&folder).unwrap();
        let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let path = folder.join(format!("{hash:016x}"));
        fs::write(&path, data).unwrap();
        panic!("{name} fails with {}", path.display());
    }
}

fn short(name: &str) {
    let (_, target) = TARGETS.iter().find(|(other, _)| *other == name).unwrap();
    let corpus = corpus(name);
    assert!(!corpus.is_empty());
    for data in &corpus {
        attempt(name, *target, data);
    }
    let mut rng = Rng(number("PARLEY_FUZZ_SEED").unwrap_or(1));
    for _ in 0..number("PARLEY_FUZZ_RUNS").unwrap_or(RUNS) {
        let data = mutate(&corpus, &mut rng);
        attempt(name, *target, &data);
    }
}

#[test]
fn room() {
    short("room");
}

#[test]
fn datagram() {
    short("datagram");
}

#[test]
fn description() {
    short("description");
}

#[test]
fn join_params() {
    short("join_params");
}

#[test]
fn token() {
    short("token");
}

#[test]
fn requests() {
    short("requests");
}

#[test]
fn stun() {
    short("stun");
}

#[test]
fn payload() {
    short("payload");
}

#[test]
fn dependencies() {
    short("dependencies");
}

#[test]
fn redundancy() {
    short("redundancy");
}

#[test]
fn feedback() {
    short("feedback");
}
