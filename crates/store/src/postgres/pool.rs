//! The pool of reading connections.

use std::sync::Arc;

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult},
};

use super::{
    connection::{Connection, Engine, PATIENCE},
    failure::Failure,
};

/// Makes connections for the pool.
pub(super) struct Manager(pub(super) Arc<Engine>);

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = Failure;

    async fn create(&self) -> Result<Connection, Failure> {
        self.0.connect().await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Failure> {
        if connection.client.is_closed() {
            return Err(RecycleError::message("closed"));
        }
        Ok(())
    }
}

/// Connections that are lent out for one read each.
pub(super) type Pool = managed::Pool<Manager>;

/// Makes a pool of at most `size` connections; none is made before it is needed.
pub(super) fn pool(engine: Arc<Engine>, size: usize) -> Result<Pool, managed::BuildError> {
    Pool::builder(Manager(engine))
        .max_size(size)
        .wait_timeout(Some(PATIENCE))
        .runtime(Runtime::Tokio1)
        .build()
}

/// Borrows a connection.
pub(super) async fn borrow(pool: &Pool) -> Result<Object<Manager>, Failure> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(failure) => failure,
        _ => Failure::Slow("the wait for a reading connection"),
    })
}
