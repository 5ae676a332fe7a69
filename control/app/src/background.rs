//! What runs beside requests: the sweeper and the outbox worker.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// A meeting that everyone left ends within this after its grace.
const TICK: Duration = Duration::from_secs(2);
/// A job that nobody announced (written by another process, due for a retry) is seen within this.
const POLL: Duration = Duration::from_secs(5);
/// Meetings that a restart interrupted are settled again after this when that failed.
const RECOVER_AGAIN: Duration = Duration::from_secs(5);
const EXPIRE_EVERY: SignedDuration = SignedDuration::from_mins(10);

impl App {
    /// Runs until `stop` is cancelled: closes what a crash left open, sweeps and works the outbox.
    /// A failing database is logged and tried again.
    pub async fn run_background(self: Arc<Self>, stop: CancellationToken) {
        let recovery = Arc::clone(&self).recover_until(stop.clone());
        let sweeper = Arc::clone(&self).sweep_until(stop.clone());
        let outbox = self.deliver_until(stop);
        tokio::join!(recovery, sweeper, outbox);
    }

    /// Tries until it is done: a stay that is left open would keep its meeting going.
    async fn recover_until(self: Arc<Self>, stop: CancellationToken) {
        while let Err(error) = self.recover().await {
            tracing::error!(%error, "meetings that a restart interrupted could not be settled yet");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RECOVER_AGAIN) => {}
            }
        }
    }

    async fn sweep_until(self: Arc<Self>, stop: CancellationToken) {
        let mut timer = tokio::time::interval(TICK);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut expired_at = Timestamp::MIN;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = timer.tick() => {}
            }
            let now = self.now();
            if let Err(error) = self.tick(now).await {
                tracing::warn!(%error, "the sweeper is late");
            }
            if now.duration_since(expired_at) >= EXPIRE_EVERY {
                expired_at = now;
                if let Err(error) = self.store.sessions_expire(now).await {
                    tracing::warn!(%error, "ended sessions were not deleted");
                }
            }
        }
    }

    async fn deliver_until(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let taken = match self.work_outbox().await {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::warn!(%error, "the outbox is late");
                    0
                }
            };
            if stop.is_cancelled() {
                return;
            }
            if taken == 0 {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.job_added.notified() => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }
}
