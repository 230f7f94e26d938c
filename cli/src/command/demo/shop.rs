//! What the demo moves, and the people who keep ordering meanwhile.

use pghaul_core::{Code, Failure};
use pghaul_postgres::{PgError, ReadWrite, Server, Session, Source};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Between two orders.
const PAUSE: Duration = Duration::from_millis(4);

const ORDER: &str = "WITH placed AS (
    INSERT INTO public.orders (customer, total) VALUES ($1, 9.50) RETURNING customer, total)
UPDATE public.customers c SET balance = c.balance + placed.total FROM placed WHERE c.id = placed.customer";

/// The role that moves the databases.
pub(super) const MOVER: &str = "mover";

/// Creates the roles, and creates and fills the databases.
pub(super) async fn fill(source: &Server<Source>) -> Result<(), PgError> {
    let session: Session<Source, ReadWrite> = source.connect("postgres").await?;
    session
        .doing("create the roles")
        .batch(include_str!("roles.sql"))
        .await?;
    session
        .doing("create a database")
        .batch("CREATE DATABASE shop OWNER shop_owner")
        .await?;
    session
        .doing("create a database")
        .batch("CREATE DATABASE stats")
        .await?;
    for (database, sql) in [
        ("shop", include_str!("shop.sql")),
        ("stats", include_str!("stats.sql")),
    ] {
        let inside: Session<Source, ReadWrite> = source.connect(database).await?;
        inside.doing("fill a database").batch(sql).await?;
    }
    Ok(())
}

/// A task that places orders until it is stopped.
pub(super) struct Shoppers {
    closed: CancellationToken,
    task: JoinHandle<Result<u64, PgError>>,
}

impl Shoppers {
    /// Opens the shop.
    pub(super) fn start(source: Server<Source>) -> Self {
        let closed = CancellationToken::new();
        let task = tokio::spawn(order(source, closed.clone()));
        Self { closed, task }
    }

    /// Closes the shop. Returns how many orders were placed.
    pub(super) async fn stop(self) -> Result<u64, Failure> {
        self.closed.cancel();
        match self.task.await {
            Ok(orders) => Ok(orders.map_err(|error| {
                let failure = Failure::from(error);
                let message = format!("an order was refused: {}", failure.message);
                Failure {
                    code: Code::Bug,
                    message,
                    ..failure
                }
            })?),
            Err(error) => Err(Failure::bug(format!("the demo's shoppers ended: {error}"))),
        }
    }
}

/// One after another; an order that fails or waits would show that the source is disturbed.
async fn order(source: Server<Source>, closed: CancellationToken) -> Result<u64, PgError> {
    let session: Session<Source, ReadWrite> = source.connect("shop").await?;
    let mut orders: u64 = 0;
    while !closed.is_cancelled() {
        let customer = i64::try_from(orders * 31 % 2000).unwrap_or_default() + 1;
        session
            .doing("place an order")
            .execute(ORDER, &[&customer])
            .await?;
        orders += 1;
        tokio::time::sleep(PAUSE).await;
    }
    session.close().await;
    Ok(orders)
}
