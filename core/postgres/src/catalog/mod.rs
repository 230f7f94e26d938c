//! Small questions to the catalogs that many parts ask.
//!
//! Each works on every version from 10 on, as any role that may connect, unless its documentation says otherwise.

mod objects;
mod reader;

pub use reader::Detail;

use crate::error::PgError;
use crate::lsn::Lsn;
use crate::session::{Doing, Right, Session, SideMarker};
use pghaul_core::TableName;
use std::collections::BTreeMap;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};

/// Bytes by table.
pub type TableSizes = BTreeMap<TableName, u64>;

/// A database of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Whether anyone may connect.
    pub allows_connections: bool,
    /// Whether it is a template.
    pub is_template: bool,
    /// Its size in bytes, when the role may know it.
    pub size: Option<i64>,
    /// The name of its encoding, such as `UTF8`.
    pub encoding: String,
    /// `LC_COLLATE`.
    pub collate: String,
    /// `LC_CTYPE`.
    pub ctype: String,
    /// Where its collation comes from: `c` the C library, `i` ICU, `b` built in.
    pub locale_provider: char,
    /// The locale of ICU or the built-in provider.
    pub locale: Option<String>,
    /// How many may connect at a time; -1 is without limit.
    pub connection_limit: i32,
    /// Its owner.
    pub owner: String,
}

/// What the current role is and may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleFacts {
    /// Its name.
    pub name: String,
    /// A superuser.
    pub superuser: bool,
    /// The attribute REPLICATION.
    pub replication: bool,
    /// The attribute CREATEDB.
    pub create_database: bool,
    /// The attribute CREATEROLE.
    pub create_role: bool,
    /// The attribute BYPASSRLS.
    pub bypasses_row_security: bool,
    /// The roles that it is a member of, also through others; empty for a superuser, who needs none.
    pub member_of: Vec<String>,
    /// The attribute INHERIT: whether it has the rights of those roles. From PostgreSQL 16 on each membership says so itself.
    pub inherits: bool,
}

impl RoleFacts {
    /// Whether it may create slots, as far as the catalogs tell: by attribute, or by membership on services that
    /// do not give the attribute away.
    pub fn may_replicate(&self) -> bool {
        let granted = |role: &String| matches!(role.as_str(), "rds_replication" | "rds_superuser");
        self.superuser || self.replication || self.member_of.iter().any(granted)
    }

    /// Whether row-level security never hides rows from it.
    pub fn sees_all_rows(&self) -> bool {
        self.superuser || self.bypasses_row_security
    }
}

/// A publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Its name.
    pub name: String,
    /// `FOR ALL TABLES`.
    pub all_tables: bool,
    /// Whether it publishes inserts, updates, deletes and, where known, truncates.
    pub all_operations: bool,
    /// `publish_via_partition_root`.
    pub via_partition_root: bool,
    /// Its owner.
    pub owner: String,
    /// Its comment.
    pub comment: Option<String>,
}

/// A replication slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// `logical` or `physical`.
    pub kind: String,
    /// The output plugin of a logical slot.
    pub plugin: Option<String>,
    /// The database of a logical slot.
    pub database: Option<String>,
    /// The walsender that uses it now.
    pub active_pid: Option<i32>,
    /// WAL is kept from here on.
    pub restart_lsn: Option<Lsn>,
    /// The subscriber has confirmed everything before; none while the slot is being created.
    pub confirmed_flush_lsn: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved` or `lost`; none before PostgreSQL 13.
    pub wal_status: Option<String>,
    /// How many bytes may be written until it is in danger, where there is a limit.
    pub safe_wal_size: Option<i64>,
    /// Whether standbys keep a copy of it, with their `sync_replication_slots`; never before PostgreSQL 17.
    pub failover: bool,
    /// Whether it is such a copy: it was made while this server was a standby.
    pub synced: bool,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub enabled: bool,
    /// Its slot on the source.
    pub slot: Option<String>,
    /// Its publications on the source.
    pub publications: Vec<String>,
    /// Its owner.
    pub owner: String,
    /// Its comment.
    pub comment: Option<String>,
    /// Which changes it is sent, by where they were made: `any`, always so before PostgreSQL 16, or `none`.
    pub origin: String,
}

/// Columns of a row by position.
struct Columns<'a, R> {
    row: &'a Row,
    doing: &'a Doing<'a, R>,
}

impl<'a, R: Right> Columns<'a, R> {
    fn get<T: FromSql<'a>>(&self, index: usize) -> Result<T, PgError> {
        self.row.try_get(index).map_err(|error| self.doing.error(&error))
    }
}

impl<S: SideMarker, R: Right> Session<S, R> {
    /// All databases of the server, templates too.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn databases(&self) -> Result<Vec<Database>, PgError> {
        let (provider, locale) = match self.server_version() {
            170_000.. => ("d.datlocprovider", "d.datlocale"),
            150_000.. => ("d.datlocprovider", "d.daticulocale"),
            _ => ("'c'::\"char\"", "NULL::pg_catalog.text"),
        };
        let sql = include_str!("databases.sql")
            .replace("{provider}", provider)
            .replace("{locale}", locale);
        self.ask("list the databases", &sql, &[], |columns| {
            Ok(Database {
                name: columns.get(0)?,
                allows_connections: columns.get(1)?,
                is_template: columns.get(2)?,
                size: columns.get(3)?,
                encoding: columns.get(4)?,
                collate: columns.get(5)?,
                ctype: columns.get(6)?,
                locale_provider: char::from(u8::from_ne_bytes(columns.get::<i8>(7)?.to_ne_bytes())),
                locale: columns.get(8)?,
                connection_limit: columns.get(9)?,
                owner: columns.get(10)?,
            })
        })
        .await
    }

    /// The system identifier: the same for a server and its physical copies, different for all others.
    ///
    /// # Errors
    /// A service that hides `pg_control_system()`; a lost connection.
    pub async fn identity(&self) -> Result<String, PgError> {
        let sql = "SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()";
        self.ask_one("read the system identifier", sql, &[]).await
    }

    /// The timeline of the last checkpoint; it changes when a standby is promoted.
    ///
    /// # Errors
    /// As [`Session::identity`].
    pub async fn timeline(&self) -> Result<i32, PgError> {
        let sql = "SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()";
        self.ask_one("read the timeline", sql, &[]).await
    }

    /// Where the next WAL record goes. Not on a standby.
    ///
    /// # Errors
    /// The server is a standby; a lost connection.
    pub async fn wal_insert_lsn(&self) -> Result<Lsn, PgError> {
        self.ask_one(
            "read the WAL position",
            "SELECT pg_catalog.pg_current_wal_insert_lsn()",
            &[],
        )
        .await
    }

    /// Up to which position the server has written its WAL to disk.
    ///
    /// # Errors
    /// A lost connection, or a server that is a standby.
    pub async fn wal_flush_lsn(&self) -> Result<Lsn, PgError> {
        self.ask_one(
            "read the WAL position",
            "SELECT pg_catalog.pg_current_wal_flush_lsn()",
            &[],
        )
        .await
    }

    /// Whether the server is a standby.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn is_standby(&self) -> Result<bool, PgError> {
        self.ask_one(
            "see whether the server is a standby",
            "SELECT pg_catalog.pg_is_in_recovery()",
            &[],
        )
        .await
    }

    /// A setting's value; none when this server does not know it.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, PgError> {
        self.ask_one(
            "read a setting",
            "SELECT pg_catalog.current_setting($1, true)",
            &[&name],
        )
        .await
    }

    /// What the current role is and may do.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn role(&self) -> Result<RoleFacts, PgError> {
        let found = self.ask(
            "read the role's rights",
            include_str!("role.sql"),
            &[],
            |columns| {
                Ok(RoleFacts {
                    name: columns.get(0)?,
                    superuser: columns.get(1)?,
                    replication: columns.get(2)?,
                    create_database: columns.get(3)?,
                    create_role: columns.get(4)?,
                    bypasses_row_security: columns.get(5)?,
                    member_of: columns.get(6)?,
                    inherits: columns.get(7)?,
                })
            },
        );
        let gone = || {
            let message = "the current role is not in pg_roles";
            PgError::new(
                pghaul_core::Code::ServerError,
                self.place(),
                "read the role's rights",
                message,
            )
        };
        found.await?.pop().ok_or_else(gone)
    }

    /// The size in bytes of every table of this database that holds rows of users, with TOAST and without indexes, by
    /// schema and name.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn table_sizes(&self) -> Result<TableSizes, PgError> {
        let sizes = self
            .ask(
                "measure the tables",
                include_str!("table_sizes.sql"),
                &[],
                |columns| {
                    // A table that was dropped meanwhile has no size.
                    let bytes: Option<i64> = columns.get(2)?;
                    let name = TableName {
                        schema: columns.get(0)?,
                        name: columns.get(1)?,
                    };
                    Ok((name, bytes.unwrap_or(0).unsigned_abs()))
                },
            )
            .await?;
        Ok(sizes.into_iter().collect())
    }

    /// A publication of this database.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn publication(&self, name: &str) -> Result<Option<Publication>, PgError> {
        let version = self.server_version();
        let sql = include_str!("publication.sql")
            .replace(
                "{truncate}",
                if version >= 110_000 {
                    "p.pubtruncate"
                } else {
                    "true"
                },
            )
            .replace(
                "{via_root}",
                if version >= 130_000 {
                    "p.pubviaroot"
                } else {
                    "false"
                },
            );
        let mut found = self
            .ask("look for a publication", &sql, &[&name], |columns| {
                Ok(Publication {
                    name: columns.get(0)?,
                    all_tables: columns.get(1)?,
                    all_operations: columns.get(2)?,
                    via_partition_root: columns.get(3)?,
                    owner: columns.get(4)?,
                    comment: columns.get(5)?,
                })
            })
            .await?;
        Ok(found.pop())
    }

    /// A replication slot of the server.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn slot(&self, name: &str) -> Result<Option<Slot>, PgError> {
        let version = self.server_version();
        let (wal_status, safe_wal_size) = if version >= 130_000 {
            ("s.wal_status", "s.safe_wal_size")
        } else {
            ("NULL::pg_catalog.text", "NULL::pg_catalog.int8")
        };
        let followed = if version >= 170_000 {
            "s.failover, s.synced"
        } else {
            "false, false"
        };
        let sql = include_str!("slot.sql")
            .replace("{wal_status}", wal_status)
            .replace("{safe_wal_size}", safe_wal_size)
            .replace("{followed}", followed);
        let mut found = self
            .ask("look for a replication slot", &sql, &[&name], |columns| {
                Ok(Slot {
                    name: columns.get(0)?,
                    kind: columns.get(1)?,
                    plugin: columns.get(2)?,
                    database: columns.get(3)?,
                    active_pid: columns.get(4)?,
                    restart_lsn: columns.get(5)?,
                    confirmed_flush_lsn: columns.get(6)?,
                    wal_status: columns.get(7)?,
                    safe_wal_size: columns.get(8)?,
                    failover: columns.get(9)?,
                    synced: columns.get(10)?,
                })
            })
            .await?;
        Ok(found.pop())
    }

    /// A subscription of this database.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn subscription(&self, name: &str) -> Result<Option<Subscription>, PgError> {
        let origin = if self.server_version() >= 160_000 {
            "s.suborigin"
        } else {
            "'any'"
        };
        let sql = include_str!("subscription.sql").replace("{origin}", origin);
        let mut found = self
            .ask("look for a subscription", &sql, &[&name], |columns| {
                Ok(Subscription {
                    name: columns.get(0)?,
                    enabled: columns.get(1)?,
                    slot: columns.get(2)?,
                    publications: columns.get(3)?,
                    owner: columns.get(4)?,
                    comment: columns.get(5)?,
                    origin: columns.get(6)?,
                })
            })
            .await?;
        Ok(found.pop())
    }

    /// The conninfo of a subscription of this database, **with its password**; `None` where the role may not read it,
    /// which by default only a superuser may.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn subscription_conninfo(&self, name: &str) -> Result<Option<String>, PgError> {
        let doing = self.doing("look how a subscription connects");
        let may = include_str!("may_read_conninfo.sql");
        let row = doing.query_one(may, &[]).await?;
        if !row.try_get(0).map_err(|error| doing.error(&error))? {
            return Ok(None);
        }
        let found = doing
            .query_opt(include_str!("subscription_conninfo.sql"), &[&name])
            .await?;
        found
            .map(|row| row.try_get(0).map_err(|error| doing.error(&error)))
            .transpose()
    }

    async fn ask<T>(
        &self,
        operation: &str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        read: impl Fn(Columns<'_, R>) -> Result<T, PgError>,
    ) -> Result<Vec<T>, PgError> {
        let doing = self.doing(operation);
        let rows = doing.query(sql, parameters).await?;
        rows.iter()
            .map(|row| read(Columns { row, doing: &doing }))
            .collect()
    }

    async fn ask_one<T>(
        &self,
        operation: &str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<T, PgError>
    where
        T: for<'a> FromSql<'a>,
    {
        let doing = self.doing(operation);
        let row = doing.query_one(sql, parameters).await?;
        row.try_get(0).map_err(|error| doing.error(&error))
    }
}
