//! Owners and grantors, where pghaul's role on the target is no superuser.
//!
//! It makes another role an owner only where it can act as that role, and where that role may create objects in the schema,
//! which is granted for the moment. Rights that were granted by another role than the owner are granted by `SET ROLE`, since a
//! superuser alone may change the session's user. What it can't give away belongs to pghaul's role, and is listed.

use crate::archive::{Archive, Entry};
use crate::owned::owned;
use libpgdump::ObjectType;
use pghaul_step::owners::{Reach, reach};
use pghaul_step::postgres::{Ident, QuoteError, ReadOnly, Row, Session, Source, Target, literal};
use pghaul_step::{Context, Database, Failure, Incomplete, Mapping};
use std::collections::BTreeSet;

/// Which owners pghaul's role can make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owners {
    /// All of them: it is a superuser.
    All,
    /// None, although it is a superuser: the user wants everything to belong to pghaul's role.
    Nobody,
    /// These.
    Limited {
        /// Its own name.
        role: String,
        /// Whether owners are to be given at all; otherwise everything belongs to pghaul's role, as the user wants.
        given: bool,
        /// The roles that it can act as.
        reached: BTreeSet<String>,
        /// The bootstrap superuser of the source, where new databases have a schema `public` that belongs to it.
        initial: Option<String>,
        /// The target's schema `public`, where it is another role's and pghaul's role does not have that one's rights.
        of_public: Option<ForeignPublic>,
    },
}

/// A schema `public` that pghaul's role can't change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForeignPublic {
    owner: String,
    /// Whether others have the rights on it that they have on the source.
    same_rights: bool,
    /// Whether the source has none.
    is_extra: bool,
}

/// The first version whose schema `public` belongs to the owner of the database at first.
const PUBLIC_OF_DATABASE_OWNER: u32 = 150_000;

impl Owners {
    pub(crate) async fn of(
        ctx: &Context<Database>,
        target: &Session<Target, ReadOnly>,
    ) -> Result<Self, Failure> {
        let role = target.role().await?;
        let mapping = ctx.mapping();
        match (role.superuser, mapping.no_owner) {
            (true, true) => return Ok(Self::Nobody),
            (true, false) => return Ok(Self::All),
            (false, _) => {}
        }
        let reached = reach(target).await?.into_iter();
        let reached = reached.filter(|(_, reach)| *reach == Reach::Member);
        let source = ctx.source().await?;
        let initial = match source.server_version() {
            PUBLIC_OF_DATABASE_OWNER.. => None,
            _ => {
                let doing = source.doing("read the name of the bootstrap superuser");
                let sql = "SELECT pg_catalog.pg_get_userbyid(10)::text";
                let initial: String = doing.query_one(sql, &[]).await?.get(0);
                Some(mapping.role(&initial).to_owned())
            }
        };
        let of_public = foreign_public(&source, target, &mapping).await?;
        Ok(Self::Limited {
            role: role.name,
            given: !mapping.no_owner,
            of_public,
            reached: reached.map(|(role, _)| role).collect(),
            initial,
        })
    }

    /// `ALTER … OWNER TO`, given the object; empty where the role can't.
    pub(crate) fn statement(&self, entry: &Entry, object: &str) -> Result<String, QuoteError> {
        let owner = Ident::new(entry.owner.as_str())?;
        let alter = format!("ALTER {object} OWNER TO {owner};");
        match self {
            Self::All => return Ok(format!("\n{alter}\n")),
            Self::Nobody | Self::Limited { given: false, .. } => return Ok(String::new()),
            Self::Limited { of_public, .. } if of_public.is_some() && is_public(entry) => {
                return Ok(String::new());
            }
            Self::Limited { reached, role, .. } => {
                if !reached.contains(&entry.owner) {
                    return Ok(String::new());
                }
                if *role == entry.owner {
                    return Ok(format!("\n{alter}\n"));
                }
            }
        }
        let within = match entry.kind {
            ObjectType::Publication => Some((
                "has_database_privilege",
                "pg_catalog.current_database()".to_owned(),
                None,
            )),
            _ if entry.namespace.is_empty() => None,
            _ => Some((
                "has_schema_privilege",
                literal(&entry.namespace)?,
                Some(format!("SCHEMA {}", Ident::new(entry.namespace.as_str())?)),
            )),
        };
        let Some((function, subject, granted_on)) = within else {
            return Ok(format!("\n{alter}\n"));
        };
        let on = |verb: &str, preposition: &str| match &granted_on {
            Some(on) => format!("{verb} CREATE ON {on} {preposition} {owner};"),
            None => format!(
                "EXECUTE pg_catalog.format('{verb} CREATE ON DATABASE %I {preposition} %I', pg_catalog.current_database(), {});",
                literal(&entry.owner).unwrap_or_default()
            ),
        };
        let body = format!(
            "BEGIN IF pg_catalog.{function}({}, {subject}, 'CREATE') THEN {alter} ELSE {} {alter} {} END IF; END",
            literal(&entry.owner)?,
            on("GRANT", "TO"),
            on("REVOKE", "FROM"),
        );
        Ok(format!("\nDO {};\n", literal(&body)?))
    }

    /// The statements of an entry with rights: by `SET ROLE` where pghaul's role may not change the session's user. Where
    /// others may grant the rights too, it acts as the owner, or PostgreSQL might choose another one of its roles.
    pub(crate) fn granting(&self, entry: &Entry, statements: String) -> Result<String, QuoteError> {
        const SET: &str = "SET SESSION AUTHORIZATION ";
        let Self::Limited {
            reached, role, given, ..
        } = self
        else {
            return Ok(statements);
        };
        if !matches!(entry.kind, ObjectType::Acl | ObjectType::DefaultAcl) {
            return Ok(statements);
        }
        let acts_as_owner = entry.kind == ObjectType::Acl
            && *given
            && statements.contains(" WITH GRANT OPTION;")
            && reached.contains(&entry.owner)
            && *role != entry.owner
            && !entry.owner.starts_with("pg_");
        let home = match acts_as_owner {
            true => format!("SET LOCAL ROLE {};\n", Ident::new(entry.owner.as_str())?),
            false => "RESET ROLE;\n".to_owned(),
        };
        let mut script = String::new();
        if acts_as_owner {
            script.push_str(&home);
        }
        for line in statements.split_inclusive('\n') {
            match line.strip_prefix(SET) {
                Some(grantor) => script.push_str(&format!("RESET ROLE;\nSET LOCAL ROLE {grantor}")),
                None if line.starts_with("RESET SESSION AUTHORIZATION;") => script.push_str(&home),
                None => script.push_str(line),
            }
        }
        if acts_as_owner {
            script.push_str("RESET ROLE;\n");
        }
        Ok(script)
    }

    /// The objects that stay with pghaul's role.
    pub(crate) fn retained(
        &self,
        archive: &Archive,
        restored: impl Fn(&Entry) -> bool,
    ) -> Result<Vec<Incomplete>, Failure> {
        let Self::Limited {
            role,
            reached,
            initial,
            of_public,
            given,
        } = self
        else {
            return Ok(Vec::new());
        };
        let mut retained = Vec::new();
        if let Some(public) = of_public
            && public.is_extra
        {
            retained.push(Incomplete {
                object: "schema public".to_owned(),
                why: format!(
                    "the source has none; on the target it belongs to role {}, and role {role} can't drop it",
                    public.owner
                ),
                ..Incomplete::default()
            });
        }
        for entry in archive.entries.iter().filter(|entry| restored(entry)) {
            if let Some(ForeignPublic {
                owner, same_rights, ..
            }) = of_public
                && (*given && is_public(entry) && initial.as_ref() != Some(&entry.owner)
                    || entry.kind == ObjectType::Acl && entry.tag == "SCHEMA public" && !same_rights)
            {
                retained.push(Incomplete {
                    object: match entry.kind {
                        ObjectType::Acl => entry.object(),
                        _ => format!("owner of {}", entry.object()),
                    },
                    why: format!(
                        "on the target the schema belongs to role {owner}, which role {role} can't act as"
                    ),
                    ..Incomplete::default()
                });
                continue;
            }
            let is_initial = is_public(entry) && initial.as_ref() == Some(&entry.owner);
            if !given || is_initial || reached.contains(&entry.owner) || owned(entry)?.is_none() {
                continue;
            }
            retained.push(Incomplete {
                object: format!("owner of {}", entry.object()),
                why: format!(
                    "it belongs to role {role}, which can't make role {} its owner",
                    entry.owner
                ),
                ..Incomplete::default()
            });
        }
        Ok(retained)
    }
}

async fn foreign_public(
    source: &Session<Source, ReadOnly>,
    target: &Session<Target, ReadOnly>,
    mapping: &Mapping,
) -> Result<Option<ForeignPublic>, Failure> {
    const SQL: &str = include_str!("public_rights.sql");
    let doing = target.doing("read the rights on the schema public");
    let Some(there) = doing
        .query_opt(SQL, &[])
        .await?
        .filter(|row| row.get("foreign_owner"))
    else {
        return Ok(None);
    };
    let doing = source.doing("read the rights on the schema public");
    let here = doing.query_opt(SQL, &[]).await?;
    let rights = |row: &Row| row.get::<_, Vec<String>>("rights");
    let wanted = here.as_ref().map(|row| {
        let mut wanted: Vec<String> = rights(row)
            .iter()
            .map(|right| on_target(right, mapping))
            .collect();
        wanted.sort();
        wanted.dedup();
        wanted
    });
    let mut there_too = rights(&there);
    there_too.sort();
    Ok(Some(ForeignPublic {
        owner: there.get("owner"),
        is_extra: here.is_none(),
        same_rights: mapping.no_privileges || wanted.is_none_or(|wanted| wanted == there_too),
    }))
}

/// A right as `public_rights.sql` writes it, with the grantee's name on the target.
fn on_target(right: &str, mapping: &Mapping) -> String {
    let mut parts = right.splitn(3, ' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(privilege), Some(grantable), Some(grantee)) => {
            format!("{privilege} {grantable} {}", mapping.role(grantee))
        }
        _ => right.to_owned(),
    }
}

fn is_public(entry: &Entry) -> bool {
    entry.kind == ObjectType::Schema && entry.tag == "public"
}
