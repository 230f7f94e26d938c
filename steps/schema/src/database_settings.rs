//! The settings of the database, `ALTER DATABASE … SET` and `ALTER ROLE … IN DATABASE … SET`: they come before any row.
//!
//! Constraints, generated columns and triggers then run under them in every session, also in those of the target's workers.
//! pghaul's own sessions are not concerned, since what is given at their start wins.
//!
//! Libraries that the server loads into every session of the database are held back where it lacks them: nobody could
//! connect any more.

use crate::archive::Archive;
use libpgdump::ObjectType;
use pghaul_contracts::{EffectKey, Skipped};
use pghaul_step::postgres::{ReadWrite, Session, Target, literal};
use pghaul_step::{Context, Database, Failure};

/// The settings that name libraries.
const LIBRARIES: &[&str] = &["session_preload_libraries", "local_preload_libraries"];

/// Sets them, once. Returns what the target does not take.
pub(crate) async fn set(ctx: &Context<Database>, archive: &Archive) -> Result<Vec<Skipped>, Failure> {
    let mut skipped = Vec::new();
    let key = EffectKey::DatabaseSettings.to_string();
    let statements = of(archive);
    if statements.is_empty() || ctx.effects(&key).await?.contains(&key) {
        return Ok(skipped);
    }
    let mut target = ctx.target().await?;
    let mut wanted = Vec::new();
    for statement in statements {
        let name = setting(statement).unwrap_or_default();
        match missing_library(ctx, &name, statement).await? {
            None => wanted.push((name, statement)),
            Some(why) => skipped.push(not_set(&name, why)),
        }
    }
    let transaction = ctx.begin(&mut target).await?;
    for (name, statement) in wanted {
        let operation = "set a setting of the database";
        transaction.batch(operation, "SAVEPOINT pghaul_setting").await?;
        let statement = crate::raw::sendable(statement, archive.encoding());
        // A setting may be a secret of the application's.
        if let Err(error) = transaction.inner().batch_secretly(operation, &statement).await {
            if error.sqlstate().is_none() {
                return Err(error.into());
            }
            transaction
                .batch(operation, "ROLLBACK TO SAVEPOINT pghaul_setting")
                .await?;
            skipped.push(not_set(&name, error.message().to_owned()));
        }
    }
    transaction.effect(&key).await?;
    transaction.commit("set the settings of the database").await?;
    Ok(skipped)
}

fn not_set(name: &str, why: String) -> Skipped {
    Skipped {
        object: format!("setting {name} of the database"),
        why,
    }
}

/// Why the target can't load the libraries that a setting names; nothing where it can, or where it names none.
async fn missing_library(
    ctx: &Context<Database>,
    name: &str,
    statement: &str,
) -> Result<Option<String>, Failure> {
    if !LIBRARIES.contains(&name) {
        return Ok(None);
    }
    let names = statement.split_once(" TO ").map_or("", |(_, names)| names);
    for library in names.split(',') {
        let library = library.trim_matches([' ', ';', '\n', '\'', '"']);
        if library.is_empty() {
            continue;
        }
        // A session of its own: what it has loaded, it keeps.
        let session: Session<Target, ReadWrite> = ctx.target().await?;
        let load = format!("LOAD {}", literal(library)?);
        let loaded = session.doing("try to load a library").batch(&load).await;
        session.close().await;
        if let Err(error) = loaded {
            if error.sqlstate().is_none() {
                return Err(error.into());
            }
            return Ok(Some(format!(
                "held back, or nobody could connect to the database: {}",
                error.message()
            )));
        }
    }
    Ok(None)
}

/// The statements of the archive.
fn of(archive: &Archive) -> Vec<&str> {
    let properties = archive
        .entries
        .iter()
        .filter(|entry| entry.kind == ObjectType::DatabaseProperties);
    properties
        .flat_map(|entry| statements(&entry.statements))
        .filter(|statement| setting(statement).is_some())
        .collect()
}

/// What is left of the database's properties when its settings are set: limits, say.
pub(crate) fn without(properties: &str) -> String {
    let others = statements(properties)
        .into_iter()
        .filter(|statement| setting(statement).is_none());
    others.collect()
}

/// The name of the setting that a statement sets, in lower case.
fn setting(statement: &str) -> Option<String> {
    let words = words(statement);
    let set = match words.as_slice() {
        ["ALTER", "DATABASE", _, "SET", name, ..] => name,
        ["ALTER", "ROLE", _, "IN", "DATABASE", _, "SET", name, ..] => name,
        _ => return None,
    };
    let is_setting = !set.eq_ignore_ascii_case("TABLESPACE");
    is_setting.then(|| set.trim_matches('"').to_ascii_lowercase())
}

/// The first words of a statement; one in double quotes may hold anything.
fn words(statement: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = statement.trim_start();
    while !rest.is_empty() && words.len() < 9 {
        let mut quoted = false;
        let end = rest.find(|c: char| {
            quoted ^= c == '"';
            !quoted && (c.is_whitespace() || c == ';')
        });
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        if word.is_empty() {
            break;
        }
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// The statements of a text, each with what follows it up to the next.
pub(crate) fn statements(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut begin = 0;
    let mut quote = None;
    let mut escaped = false;
    let mut escapes = false;
    let mut before = ' ';
    for (place, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('\'') if escapes && c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                escapes = before == 'E';
            }
            None if c == ';' => {
                let end = place + 1;
                found.extend(text.get(begin..end));
                begin = end;
            }
            None => {}
        }
        before = c;
    }
    found.extend(text.get(begin..).filter(|rest| !rest.trim().is_empty()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROPERTIES: &str = "ALTER DATABASE \"my shop\" CONNECTION LIMIT = 7;\n\
        ALTER DATABASE \"my shop\" SET \"app.tenant\" TO E'a;\\';b';\n\
        ALTER ROLE \"o\"\" SET x\" IN DATABASE \"my shop\" SET \"DateStyle\" TO 'iso; dmy', 'x''';\n";

    #[test]
    fn settings_are_told_from_other_properties() {
        let found: Vec<Option<String>> = statements(PROPERTIES).into_iter().map(setting).collect();
        assert_eq!(
            found,
            [None, Some("app.tenant".to_owned()), Some("datestyle".to_owned())]
        );
        assert_eq!(
            without(PROPERTIES),
            "ALTER DATABASE \"my shop\" CONNECTION LIMIT = 7;"
        );
        assert_eq!(setting("ALTER DATABASE d SET TABLESPACE t;"), None);
    }
}
