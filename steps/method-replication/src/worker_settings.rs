//! Settings that act on the target's workers, which pghaul does not start.
//!
//! A worker of a subscription has the settings of the server, of the database and of the subscription's owner. Some would
//! change the values that it reads, others would end it again and again. Where one of them is not as it must be, it is set
//! for the owner in this database, `ALTER ROLE … IN DATABASE`, which wins over all others and concerns nobody else; with
//! the subscription it is taken back. What the database brought along stays as it is.
//!
//! A setting may be changed while the subscription works. What ends workers is seen, and set by the next `run`; what
//! changes values is not seen, so it is set from the beginning.

use pghaul_contracts::EffectKey;
use pghaul_step::postgres::{Ident, ReadWrite, Session, Target, literal};
use pghaul_step::{Context, Database, Failure, OnTarget};
use serde::{Deserialize, Serialize};

/// A setting as workers need it, from a version on.
#[derive(Debug, Clone, Copy)]
struct Needed {
    name: &'static str,
    value: &'static str,
    since: u32,
    /// Whether values that are applied would be others without any error.
    changes_values: bool,
}

const fn needed(name: &'static str, value: &'static str) -> Needed {
    Needed {
        name,
        value,
        since: 0,
        changes_values: false,
    }
}

const fn changes_values(name: &'static str, value: &'static str) -> Needed {
    Needed {
        changes_values: true,
        ..needed(name, value)
    }
}

/// The settings of workers; `docs/explanation/settings.md` shows them.
const NEEDED: &[Needed] = &[
    changes_values("array_nulls", "on"),
    needed("xmloption", "content"),
    needed("role", "none"),
    needed("default_transaction_read_only", "off"),
    needed("default_transaction_isolation", "read committed"),
    needed("default_transaction_deferrable", "off"),
    needed("lock_timeout", "0"),
    needed("statement_timeout", "0"),
    needed("idle_in_transaction_session_timeout", "0"),
    Needed {
        since: 140_000,
        ..needed("idle_session_timeout", "0")
    },
    Needed {
        since: 170_000,
        ..needed("transaction_timeout", "0")
    },
];

/// The item under which the journal holds what was set.
const ITEM: &str = "settings of the workers";

/// What was set for the workers.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Adjusted {
    /// The subscription's owner; absent in other items of the step.
    #[serde(default)]
    role: Option<String>,
    /// The settings.
    #[serde(default)]
    settings: Vec<String>,
}

/// Sets what workers need and would not get. Returns whether any value is another one by that than workers have that run already.
pub(crate) async fn adjust(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
) -> Result<bool, Failure> {
    let plain = ctx
        .target_server()
        .plain_settings(ctx.target_database().as_str())
        .await?;
    let done = ctx.effects(EffectKey::WORKER_SETTING).await?;
    let version = target.server_version();
    let differs = |needed: &Needed| {
        let plain = plain.get(needed.name);
        plain.is_some_and(|plain| plain.value != needed.value)
    };
    let to_set = |needed: &&Needed| {
        let is_set = done.iter().any(|key| setting_of(key).0 == needed.name);
        let is_known = version >= needed.since && plain.contains_key(needed.name);
        is_known && !is_set && (needed.changes_values || differs(needed))
    };
    let wrong: Vec<Needed> = NEEDED.iter().filter(to_set).copied().collect();
    if wrong.is_empty() {
        return Ok(false);
    }
    let role = owner(target).await?;
    let before = own_settings(target).await?;
    let transaction = ctx.begin(target).await?;
    let database = ctx.target_database();
    let alter = alter(OnTarget {
        database: database.as_str(),
        role: &role,
    })?;
    let mut statements = String::new();
    let mut keys = Vec::new();
    for Needed { name, value, .. } in &wrong {
        statements.push_str(&format!(
            "{alter} SET {} TO {};\n",
            Ident::new(*name)?,
            literal(value)?
        ));
        let own = before
            .iter()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        let with_own = own.map(|own| format!("{name}={own}"));
        let key = EffectKey::WorkerSetting(with_own.unwrap_or_else(|| (*name).to_owned()));
        keys.push(key.to_string());
    }
    let operation = "set what the subscription's workers need";
    transaction.batch(operation, &statements).await?;
    transaction.effects(&keys).await?;
    transaction.commit(operation).await?;
    let settings = wrong.iter().map(|needed| needed.name.to_owned()).collect();
    let role = Some(role);
    ctx.item(ITEM, &Adjusted { role, settings }).await?;
    Ok(wrong.iter().any(differs))
}

/// Takes back what was set.
pub(crate) async fn take_back(
    ctx: &Context<Database>,
    target: &mut Session<Target, ReadWrite>,
) -> Result<(), Failure> {
    let keys: Vec<String> = ctx
        .effects(EffectKey::WORKER_SETTING)
        .await?
        .into_iter()
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let journaled = ctx.items::<String, Adjusted>()?.remove(ITEM);
    let role = match journaled.and_then(|adjusted| adjusted.role) {
        Some(role) => role,
        None => owner(target).await?,
    };
    let database = ctx.target_database();
    let of = OnTarget {
        database: database.as_str(),
        role: &role,
    };
    let statements = taking_back(keys.iter(), of)?.join(";\n");
    let operation = "take back the settings of the workers";
    let transaction = ctx.begin(target).await?;
    transaction.batch(operation, &statements).await?;
    transaction.forget_each(&keys).await?;
    transaction.commit(operation).await
}

/// The statements that take back what these keys say.
pub(crate) fn taking_back<'k>(
    keys: impl Iterator<Item = &'k String>,
    of: OnTarget<'_>,
) -> Result<Vec<String>, Failure> {
    let alter = alter(of)?;
    let statement = |key: &String| {
        Ok(match setting_of(key) {
            (name, Some(own)) => format!("{alter} SET {} TO {}", Ident::new(name)?, literal(own)?),
            (name, None) => format!("{alter} RESET {}", Ident::new(name)?),
        })
    };
    keys.filter(|key| key.starts_with(EffectKey::WORKER_SETTING))
        .map(statement)
        .collect()
}

fn alter(of: OnTarget<'_>) -> Result<String, Failure> {
    let OnTarget { database, role } = of;
    Ok(format!(
        "ALTER ROLE {} IN DATABASE {}",
        Ident::new(role)?,
        Ident::new(database)?
    ))
}

/// Name and earlier value in an effect key.
fn setting_of(key: &str) -> (&str, Option<&str>) {
    let setting = key.strip_prefix(EffectKey::WORKER_SETTING).unwrap_or(key);
    match setting.split_once('=') {
        Some((name, own)) => (name, Some(own)),
        None => (setting, None),
    }
}

/// Who will own the subscription.
async fn owner(target: &Session<Target, ReadWrite>) -> Result<String, Failure> {
    let doing = target.doing("read the current role");
    Ok(doing.query_one("SELECT current_user::text", &[]).await?.get(0))
}

/// The settings that the current role has in this database, as `name=value`.
async fn own_settings(target: &Session<Target, ReadWrite>) -> Result<Vec<String>, Failure> {
    let doing = target.doing("read the role's settings in the database");
    let row = doing.query_opt(include_str!("own_settings.sql"), &[]).await?;
    Ok(row.map(|row| row.get(0)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_shows_what_workers_need() {
        let page = include_str!("../../../docs/explanation/settings.md");
        for Needed { name, value, .. } in NEEDED {
            let line = format!("| `{name}` | `{value}` |");
            assert!(page.lines().any(|other| other == line), "{line}");
        }
    }

    #[test]
    fn a_key_holds_the_value_of_before() {
        assert_eq!(setting_of("worker-setting/lock_timeout"), ("lock_timeout", None));
        assert_eq!(setting_of("worker-setting/role=a=b"), ("role", Some("a=b")));
    }
}
