//! The statements that restore one entry.

use crate::archive::Entry;
use crate::filter::{without_internal_options, without_maintain};
use crate::owned::owned;
use crate::owner::Owners;
use libpgdump::ObjectType;
use pghaul_step::Failure;
use pghaul_step::plan::{HeldBack, HeldBackKind};
use pghaul_step::postgres::{Ident, QualifiedName, literal};

/// Everything that pg_restore would send for the entry, and what holds it back.
///
/// `statements` are those of the archive, or others in their place.
pub(crate) fn script(
    entry: &Entry,
    statements: &str,
    held_back: Option<&HeldBack>,
    owners: &Owners,
) -> Result<String, Failure> {
    let mut script = String::new();
    // The database itself is created by pghaul, from the catalogs; only its owner is restored.
    if entry.kind != ObjectType::Database {
        script.push_str(&storage(entry)?);
        let statements = without_maintain(entry, without_internal_options(statements));
        script.push_str(&owners.granting(entry, statements)?);
        script.push_str(&access_method_of_partitioned(entry)?);
    }
    if let Some(object) = owned(entry)? {
        script.push_str(&owners.statement(entry, &object)?);
    }
    if let Some(held_back) = held_back {
        script.push_str(&disabling(held_back)?);
    }
    Ok(script)
}

/// Where the object's rows are to be kept: settings for the transaction. Every kind that could take over those of the
/// entry before it has its own; extensions, which create tables as the server's defaults say, are alone in their
/// transaction.
fn storage(entry: &Entry) -> Result<String, Failure> {
    if !matches!(
        entry.kind,
        ObjectType::Table | ObjectType::MaterializedView | ObjectType::Index | ObjectType::Constraint
    ) {
        return Ok(String::new());
    }
    let tablespace = match entry.tablespace.as_str() {
        "" => String::new(),
        name => Ident::new(name)?.as_str().to_owned(),
    };
    let mut settings = format!("SET LOCAL default_tablespace = {};\n", literal(&tablespace)?);
    if matches!(entry.kind, ObjectType::Table | ObjectType::MaterializedView)
        && !entry.access_method.is_empty()
        && !entry.partitioned
    {
        settings.push_str(&format!(
            "SET LOCAL default_table_access_method = {};\n",
            Ident::new(entry.access_method.as_str())?
        ));
    }
    Ok(settings)
}

/// A partitioned table, which stores nothing, hands its access method to its later partitions. It takes none over from a
/// setting.
fn access_method_of_partitioned(entry: &Entry) -> Result<String, Failure> {
    if !entry.partitioned || entry.access_method.is_empty() {
        return Ok(String::new());
    }
    let table = QualifiedName::new(entry.namespace.as_str(), entry.tag.as_str())?;
    let method = Ident::new(entry.access_method.as_str())?;
    Ok(format!("\nALTER TABLE {table} SET ACCESS METHOD {method};\n"))
}

/// Foreign keys that are held back are not created at all; triggers are created, and disabled.
fn disabling(held_back: &HeldBack) -> Result<String, Failure> {
    let name = Ident::new(held_back.name.as_str())?;
    Ok(match (held_back.kind, &held_back.table) {
        (HeldBackKind::ForeignKey, _) => String::new(),
        (_, Some(table)) => {
            let table = QualifiedName::try_from(table)?;
            format!("\nALTER TABLE {table} DISABLE TRIGGER {name};\n")
        }
        (_, None) => format!("\nALTER EVENT TRIGGER {name} DISABLE;\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pghaul_step::TableName;

    fn entry(kind: ObjectType) -> Entry {
        Entry {
            namespace: "my schema".into(),
            owner: "o\"o".into(),
            statements: "CREATE …;\n".into(),
            drop_statement: "DROP FUNCTION \"my schema\".f(integer);\n".into(),
            access_method: "heap".into(),
            before_data: true,
            ..Entry::bare(kind, "T")
        }
    }

    fn restored(entry: &Entry, held_back: Option<&HeldBack>) -> Result<String, Failure> {
        script(entry, &entry.statements, held_back, &Owners::All)
    }

    #[test]
    fn owners_are_restored_by_name_or_by_signature() {
        let table = restored(&entry(ObjectType::Sequence), None).unwrap();
        assert!(
            table.ends_with("\nALTER SEQUENCE \"my schema\".\"T\" OWNER TO \"o\"\"o\";\n"),
            "{table}"
        );
        let function = restored(&entry(ObjectType::Function), None).unwrap();
        assert!(
            function.ends_with("ALTER FUNCTION \"my schema\".f(integer) OWNER TO \"o\"\"o\";\n"),
            "{function}"
        );
        assert_eq!(
            restored(&entry(ObjectType::Trigger), None).unwrap(),
            "CREATE …;\n"
        );
    }

    #[test]
    fn without_a_superuser_rights_to_create_are_lent_and_grantors_are_acted_as() {
        let owners = Owners::Limited {
            role: "mover".into(),
            given: true,
            reached: ["o\"o".to_owned()].into(),
            initial: None,
            of_public: None,
        };
        let table = entry(ObjectType::Table);
        let sent = script(&table, &table.statements, None, &owners).unwrap();
        assert!(
            sent.ends_with(
                "DO 'BEGIN IF pg_catalog.has_schema_privilege(''o\"o'', ''my schema'', ''CREATE'') THEN \
                 ALTER TABLE \"my schema\".\"T\" OWNER TO \"o\"\"o\"; ELSE GRANT CREATE ON SCHEMA \"my schema\" TO \"o\"\"o\"; \
                 ALTER TABLE \"my schema\".\"T\" OWNER TO \"o\"\"o\"; REVOKE CREATE ON SCHEMA \"my schema\" FROM \"o\"\"o\"; \
                 END IF; END';\n"
            ),
            "{sent}"
        );
        let rights = entry(ObjectType::Acl);
        let granted = "GRANT SELECT ON TABLE s.t TO a WITH GRANT OPTION;\nSET SESSION AUTHORIZATION a;\nGRANT SELECT ON TABLE \
                       s.t TO b;\nRESET SESSION AUTHORIZATION;\n";
        assert_eq!(
            script(&rights, granted, None, &owners).unwrap(),
            "SET LOCAL ROLE \"o\"\"o\";\nGRANT SELECT ON TABLE s.t TO a WITH GRANT OPTION;\nRESET ROLE;\nSET LOCAL ROLE a;\n\
             GRANT SELECT ON TABLE s.t TO b;\nSET LOCAL ROLE \"o\"\"o\";\nRESET ROLE;\n"
        );
        let other = Entry {
            owner: "postgres".into(),
            ..table
        };
        assert!(!script(&other, "", None, &owners).unwrap().contains("OWNER TO"));
    }

    #[test]
    fn a_held_back_trigger_is_created_and_disabled() {
        let held_back = HeldBack {
            kind: HeldBackKind::Trigger,
            table: Some(TableName::new("s", "t")),
            name: "audit".into(),
            why: String::new(),
        };
        let script = restored(&entry(ObjectType::Trigger), Some(&held_back)).unwrap();
        assert_eq!(
            script,
            "CREATE …;\n\nALTER TABLE \"s\".\"t\" DISABLE TRIGGER \"audit\";\n"
        );
    }
}
