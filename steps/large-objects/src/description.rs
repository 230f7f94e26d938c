//! What is known of a large object without its content.

use pghaul_step::postgres::{QuoteError, Right, Session, SideMarker};
use pghaul_step::renaming::{name, renamed, renamed_role};
use pghaul_step::{Failure, Mapping};
use std::collections::{BTreeMap, BTreeSet};

/// A large object, without its content.
#[derive(Debug, Clone)]
pub(crate) struct LargeObject {
    pub(crate) oid: u32,
    /// In bytes; absent where the session's role may not read it.
    pub(crate) size: Option<i64>,
    pub(crate) properties: Properties,
}

/// Owner, privileges, comment and security labels of a large object, as statements.
#[derive(Debug, Clone)]
pub(crate) struct Properties {
    /// The owner, quoted.
    pub(crate) owner: String,
    /// Whether nobody has ever granted or revoked anything.
    pub(crate) has_default_rights: bool,
    /// All privileges, the owner's too. Those granted by others come last.
    pub(crate) grants: Vec<String>,
    /// Who has privileges, quoted; nobody where they are the default.
    pub(crate) grantees: Vec<String>,
    pub(crate) comment: Option<String>,
    pub(crate) labels: Vec<String>,
}

impl Properties {
    /// Whether they mean the same. Privileges that were granted explicitly may be those of the default.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let grants = |of: &Self| of.grants.iter().cloned().collect::<BTreeSet<String>>();
        self.owner == other.owner
            && grants(self) == grants(other)
            && self.comment == other.comment
            && self.labels == other.labels
    }
}

/// How the properties of the source's large objects change on the target.
pub(crate) struct OnTarget {
    pub(crate) mapping: Mapping,
    /// pghaul's role, quoted where needed.
    pub(crate) role: String,
}

impl OnTarget {
    /// The properties that a large object of the source is to have.
    pub(crate) fn properties(&self, oid: u32, properties: Properties) -> Result<Properties, QuoteError> {
        let mapping = &self.mapping;
        if mapping.is_empty() {
            return Ok(properties);
        }
        let owner = match mapping.no_owner {
            true => self.role.clone(),
            false => renamed_role(&properties.owner, mapping)?,
        };
        if mapping.no_privileges || properties.has_default_rights {
            return Ok(Properties {
                grants: default_grants(oid, &owner),
                has_default_rights: true,
                owner,
                ..properties
            });
        }
        let old_owner = name(&properties.owner);
        let mut mapping = mapping.clone();
        if mapping.no_owner {
            // What the owner may do, the new one may.
            mapping.roles.insert(old_owner.clone(), name(&self.role));
        }
        let mut grants = Vec::with_capacity(properties.grants.len());
        for grant in &properties.grants {
            let grant = renamed(grant, &mapping, Some(&old_owner))?;
            grants.extend((!grant.is_empty()).then(|| grant.into_owned()));
        }
        Ok(Properties {
            grants,
            owner,
            ..properties
        })
    }
}

/// What an owner may do with a large object of which nobody has granted or revoked anything.
fn default_grants(oid: u32, owner: &str) -> Vec<String> {
    ["SELECT", "UPDATE"]
        .map(|privilege| format!("GRANT {privilege} ON LARGE OBJECT {oid} TO {owner}"))
        .to_vec()
}

/// The oids of all large objects, ascending.
pub(crate) async fn oids<S: SideMarker, R: Right>(session: &Session<S, R>) -> Result<Vec<u32>, Failure> {
    let sql = "SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid";
    let rows = session.doing("list the large objects").query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Whether the current role `r` may read the large object `m`, for statements that have both.
pub(crate) const READABLE: &str = include_str!("readable.sql");

/// Describes those of these large objects that exist.
pub(crate) async fn describe<S: SideMarker, R: Right>(
    session: &Session<S, R>,
    oids: &[u32],
) -> Result<BTreeMap<u32, LargeObject>, Failure> {
    let doing = session.doing("describe large objects");
    let sql = include_str!("objects.sql").replace("{readable}", READABLE);
    let rows = doing.query(&sql, &[&oids]).await?;
    let described = rows.into_iter().map(|row| {
        let (oid, owner): (u32, String) = (row.get("oid"), row.get("owner"));
        let has_default_rights = row.get("has_default_rights");
        let object = LargeObject {
            oid,
            size: row.get("size"),
            properties: Properties {
                has_default_rights,
                grants: match has_default_rights {
                    true => default_grants(oid, &owner),
                    false => row.get("grants"),
                },
                owner,
                grantees: row.get("grantees"),
                comment: row.get("comment"),
                labels: row.get("labels"),
            },
        };
        (object.oid, object)
    });
    Ok(described.collect())
}
