//! What the first run of a migration has frozen: options of a later one may repeat it, and say nothing else.

use pghaul_core::event::Selection;
use pghaul_core::selection::Rule;
use pghaul_core::{Code, Failure, Mapping, Migration};
use strum::IntoEnumIterator as _;

/// The selection is frozen by the first run; options that say something else are refused, not ignored.
pub(super) fn check_frozen(given: &Selection, migration: &Migration) -> Result<(), Failure> {
    let Some(frozen) = &migration.selection else {
        return Ok(());
    };
    let mut options = vec![
        (
            "--database".to_owned(),
            !given.include.is_empty() && given.include != frozen.include,
        ),
        (
            "--exclude-database".to_owned(),
            !given.exclude.is_empty() && given.exclude != frozen.exclude,
        ),
        (
            "--method".to_owned(),
            given.method.is_some() && given.method != frozen.method,
        ),
        (
            "--initial-copy".to_owned(),
            given.initial_copy.is_some() && given.initial_copy != frozen.initial_copy,
        ),
    ];
    options.extend(mapped(&given.mapping, &frozen.mapping));
    options.extend(Rule::iter().map(|rule| {
        let patterns = given.objects.patterns(rule);
        let differ = !patterns.is_empty() && patterns != frozen.objects.patterns(rule);
        (rule.to_string(), differ)
    }));
    match options.iter().find(|(_, differs)| *differs) {
        None => Ok(()),
        Some((option, _)) => Err(differs(option, migration)),
    }
}

/// Each option that gives something another name, owner or rights, and whether it is given and says something else.
fn mapped(given: &Mapping, frozen: &Mapping) -> [(String, bool); 4] {
    let names_roles = !given.roles.is_empty() || given.other_roles.is_some();
    let same_roles = (&given.roles, &given.other_roles) == (&frozen.roles, &frozen.other_roles);
    [
        ("--map-role", names_roles && !same_roles),
        (
            "--rename-database",
            !given.databases.is_empty() && given.databases != frozen.databases,
        ),
        ("--no-owner", given.no_owner && !frozen.no_owner),
        ("--no-privileges", given.no_privileges && !frozen.no_privileges),
    ]
    .map(|(option, differs)| (option.to_owned(), differs))
}

/// The provider is frozen with the selection.
pub(super) fn check_frozen_provider(given: Option<&str>, migration: &Migration) -> Result<(), Failure> {
    let frozen = migration.selection.as_ref().map(|selection| {
        let provider = selection.provider.as_ref();
        provider.map_or("none", |provider| provider.provider.as_str())
    });
    match (given, frozen) {
        (Some(given), Some(frozen)) if given != frozen => Err(differs("--provider", migration)),
        _ => Ok(()),
    }
}

fn differs(option: &str, migration: &Migration) -> Failure {
    Failure::new(
        Code::BadInput,
        format!("{option} differs from what the first run of this migration was given"),
    )
    .with_hint(way_out(migration))
}

/// How to get another selection than the frozen one. Names of migrations are made of characters that a shell leaves alone.
fn way_out(migration: &Migration) -> String {
    let old = migration
        .created
        .as_ref()
        .map_or("OLD", |created| created.name.as_str());
    format!(
        "leave it out to go on; or `pghaul remove --name {old}`, which ends this migration, rename what it has made on the target, \
         and begin another one with these options and another --name"
    )
}

#[cfg(test)]
mod tests {
    use super::check_frozen;
    use pghaul_core::event::{Created, Endpoint, Selection};
    use pghaul_core::selection::Rule;
    use pghaul_core::{Method, Migration};

    fn created(name: &str) -> Created {
        let side = || Endpoint {
            conninfo: String::new(),
            system_identifier: "1".to_owned(),
            version: 150_000,
        };
        Created {
            name: name.to_owned(),
            source: side(),
            target: side(),
            pghaul: "0".to_owned(),
        }
    }

    #[test]
    fn a_frozen_selection_is_not_changed_by_options() {
        let frozen = Selection {
            include: vec!["a*".into()],
            ..Selection::default()
        };
        let same = frozen.clone();
        let other = Selection {
            method: Some(Method::Dump),
            ..Selection::default()
        };
        let mut fewer = Selection::default();
        fewer.objects.add(Rule::ExcludeTable, "audit.*".to_owned());
        let begun = Migration {
            created: Some(created("brave-otter")),
            selection: Some(frozen),
            ..Migration::default()
        };
        assert_eq!(check_frozen(&Selection::default(), &begun), Ok(()));
        assert_eq!(check_frozen(&same, &begun), Ok(()));
        assert_eq!(check_frozen(&other, &Migration::default()), Ok(()));
        let refusal = check_frozen(&other, &begun).unwrap_err();
        assert!(refusal.message.starts_with("--method"), "{refusal}");
        let refused = check_frozen(&fewer, &begun).unwrap_err();
        assert!(
            refused.message.starts_with("--exclude-table differs"),
            "{refused}"
        );
        let hint = refusal.hint.unwrap();
        assert!(hint.contains("`pghaul remove --name brave-otter`"), "{hint}");
    }
}
