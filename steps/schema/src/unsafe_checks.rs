//! Checks that rows of the source may not fulfil any more, or not where pghaul copies them: those that are not immutable, and those
//! that call functions of users, which may read other tables.
//!
//! A table or domain is created without them. After a dump they are added NOT VALID, then validated. Replicated changes would be checked
//! again one by one, so they are held back while the database is replicated; the removal adds them.

use crate::archive::Entry;
use crate::attempt::attempt;
use crate::operators;
use crate::refusals::{Refusals, refused};
use crate::rows_in_the_way::query;
use libpgdump::ObjectType;
use pghaul_contracts::UnsafeCheck;
use pghaul_step::ownership::effects;
use pghaul_step::postgres::{Ident, QualifiedName, ReadOnly, Session, Source};
use pghaul_step::selection::SelectedObjects;
use pghaul_step::{Context, Database, Failure, Home, Incomplete};
use std::collections::BTreeSet;

/// The prefix of the effect keys of checks that are there; what follows is their place in the list.
const ADDED: &str = "check/added/";

/// The same for those that are not valid yet.
const UNVALIDATED: &str = "check/unvalidated/";

/// Those of what is selected in the source's database.
pub(crate) async fn read(
    source: &Session<Source, ReadOnly>,
    selected: Option<&SelectedObjects>,
    quoted: bool,
) -> Result<Vec<UnsafeCheck>, Failure> {
    const QUOTING: &str = "SELECT pg_catalog.set_config('quote_all_identifiers', $1, false)";
    let doing = source.doing("look for checks that are not immutable");
    let quoting = if quoted { "on" } else { "off" };
    doing.query(QUOTING, &[&quoting]).await?;
    let rows = doing.query(include_str!("unsafe_checks.sql"), &[]).await;
    // Others use the session afterwards.
    doing.query(QUOTING, &[&"off"]).await?;
    let rows = rows?;
    let checks = rows.iter().map(|row| UnsafeCheck {
        schema: row.get("schema"),
        of: row.get("of"),
        name: row.get("name"),
        of_domain: row.get("of_domain"),
        own: row.get("own"),
        definition: row.get("definition"),
        operators: row.get("operators"),
    });
    let holds = |check: &UnsafeCheck| {
        selected.is_none_or(|selected| match check.of_domain {
            true => selected.holds_type(&check.schema, &check.of),
            false => selected.holds_named(&check.schema, &check.of),
        })
    };
    Ok(checks.filter(holds).collect())
}

/// How a check is named, and the statements that add it NOT VALID, and that validate it.
pub(crate) fn rehearsed(check: &UnsafeCheck) -> Result<(String, String, String), Failure> {
    Ok((check.object(), check.adding()?, check.validating()?))
}

/// The statements that take the checks out of a table or domain that was just created.
pub(crate) fn dropping(checks: &[UnsafeCheck], entry: &Entry) -> Result<String, Failure> {
    let of_domain = match entry.kind {
        ObjectType::Table | ObjectType::ForeignTable => false,
        ObjectType::Domain => true,
        _ => return Ok(String::new()),
    };
    let mut statements = String::new();
    for check in checks {
        if check.of_domain == of_domain && check.schema == entry.namespace && check.of == entry.tag {
            let name = Ident::new(check.name.as_str())?;
            statements.push_str(&format!(
                "\n{} DROP CONSTRAINT IF EXISTS {name};\n",
                check.altering("TABLE ONLY")?
            ));
        }
    }
    Ok(statements)
}

/// Whether an entry is a comment on one of the checks, which has to wait for it.
pub(crate) fn is_comment_on_one(checks: &[UnsafeCheck], entry: &Entry) -> bool {
    entry.kind == ObjectType::Comment
        && checks.iter().any(|check| {
            let short = |name: &str| Ident::new(name).map_or_else(|_| String::new(), |name| name.short());
            let quoted =
                |name: &str| Ident::new(name).map_or_else(|_| String::new(), |name| name.to_string());
            let of = match check.of_domain {
                true => "DOMAIN ",
                false => "",
            };
            let names = |rest: &str| {
                [check.of.clone(), short(&check.of), quoted(&check.of)].contains(&rest.to_owned())
            };
            check.schema == entry.namespace
                && [short(&check.name), quoted(&check.name)].iter().any(|name| {
                    let tag = format!("CONSTRAINT {name} ON {of}");
                    entry.tag.strip_prefix(&tag).is_some_and(names)
                })
        })
}

/// Those that the removal adds, as long as they are not there.
pub(crate) fn held_back(checks: &[UnsafeCheck]) -> Vec<Incomplete> {
    let own = checks.iter().filter(|check| check.own);
    own.map(|check| Incomplete {
        object: check.object(),
        why: "held back until the removal, which adds it: it is not immutable, or calls functions of users, and replicated changes \
              would be checked once more"
            .to_owned(),
        by_removal: true,
        ..Incomplete::default()
    })
    .collect()
}

/// Adds the checks that are not there, and validates those that are not valid. What the rows do not fulfil stays NOT VALID where
/// `keep` says so, and is not added otherwise; either is noted.
pub(crate) async fn add(
    ctx: &Context<Database>,
    checks: &[UnsafeCheck],
    keep: bool,
    refusals: &Refusals,
) -> Result<(), Failure> {
    let target = ctx.target_for_reading().await?;
    let added = effects(&target, ADDED).await?;
    let unvalidated = effects(&target, UNVALIDATED).await?;
    drop(target);
    let home = Home::of(ctx).await?;
    for (place, check) in checks.iter().enumerate().filter(|(_, check)| check.own) {
        ctx.check_cancelled()?;
        let (there, open) = (format!("{ADDED}{place}"), format!("{UNVALIDATED}{place}"));
        let is_there = added.contains(&there);
        if is_there && !unvalidated.contains(&open) {
            continue;
        }
        let mut failure = None;
        let mut statements = home.with_search_path(&check.validating()?)?;
        if !is_there && keep {
            failure = attempt(ctx, ADD, &check.adding()?, &[], &[&there, &open]).await?;
        } else if !is_there {
            statements = check.adding()? + &statements;
        }
        let mut incomplete = None;
        if let Some(failure) = failure {
            incomplete = Some(refused(check.object(), &failure));
        } else if let Some(failure) = attempt(ctx, ADD, &statements, &[&open, &there], &[&there]).await? {
            let mut one = refused(check.object(), &failure);
            if keep {
                one.why = format!("it is NOT VALID on the target: {}", failure.message);
            }
            one.sql = query(&check.adding()?, &failure);
            incomplete = Some(one);
        }
        if let Some(incomplete) = incomplete {
            refusals.refuse_effect(&there, incomplete);
        }
    }
    Ok(())
}

/// Those that are not there, with those that are handed down by them.
pub(crate) async fn missing(
    ctx: &Context<Database>,
    checks: &[UnsafeCheck],
) -> Result<Vec<UnsafeCheck>, Failure> {
    let added = ctx.effects(ADDED).await?;
    let is_missing =
        |(place, check): &(usize, &UnsafeCheck)| check.own && !added.contains(&format!("{ADDED}{place}"));
    let names: BTreeSet<&String> = checks
        .iter()
        .enumerate()
        .filter(is_missing)
        .map(|(_, check)| &check.name)
        .collect();
    let missing = checks.iter().filter(|check| names.contains(&check.name));
    Ok(missing.cloned().collect())
}

/// Adds those that are not there, NOT VALID, when nothing is replicated any more.
pub(crate) async fn add_unvalidated(ctx: &Context<Database>, checks: &[UnsafeCheck]) -> Result<(), Failure> {
    let added = ctx.effects(ADDED).await?;
    for (place, check) in checks.iter().enumerate().filter(|(_, check)| check.own) {
        let there = format!("{ADDED}{place}");
        if !added.contains(&there)
            && let Some(failure) = attempt(ctx, ADD, &check.adding()?, &[], &[&there]).await?
        {
            tracing::warn!(%failure, check = check.object(), "a check could not be added");
        }
    }
    Ok(())
}

const ADD: &str = "add a check";

/// The statements about a check.
trait Statements {
    fn object(&self) -> String;
    /// `ALTER TABLE name` or `ALTER DOMAIN name`.
    fn altering(&self, table: &str) -> Result<String, Failure>;
    fn adding(&self) -> Result<String, Failure>;
    fn validating(&self) -> Result<String, Failure>;
}

impl Statements for UnsafeCheck {
    fn object(&self) -> String {
        let Self { schema, of, name, .. } = self;
        let kind = if self.of_domain { "domain" } else { "table" };
        format!("check constraint {name} of {kind} {schema}.{of}")
    }

    fn altering(&self, table: &str) -> Result<String, Failure> {
        let name = QualifiedName::new(self.schema.as_str(), self.of.as_str())?;
        let kind = if self.of_domain { "DOMAIN" } else { table };
        Ok(format!("ALTER {kind} {name}"))
    }

    fn adding(&self) -> Result<String, Failure> {
        let (altering, name) = (self.altering("TABLE")?, Ident::new(self.name.as_str())?);
        let adding = format!(
            "{altering}\n    ADD CONSTRAINT {name} {} NOT VALID;\n",
            self.definition
        );
        let mut schemas = BTreeSet::new();
        if operators::compares(&self.definition) {
            for schema in &self.operators {
                schemas.insert(Ident::new(schema.as_str())?.to_string());
            }
        }
        operators::with(&schemas, adding)
    }

    fn validating(&self) -> Result<String, Failure> {
        let (altering, name) = (self.altering("TABLE")?, Ident::new(self.name.as_str())?);
        Ok(format!("{altering} VALIDATE CONSTRAINT {name};\n"))
    }
}
