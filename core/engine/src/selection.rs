//! Which databases are moved, and whether patterns for objects match any.

use crate::provider::profiles;
use globset::{GlobBuilder, GlobMatcher};
use pghaul_core::event::Selection;
use pghaul_core::selection::{Object, Rule, resolve};
use pghaul_core::{Code, DatabaseName, Failure};
use pghaul_postgres::{Server, Source};
use pghaul_step::check::maintenance_for_reading;
use pghaul_step::selected::unresolvable;
use std::collections::{BTreeMap, BTreeSet};
use strum::IntoEnumIterator as _;

/// Databases that belong to PostgreSQL or to a hosting provider without a profile, never to the user.
const ADMINISTRATIVE: [&str; 3] = ["template0", "template1", "_dodb"];

/// What a look at the source's list of databases says about one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: DatabaseName,
    /// Whether somebody has created something in it; only asked of `postgres`.
    pub has_user_objects: bool,
}

/// Picks the databases to be moved.
///
/// Without patterns that is every database but the administrative ones; `postgres` counts as administrative
/// unless it holds objects of users. A pattern may contain `*`, `?` and `[…]`, matches the whole name, and
/// reaches administrative databases only when it names them literally.
///
/// # Errors
/// When a pattern can't be read, or selects nothing.
pub fn select(candidates: &[Candidate], selection: &Selection) -> Result<Vec<DatabaseName>, Failure> {
    let include = patterns(&selection.include)?;
    let exclude = patterns(&selection.exclude)?;
    for pattern in &include {
        if !candidates.iter().any(|c| pattern.is_match(c.name.as_str())) {
            return Err(Failure::new(
                Code::BadInput,
                format!("no database of the source matches {:?}", pattern.glob().glob()),
            )
            .with_hint(format!("the source has: {}", names(candidates))));
        }
    }
    let of_providers: BTreeSet<String> = profiles()?
        .into_iter()
        .flat_map(|profile| profile.leaves_out.databases)
        .collect();
    let named = |name: &str| selection.include.iter().any(|p| p == name);
    let wanted = |candidate: &&Candidate| {
        let name = candidate.name.as_str();
        let administrative = ADMINISTRATIVE.contains(&name)
            || of_providers.contains(name)
            || (name == "postgres" && !candidate.has_user_objects);
        (include.is_empty() || include.iter().any(|p| p.is_match(name)))
            && !exclude.iter().any(|p| p.is_match(name))
            && (!administrative || named(name))
    };
    let chosen: Vec<_> = candidates.iter().filter(wanted).map(|c| c.name.clone()).collect();
    if chosen.is_empty() {
        return Err(Failure::new(Code::BadInput, "there is no database to move").with_hint(format!(
            "the source has: {}; databases of PostgreSQL itself and of providers are left out unless named",
            names(candidates)
        )));
    }
    Ok(chosen)
}

/// Applies the patterns for objects to every selected database, before anything is journaled.
///
/// # Errors
/// A pattern that can't be read, that matches nothing in any database that it concerns, or that would take a partition out
/// of its tree; a lost connection.
pub async fn check_objects(
    source: &Server<Source>,
    databases: &[DatabaseName],
    selection: &Selection,
) -> Result<(), Failure> {
    let patterns = selection
        .objects
        .parsed()
        .map_err(|error| unresolvable(&error.into()))?;
    if patterns.is_empty() {
        return Ok(());
    }
    let mut matched: BTreeSet<(Rule, String)> = BTreeSet::new();
    let mut names: BTreeMap<Rule, BTreeSet<String>> = BTreeMap::new();
    for database in databases {
        let graph = source
            .read(database.as_str(), async |session| Ok(session.objects().await?))
            .await?;
        let found = resolve(&graph, &selection.objects, None, database)
            .map_err(|error| unresolvable(&error).with_database(database.as_str()))?;
        let concerned = patterns
            .iter()
            .filter(|(_, pattern)| pattern.concerns(database.as_str()));
        let all = concerned.map(|(rule, pattern)| (*rule, pattern.to_string()));
        matched.extend(all.filter(|known| !found.unmatched.contains(known)));
        for object in graph.objects() {
            for rule in Rule::iter().filter(|rule| rule.can_match(object.kind)) {
                names.entry(rule).or_default().insert(name_of(object));
            }
        }
    }
    let roles = role_names(source).await?;
    for (rule, pattern) in patterns {
        let text = pattern.to_string();
        let is_matched = match rule {
            Rule::ExcludeRole => roles.iter().any(|role| pattern.matches_name(role)),
            _ => matched.contains(&(rule, text.clone())),
        };
        if !is_matched {
            let known = if rule == Rule::ExcludeRole {
                Some(&roles)
            } else {
                names.get(&rule)
            };
            return Err(matches_nothing(rule, &text, known));
        }
    }
    Ok(())
}

fn name_of(object: &Object) -> String {
    match &object.schema {
        Some(schema) => format!("{schema}.{}", object.name),
        None => object.name.clone(),
    }
}

async fn role_names(source: &Server<Source>) -> Result<BTreeSet<String>, Failure> {
    let session = maintenance_for_reading(source).await?;
    let sql = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'";
    let rows = session.doing("list the roles").query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// How many names are suggested, and how alike they must be.
const SUGGESTED: usize = 3;
const ALIKE: f64 = 0.7;

fn matches_nothing(rule: Rule, pattern: &str, known: Option<&BTreeSet<String>>) -> Failure {
    let plain = pattern.replace(['"', '*', '?'], "").to_lowercase();
    let likeness = |name: &&String| {
        let own = name.rsplit_once('.').map_or(name.as_str(), |(_, own)| own);
        strsim::jaro_winkler(&plain, name).max(strsim::jaro_winkler(&plain, own))
    };
    let mut near: Vec<(f64, &String)> = known
        .into_iter()
        .flatten()
        .map(|name| (likeness(&name), name))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = near
        .iter()
        .take(SUGGESTED)
        .map(|(_, name)| name.as_str())
        .collect();
    let hint = match near.is_empty() {
        true => "a name that stands between double quotes is not folded to lower case; a dot divides schema and name".to_owned(),
        false => format!("the source has: {}", near.join(", ")),
    };
    Failure::new(
        Code::BadInput,
        format!("{rule} {pattern} matches nothing in the selected databases"),
    )
    .with_hint(hint)
}

/// What can be named: nobody connects to `template0`.
fn names(candidates: &[Candidate]) -> String {
    candidates
        .iter()
        .map(|c| c.name.as_str())
        .filter(|name| *name != "template0")
        .collect::<Vec<_>>()
        .join(", ")
}

fn patterns(texts: &[String]) -> Result<Vec<GlobMatcher>, Failure> {
    texts.iter().map(|text| pattern(text)).collect()
}

fn pattern(text: &str) -> Result<GlobMatcher, Failure> {
    let glob = GlobBuilder::new(text).backslash_escape(true).build().map_err(|e| {
        Failure::new(Code::BadInput, format!("the database pattern {text:?} can't be read"))
            .with_cause(e.kind())
            .with_hint("`*` stands for any text, `?` for one character, `[ab]` for one of a and b; put a \\ before one of them to mean itself")
    })?;
    Ok(glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Vec<Candidate> {
        [
            "app",
            "app_test",
            "my-shop",
            "postgres",
            "rdsadmin",
            "template0",
            "template1",
        ]
        .map(|name| Candidate {
            name: name.into(),
            has_user_objects: false,
        })
        .to_vec()
    }

    fn chosen(include: &[&str], exclude: &[&str]) -> Result<String, String> {
        let selection = Selection {
            include: include.iter().map(ToString::to_string).collect(),
            exclude: exclude.iter().map(ToString::to_string).collect(),
            ..Selection::default()
        };
        select(&cluster(), &selection)
            .map(|names| {
                names
                    .iter()
                    .map(DatabaseName::as_str)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .map_err(|f| f.message)
    }

    #[test]
    fn administrative_databases_are_left_out_unless_named() {
        assert_eq!(chosen(&[], &[]).unwrap(), "app app_test my-shop");
        assert_eq!(chosen(&["*"], &[]).unwrap(), "app app_test my-shop");
        assert_eq!(chosen(&["postgres"], &[]).unwrap(), "postgres");
    }

    #[test]
    fn postgres_is_moved_when_somebody_uses_it() {
        let used = [Candidate {
            name: "postgres".into(),
            has_user_objects: true,
        }];
        assert_eq!(select(&used, &Selection::default()).unwrap().len(), 1);
    }

    #[test]
    fn patterns_match_whole_names() {
        assert_eq!(chosen(&["app*"], &["*_test"]).unwrap(), "app");
        assert_eq!(chosen(&["my-?hop"], &[]).unwrap(), "my-shop");
        assert_eq!(
            chosen(&["ap"], &[]).unwrap_err(),
            "no database of the source matches \"ap\""
        );
    }

    #[test]
    fn the_option_of_a_hint_leaves_out_one_database() {
        let name = r"a*b?[c]{d,e}\";
        let option = pghaul_step::exclude_database(name);
        let text = option.strip_prefix("'--exclude-database=").unwrap();
        let pattern = pattern(text.strip_suffix('\'').unwrap()).unwrap();
        assert!(pattern.is_match(name));
        assert!(!pattern.is_match(r"aXb?[c]{d,e}\") && !pattern.is_match(r"a*b?cd\"));
    }

    #[test]
    fn what_can_be_named_is_listed() {
        let selection = Selection {
            include: vec!["ap".to_owned()],
            ..Selection::default()
        };
        let hint = select(&cluster(), &selection).unwrap_err().hint;
        assert_eq!(
            hint.as_deref(),
            Some("the source has: app, app_test, my-shop, postgres, rdsadmin, template1")
        );
    }

    #[test]
    fn selecting_nothing_is_an_error() {
        assert_eq!(chosen(&[], &["*"]).unwrap_err(), "there is no database to move");
        assert_eq!(
            chosen(&["[a"], &[]).unwrap_err(),
            "the database pattern \"[a\" can't be read"
        );
    }
}
