//! The check `encoding`.

use pghaul_step::postgres::{ReadOnly, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Severity, async_trait,
    quoted,
};
use serde::Serialize;

/// Texts that may not survive the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EncodingProblem {
    /// The source's database takes any bytes for text.
    SqlAscii,
    /// The database exists on the target, in an encoding that does not hold all characters.
    EncodingDiffers {
        /// The encoding on the source.
        source: String,
        /// The encoding on the target.
        target: String,
        /// The database, as the target names it.
        #[serde(skip)]
        database: String,
    },
    /// The database exists on the target, with another sort order or other character classes.
    LocaleDiffers {
        /// `LC_COLLATE` and `LC_CTYPE`, or the locale of ICU, on the source.
        source: String,
        /// The same on the target.
        target: String,
        /// The database, as the target names it, unless this migration fills it already.
        #[serde(skip)]
        database: Option<String>,
    },
}

impl FindingKind for EncodingProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::EncodingDiffers { .. } => Severity::Error,
            Self::SqlAscii | Self::LocaleDiffers { .. } => Severity::Warning,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::SqlAscii => {
                "the database's encoding is SQL_ASCII: no text in it was ever checked, names that are \
                               not UTF-8 can't be read, and the target's database gets the same encoding"
                    .to_owned()
            }
            Self::EncodingDiffers { source, target, .. } => format!(
                "the database's encoding is {source} on the source and {target} on the target, which does not hold \
                 all of its texts"
            ),
            Self::LocaleDiffers { source, target, .. } => format!(
                "the database's locale is {source} on the source and {target} on the target: texts are sorted and \
                 compared otherwise"
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::SqlAscii => Some(
                "to get a checked encoding, move the database with pg_dump --encoding and pg_restore instead"
                    .to_owned(),
            ),
            Self::EncodingDiffers { database, .. } => Some(anew(database)),
            Self::LocaleDiffers { database, .. } => database.as_deref().map(anew),
        }
    }
}

fn anew(database: &str) -> String {
    format!(
        "on the target: ALTER DATABASE {0} RENAME TO {1}; or, where nothing is in it, DROP DATABASE {0}; it is then created as it \
         is on the source",
        quoted(database),
        quoted(&format!("{database}_old"))
    )
}

/// The check `encoding`: do texts survive the way into the target's database?
#[derive(Debug, Clone, Copy)]
pub struct Encoding;

#[async_trait]
impl Check for Encoding {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "encoding",
            summary: "the target's database holds all texts, and sorts them alike",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        // Its name is read in the encoding of the database, and may be another text than the one it is known by.
        let Some(there) = facts(&source, None).await? else {
            return Ok(Vec::new());
        };
        let here = facts(&*ctx.target().await?, Some(ctx.target_name().as_str())).await?;
        let mut found = Vec::new();
        if there.encoding == "SQL_ASCII" {
            found.push(EncodingProblem::SqlAscii);
        }
        found.extend(here.and_then(|here| differs(ctx, &there, &here)));
        Ok(found
            .iter()
            .map(|problem| problem.about("encoding", super::database(ctx)))
            .collect())
    }
}

/// How a database holds texts.
struct Facts {
    encoding: String,
    locale: String,
}

async fn facts<S: SideMarker>(
    session: &Session<S, ReadOnly>,
    database: Option<&str>,
) -> Result<Option<Facts>, Failure> {
    let doing = session.doing("read the encoding of the database");
    let row = doing
        .query_opt(include_str!("encoding.sql"), &[&database])
        .await?;
    Ok(row.map(|row| Facts {
        encoding: row.get("encoding"),
        locale: locale(
            row.get("provider"),
            row.get("locale"),
            row.get("collate"),
            row.get("ctype"),
        ),
    }))
}

/// What is wrong with a database that exists already. UTF8 holds the texts of every checked encoding.
fn differs(ctx: &CheckContext<Database>, source: &Facts, target: &Facts) -> Option<EncodingProblem> {
    let database = ctx.target_name().to_string();
    if source.encoding != target.encoding && (target.encoding != "UTF8" || source.encoding == "SQL_ASCII") {
        return Some(EncodingProblem::EncodingDiffers {
            source: source.encoding.clone(),
            target: target.encoding.clone(),
            database,
        });
    }
    (source.locale != target.locale).then(|| EncodingProblem::LocaleDiffers {
        source: source.locale.clone(),
        target: target.locale.clone(),
        database: (!ctx.landscape().ours.contains(ctx.database())).then_some(database),
    })
}

/// The locale by which texts are compared, as one name. The C library spells encodings in several ways.
fn locale(provider: &str, locale: Option<&str>, collate: &str, ctype: &str) -> String {
    match (provider, locale) {
        ("i", Some(locale)) => return format!("ICU {locale}"),
        ("b", Some(locale)) => return format!("builtin {locale}"),
        _ => {}
    }
    let plain = |name: &str| name.replace(".utf8", ".UTF-8");
    match (plain(collate), plain(ctype)) {
        (collate, ctype) if collate == ctype => collate,
        (collate, ctype) => format!("{collate}, {ctype}"),
    }
}
