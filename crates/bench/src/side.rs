//! One of the sides that are measured in turns: its clients, and what their slices showed.

use apus_env::Env;

use crate::figures::Figures;
use crate::instance::{descendants, processor_time};
use crate::load::{Client, Limit, drive};

/// A side.
pub(crate) struct Side<C> {
    clients: Vec<C>,
    /// The process whose processor time is looked at, with those that it started.
    server: Option<u32>,
    /// What is done in a second: a sample for each slice.
    pub(crate) rate: Figures,
    /// What a step takes, in microseconds: a sample for each.
    pub(crate) latency: Figures,
    /// What one of what is counted takes of the server's processors, in microseconds: a sample for each slice.
    pub(crate) processor: Figures,
}

impl<C: Client> Side<C> {
    pub(crate) fn new(clients: Vec<C>) -> Self {
        let [rate, latency, processor] = ["/s", "us", "us"].map(Figures::new);
        Self { clients, server: None, rate, latency, processor }
    }

    /// A side whose clients ask that process.
    pub(crate) fn of(server: u32, clients: Vec<C>) -> Self {
        Self { server: Some(server), ..Self::new(clients) }
    }

    /// Has the clients do their work until the limit. A turn that only warms up leaves no samples.
    pub(crate) async fn turn(&mut self, env: &Env, limit: Limit, warms_up: bool) -> Result<(), String> {
        let spent = |server: u32| processor_time(descendants(server));
        let before = self.server.map(spent);
        let slice = drive(env, std::mem::take(&mut self.clients), limit).await?;
        self.clients = slice.clients;
        if warms_up {
            return Ok(());
        }
        if let (Some(server), Some(before)) = (self.server, before) {
            let took = spent(server).saturating_sub(before);
            self.processor.push(took.as_secs_f64() * 1e6 / slice.units.max(1) as f64);
        }
        self.rate.push(slice.per_second);
        self.latency.extend(slice.micros);
        Ok(())
    }
}
