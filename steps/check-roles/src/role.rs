//! A role of the source, and which of its attributes pghaul's role on the target can give.

use pghaul_step::Failure;
use pghaul_step::postgres::{ReadOnly, Row, Session, Source, Target};

/// Roles by which hosting services run their servers: on another server they are only names.
const OF_PROVIDERS: &[&str] = &[
    "azure",
    "cloud_admin",
    "cloudsql",
    "alloydb",
    "neon_superuser",
    "rds_",
    "rdsadmin",
    "rdsrepladmin",
];

/// The form of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Md5,
    Scram,
    Unknown,
}

/// A role of the source.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) reserved: bool,
    pub(crate) superuser: bool,
    pub(crate) replication: bool,
    pub(crate) bypasses_row_security: bool,
    pub(crate) create_database: bool,
    pub(crate) can_login: bool,
    pub(crate) hash: Option<Hash>,
}

impl Role {
    fn of(row: &Row) -> Self {
        Self {
            name: row.get("name"),
            reserved: row.get("reserved"),
            superuser: row.get("rolsuper"),
            replication: row.get("rolreplication"),
            bypasses_row_security: row.get("rolbypassrls"),
            create_database: row.get("rolcreatedb"),
            can_login: row.get("rolcanlogin"),
            hash: row.get::<_, Option<&str>>("hash").map(|hash| match hash {
                "md5" => Hash::Md5,
                "scram" => Hash::Scram,
                _ => Hash::Unknown,
            }),
        }
    }
}

pub(crate) fn is_of_provider(name: &str) -> bool {
    OF_PROVIDERS.iter().any(|prefix| name.starts_with(prefix))
}

/// Reads the source's roles, and tells whether their passwords could be read.
pub(crate) async fn read(source: &Session<Source, ReadOnly>) -> Result<(Vec<Role>, bool), Failure> {
    let doing = source.doing("read the roles");
    let sql = "SELECT pg_catalog.has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')";
    let readable: bool = doing.query_one(sql, &[]).await?.get(0);
    let hash = if readable {
        include_str!("hash.sql")
    } else {
        "NULL::text"
    };
    let rows = doing
        .query(&include_str!("roles.sql").replace("{hash}", hash), &[])
        .await?;
    Ok((rows.iter().map(Role::of).collect(), readable))
}

/// pghaul's role on the target.
#[derive(Debug, Clone)]
pub(crate) struct Giver {
    pub(crate) superuser: bool,
    replication: bool,
    bypasses_row_security: bool,
    create_database: bool,
    version: u32,
}

impl Giver {
    pub(crate) async fn of(target: &Session<Target, ReadOnly>) -> Result<Self, Failure> {
        let role = target.role().await?;
        Ok(Self {
            superuser: role.superuser,
            replication: role.replication,
            bypasses_row_security: role.bypasses_row_security,
            create_database: role.create_database,
            version: target.server_version(),
        })
    }

    /// The attributes that a role loses, see [CREATE ROLE](https://www.postgresql.org/docs/current/sql-createrole.html):
    /// from PostgreSQL 16 on one gives what one has, before only a superuser gives the powerful ones.
    pub(crate) fn cannot_give(&self, role: &Role) -> Vec<&'static str> {
        if self.superuser {
            return Vec::new();
        }
        let own = self.version >= 160_000;
        let lost = [
            ("SUPERUSER", role.superuser),
            ("REPLICATION", role.replication && !(own && self.replication)),
            (
                "BYPASSRLS",
                role.bypasses_row_security && !(own && self.bypasses_row_security),
            ),
            ("CREATEDB", role.create_database && own && !self.create_database),
        ];
        lost.into_iter()
            .filter(|(_, lost)| *lost)
            .map(|(name, _)| name)
            .collect()
    }
}
