//! Webhooks as LiveKit sends them: JSON `WebhookEvent`s, signed with an API secret.
//!
//! Every address has a queue of its own. Events of one room go to it one after the other, in
//! their order, also while one of them is tried again; rooms do not wait for each other. What
//! the queue cannot take is dropped and counted in the next event (`numDropped`).

mod deliver;
mod lanes;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI32, Ordering},
};
use std::time::Duration;

use livekit_protocol as proto;
use tokio::sync::{Semaphore, TryAcquireError, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::deliver::{Delivery, Queued};
use crate::{config::SignalingConfig, token::TokenMinter};

/// Takes the events of all rooms. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Emptied when the service stops: the deliveries then end with what they have.
    addresses: Mutex<Vec<Address>>,
    tasks: TaskTracker,
    give_up: CancellationToken,
}

#[derive(Debug)]
struct Address {
    queue: mpsc::Sender<Queued>,
    /// One for each event that may still wait.
    places: Arc<Semaphore>,
    dropped: Arc<AtomicI32>,
}

impl Webhooks {
    /// Starts a task for each address, if there is any. Needs a runtime only then.
    pub(crate) fn start(config: &SignalingConfig, minter: TokenMinter) -> Self {
        let (tasks, give_up) = (TaskTracker::new(), CancellationToken::new());
        let places = config.limits.webhook_queue.max(1);
        let key = config.webhooks.api_key.clone().or_else(|| config.keys.keys().next().cloned());
        let mut addresses = Vec::new();
        for url in &config.webhooks.urls {
            let Some(delivery) = Delivery::new(url, key.clone().unwrap_or_default(), minter.clone()) else {
                tracing::error!(url, "webhooks are not sent: the address is not usable");
                continue;
            };
            let (queue, receiver) = mpsc::channel(places);
            tasks.spawn(delivery.run(receiver, give_up.clone()));
            addresses.push(Address {
                queue,
                places: Arc::new(Semaphore::new(places)),
                dropped: Arc::default(),
            });
        }
        tasks.close();
        Self { shared: Arc::new(Shared { addresses: Mutex::new(addresses), tasks, give_up }) }
    }

    /// Hands an event to every address. Never waits.
    pub(crate) fn notify(&self, event: proto::WebhookEvent) {
        let addresses = self.shared.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        for address in addresses.iter() {
            address.push(event.clone());
        }
    }

    /// Sends what is still to be sent, for at most `limit`; events come no more.
    pub(crate) async fn flush(&self, limit: Duration) {
        self.shared.addresses.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if tokio::time::timeout(limit, self.shared.tasks.wait()).await.is_err() {
            self.shared.give_up.cancel();
            self.shared.tasks.wait().await;
        }
    }
}

impl Address {
    fn push(&self, mut event: proto::WebhookEvent) {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!("webhooks are dropped: their receiver does not keep up");
                }
                return;
            }
        };
        #[allow(deprecated)]
        {
            event.num_dropped = self.dropped.swap(0, Ordering::Relaxed);
        }
        // There is room: the queue has as many places as there are permits.
        if self.queue.try_send(Queued::new(event, place)).is_err() {
            tracing::error!("a webhook is lost: its delivery has ended");
        }
    }
}

#[cfg(test)]
mod tests;
