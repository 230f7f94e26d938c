//! What is defined in a database: a digest of every object that a user has made.
//!
//! One statement, so one snapshot. It takes no lock that waits for anything but `ACCESS EXCLUSIVE`.

mod naming;

use crate::error::PgError;
use crate::session::{Right, Session, SideMarker};
use pghaul_core::drift::Definitions;
use pghaul_core::{Code, Mapping};

/// A few tries: an object that is dropped while its definition is printed makes the statement fail.
const TRIES: usize = 3;

/// Where the versions of PostgreSQL differ: the placeholder, the first version that has it, what it is from then on and
/// before.
const DIFFERENCES: [(&str, u32, &str, &str); 8] = [
    (
        "{procedure_kind}",
        110_000,
        "p.prokind",
        "p.proisagg, p.proiswindow",
    ),
    ("{generated}", 120_000, "a.attgenerated", "''"),
    ("{compression}", 140_000, "a.attcompression", "''"),
    (
        "{detach_pending}",
        140_000,
        "CASE WHEN i.inhdetachpending THEN ' detached' ELSE '' END",
        "''",
    ),
    (
        "{sql_body}",
        140_000,
        "pg_catalog.pg_get_function_sqlbody(p.oid)",
        "NULL",
    ),
    ("{parameters}", 150_000, include_str!("parameters.sql"), ""),
    (
        "{membership_options}",
        160_000,
        "m.inherit_option, m.set_option, m.grantor::pg_catalog.regrole",
        "''",
    ),
    ("{membership_order}", 160_000, "m.grantor", "m.admin_option"),
];

impl<S: SideMarker, R: Right> Session<S, R> {
    /// Digests of every object of this database that a user has made, and of the database itself, with the names of the
    /// target.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn definitions(&self, mapping: &Mapping) -> Result<Definitions, PgError> {
        let branches = [
            include_str!("relations.sql"),
            include_str!("types_and_code.sql"),
            include_str!("others.sql"),
            include_str!("privileges.sql"),
        ]
        .join("UNION ALL\n");
        let sql = include_str!("digest.sql").replace("{branches}", &branches);
        self.read_digests(&for_version(&sql, self.server_version()), mapping)
            .await
    }

    /// Digests of what all databases share: roles with their passwords where they can be read, memberships, settings,
    /// tablespaces and parameters.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn cluster_definitions(&self, mapping: &Mapping) -> Result<Definitions, PgError> {
        let doing = self.doing("see whether passwords can be read");
        let row = doing
            .query_one(include_str!("may_read_passwords.sql"), &[])
            .await?;
        let passwords = if row.get(0) {
            include_str!("passwords.sql")
        } else {
            ""
        };
        let sql = include_str!("cluster.sql").replace("{passwords}", passwords);
        self.read_digests(&for_version(&sql, self.server_version()), mapping)
            .await
    }

    async fn read_digests(&self, sql: &str, mapping: &Mapping) -> Result<Definitions, PgError> {
        let reading = "read the definitions of all objects";
        let sql = naming::named(sql, mapping, S::SIDE)
            .map_err(|error| PgError::new(Code::BadInput, self.place(), reading, error.to_string()))?;
        let doing = self.doing(reading);
        let mut tries = 1;
        loop {
            let mut definitions = Definitions::default();
            let mut unknown = None;
            let read = doing.for_each(&sql, &[], |row| {
                let (kind, identity): (&str, &str) = (row.try_get("kind")?, row.try_get("identity")?);
                let (facet, digest): (&str, &str) = (row.try_get("facet")?, row.try_get("digest")?);
                match facet.parse() {
                    Ok(facet) => definitions.insert(format!("{kind} {identity}"), facet, digest),
                    Err(_) => unknown = Some(facet.to_owned()),
                }
                Ok(())
            });
            match (read.await, unknown) {
                (Ok(()), None) => return Ok(definitions),
                (Ok(()), Some(facet)) => {
                    let message = format!("{facet} is no aspect of an object");
                    return Err(PgError::new(Code::Bug, self.place(), reading, message));
                }
                (Err(error), _) if tries < TRIES && may_pass(&error) => tries += 1,
                (Err(error), _) => return Err(error),
            }
        }
    }
}

/// Whether an object was dropped while its definition was printed: "cache lookup failed", which PostgreSQL has no code of
/// its own for, or an undefined one.
fn may_pass(error: &PgError) -> bool {
    error
        .sqlstate()
        .is_some_and(|state| state == "XX000" || state.starts_with("42"))
}

fn for_version(sql: &str, version: u32) -> String {
    DIFFERENCES
        .iter()
        .fold(sql.to_owned(), |sql, (placeholder, since, new, old)| {
            sql.replace(placeholder, if version >= *since { new } else { old })
        })
}
