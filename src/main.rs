//! `parley`: consultations by video in one program. Command line and wiring; no logic.

mod adapters;
mod cli;
mod config;
mod keys;
mod listeners;
mod loadtest;
mod metrics;
mod pages;
mod serve;
mod telemetry;
mod tls;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
