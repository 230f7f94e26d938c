//! The check `settings`.

use pghaul_step::postgres::{ReadOnly, Session, SideMarker};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Severity, Subject,
    async_trait,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A setting and what comes of a difference.
struct Watched {
    name: &'static str,
    effect: &'static str,
}

const fn watched(name: &'static str, effect: &'static str) -> Watched {
    Watched { name, effect }
}

/// Settings that a session can ask for.
const VISIBLE: &[Watched] = &[
    watched(
        "timezone",
        "timestamps without time zone and dates are taken from another clock",
    ),
    watched("integer_datetimes", "times are stored in another way"),
    watched("xmlbinary", "bytes in XML are written in another way"),
    watched(
        "default_text_search_config",
        "text search without a configuration finds something else",
    ),
    watched(
        "session_replication_role",
        "triggers and foreign keys fire, or don't",
    ),
];

/// Settings that pghaul's own sessions override, so that only the configuration files can tell.
const HIDDEN: &[Watched] = &[
    watched(
        "standard_conforming_strings",
        "string constants with a backslash mean something else",
    ),
    watched("datestyle", "dates are read and written in another way"),
    watched("intervalstyle", "intervals are written in another way"),
    watched("bytea_output", "bytes are written in another way"),
    watched(
        "default_transaction_read_only",
        "applications can't write, or can",
    ),
    watched("search_path", "names without a schema mean other objects"),
    watched(
        "transform_null_equals",
        "conditions like x = NULL mean something else",
    ),
    watched("array_nulls", "NULL in the text of an array means something else"),
    watched(
        "backslash_quote",
        "string constants with \\' are refused, or are not",
    ),
    watched("xmloption", "other texts are taken for XML"),
    watched("default_transaction_isolation", "transactions see other rows"),
];

/// Limits that are built in, where only a smaller one is a problem.
const LIMITS: &[Watched] = &[
    watched("block_size", "rows, and entries of indexes, may be too large"),
    watched("max_identifier_length", "names may be too long"),
    watched("max_index_keys", "indexes may have too many columns"),
    watched("max_function_args", "functions may have too many arguments"),
];

/// A difference between the servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SettingDiffers {
    /// A setting has another value on the target.
    SettingDiffers {
        /// The setting.
        setting: String,
        /// Its value on the source.
        source: String,
        /// Its value on the target.
        target: String,
        /// What comes of it.
        effect: &'static str,
    },
    /// The target was built with a smaller limit.
    LimitSmaller {
        /// The setting that shows it.
        setting: String,
        /// Its value on the source.
        source: String,
        /// Its value on the target.
        target: String,
        /// What comes of it.
        effect: &'static str,
    },
}

impl FindingKind for SettingDiffers {
    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn message(&self) -> String {
        let (Self::SettingDiffers {
            setting,
            source,
            target,
            effect,
        }
        | Self::LimitSmaller {
            setting,
            source,
            target,
            effect,
        }) = self;
        format!("{setting} is {source} on the source and {target} on the target: {effect}")
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SettingDiffers { setting, source, .. } => {
                let value = match setting.as_str() {
                    // A list: quoted as a whole it would be one name.
                    "search_path" | "DateStyle" => source.clone(),
                    _ => pghaul_step::postgres::literal(source).unwrap_or_default(),
                };
                format!("on the target: ALTER SYSTEM SET {setting} = {value}; SELECT pg_reload_conf();")
            }
            Self::LimitSmaller { setting, source, .. } => {
                format!("use a target that is built with a {setting} of {source}")
            }
        })
    }
}

/// The check `settings`: do the servers agree in what gives statements and values their meaning?
///
/// Settings of databases and roles are moved with them, so those of the servers are compared.
#[derive(Debug, Clone, Copy)]
pub struct SettingsDiffer;

#[async_trait]
impl Check for SettingsDiffer {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "settings",
            summary: "the servers agree in settings that change what data means",
            after: &["connection"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let (source, target) = (ctx.source().await?, ctx.target().await?);
        let (source, target) = (read(&source).await?, read(&target).await?);
        let found = compare(&source, &target);
        Ok(found
            .iter()
            .map(|differs| differs.about("settings", Subject::Cluster))
            .collect())
    }
}

type Settings = BTreeMap<String, String>;

async fn read<S: SideMarker>(session: &Session<S, ReadOnly>) -> Result<Settings, Failure> {
    let doing = session.doing("compare settings");
    let sql = "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') \
               AND pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')";
    let readable: bool = doing.query_one(sql, &[]).await?.get(0);
    let (files, readable) = match readable {
        true => (
            "(SELECT p.name, p.setting FROM pg_catalog.pg_file_settings p WHERE p.applied ORDER BY p.seqno DESC)",
            "true",
        ),
        false => (
            "(SELECT NULL::text AS name, NULL::text AS setting WHERE false)",
            "false",
        ),
    };
    let sql = include_str!("settings.sql")
        .replace("{files}", files)
        .replace("{readable}", readable);
    let names = |settings: &[Watched]| settings.iter().map(|s| s.name).collect::<Vec<_>>();
    let visible: Vec<&str> = names(VISIBLE).into_iter().chain(names(LIMITS)).collect();
    let rows = doing.query(&sql, &[&names(HIDDEN), &visible]).await?;
    let value = |row: &pghaul_step::postgres::Row| row.get::<_, Option<String>>("value").unwrap_or_default();
    Ok(rows.iter().map(|row| (row.get("name"), value(row))).collect())
}

/// The differences in what both servers say.
fn compare(source: &Settings, target: &Settings) -> Vec<SettingDiffers> {
    let mut found = Vec::new();
    for (setting, source) in source {
        let Some(target) = target.get(setting) else {
            continue;
        };
        let is = |watched: &&Watched| watched.name.eq_ignore_ascii_case(setting);
        let (setting, value) = (setting.clone(), source.clone());
        if let Some(limit) = LIMITS.iter().find(is) {
            if number(target) < number(source) {
                found.push(SettingDiffers::LimitSmaller {
                    setting,
                    source: value,
                    target: target.clone(),
                    effect: limit.effect,
                });
            }
        } else if let Some(watched) = VISIBLE.iter().chain(HIDDEN).find(is)
            && !target.eq_ignore_ascii_case(source)
        {
            found.push(SettingDiffers::SettingDiffers {
                setting,
                source: value,
                target: target.clone(),
                effect: watched.effect,
            });
        }
    }
    found
}

fn number(value: &str) -> u64 {
    value.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn only_smaller_limits_and_other_meanings_count() {
        let source = settings(&[
            ("block_size", "8192"),
            ("DateStyle", "ISO, MDY"),
            ("TimeZone", "UTC"),
        ]);
        let same = settings(&[
            ("block_size", "16384"),
            ("DateStyle", "iso, mdy"),
            ("TimeZone", "UTC"),
        ]);
        assert_eq!(compare(&source, &same), []);
        let other = settings(&[
            ("block_size", "4096"),
            ("DateStyle", "ISO, DMY"),
            ("TimeZone", "Asia/Tokyo"),
        ]);
        let found: Vec<String> = compare(&source, &other)
            .iter()
            .map(FindingKind::message)
            .collect();
        assert_eq!(
            found,
            [
                "DateStyle is ISO, MDY on the source and ISO, DMY on the target: dates are read and written in another way",
                "TimeZone is UTC on the source and Asia/Tokyo on the target: timestamps without time zone and dates are \
                 taken from another clock",
                "block_size is 8192 on the source and 4096 on the target: rows, and entries of indexes, may be too large",
            ]
        );
    }
}
