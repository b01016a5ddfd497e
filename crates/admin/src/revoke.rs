//! Ending the sessions of credentials on every gateway (I7).

use std::sync::Arc;

use futures_util::future::join_all;
use model::CredentialId;
use rpc::{Call, Gateway, Revoked};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use crate::role::Role;

impl Role {
    /// Returns when every gateway has confirmed, or its lease has lapsed.
    pub(crate) async fn revoke_everywhere(&self, call: &Call, credentials: Vec<CredentialId>) -> Revoked {
        let until = Instant::now() + self.config.lease;
        let asked = self.deps.gateways.all().into_iter().map(|(node, gateway)| {
            let credentials = credentials.clone();
            async move {
                let confirmed = timeout_at(until, self.revoke_on(call, gateway, credentials, until)).await;
                if confirmed.is_err() {
                    warn!(gateway = %node, "gateway did not confirm a revocation, its lease has lapsed");
                    self.metrics.revoke_lapsed.inc();
                }
                confirmed.ok()
            }
        });
        let mut revoked = Revoked::default();
        for confirmed in join_all(asked).await {
            match confirmed {
                Some(sessions) => revoked.sessions = revoked.sessions.saturating_add(sessions),
                None => revoked.lapsed += 1,
            }
        }
        revoked
    }

    /// Repeats until the gateway confirms; whoever waits decides how long. A gateway that is not there may
    /// only be out of reach, so its failure confirms nothing.
    async fn revoke_on(
        &self,
        call: &Call,
        gateway: Arc<dyn Gateway>,
        credentials: Vec<CredentialId>,
        until: Instant,
    ) -> u32 {
        let mut pause = self.config.retry_min;
        loop {
            let ring = self.ring();
            let onward = self.onward(call, &ring, until.saturating_duration_since(Instant::now()));
            match gateway.revoke(&onward, credentials.clone()).await {
                Ok(sessions) => return sessions,
                Err(_) => sleep(pause).await,
            }
            pause = pause.saturating_mul(2).min(self.config.retry_max);
        }
    }
}
