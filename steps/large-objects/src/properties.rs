//! Owner, privileges, comment and security labels of large objects.

use crate::description::Properties;
use crate::own::OwnWrites;
use pghaul_step::postgres::{PgError, ReadWrite, Session, Target};
use pghaul_step::{Context, Database, Failure};

/// A large object whose properties are to be changed.
pub(crate) struct Change {
    pub(crate) oid: u32,
    pub(crate) statements: Vec<String>,
}

impl Change {
    /// What makes the properties of a large object of the target those of the source; `there` is absent where pghaul's role,
    /// whose quoted name is `creator`, has just created it.
    pub(crate) fn new(oid: u32, wanted: &Properties, there: Option<&Properties>, creator: &str) -> Self {
        let mut statements = Vec::new();
        let default_there = there.is_none_or(|there| there.has_default_rights);
        if let Some(there) = there {
            let revoke = |role| format!("REVOKE ALL ON LARGE OBJECT {oid} FROM {role} CASCADE");
            statements.extend(there.grantees.iter().map(revoke));
            statements.extend(
                there
                    .comment
                    .iter()
                    .map(|_| format!("COMMENT ON LARGE OBJECT {oid} IS NULL")),
            );
            statements.extend(there.labels.iter().filter_map(|label| without_label(label)));
        }
        let owner = &wanted.owner;
        if there.map_or(creator, |there| &there.owner) != owner {
            statements.push(format!("ALTER LARGE OBJECT {oid} OWNER TO {owner}"));
        }
        if !(wanted.has_default_rights && default_there) {
            statements.push(format!("REVOKE ALL ON LARGE OBJECT {oid} FROM {owner}"));
            statements.extend(wanted.grants.iter().cloned());
        }
        statements.extend(wanted.comment.iter().cloned());
        statements.extend(wanted.labels.iter().cloned());
        Self { oid, statements }
    }
}

/// The statement that removes a label, given the one that sets it.
fn without_label(label: &str) -> Option<String> {
    let (object, _) = label.split_once(" IS ")?;
    Some(format!("{object} IS NULL"))
}

/// Changes properties, all in one transaction, or each object by itself where the target refuses one. Returns those that it
/// refuses, with its words.
pub(crate) async fn change(
    ctx: &Context<Database>,
    own: &OwnWrites,
    target: &mut Session<Target, ReadWrite>,
    changes: &[Change],
) -> Result<Vec<(u32, String)>, Failure> {
    let all: Vec<&Change> = changes
        .iter()
        .filter(|change| !change.statements.is_empty())
        .collect();
    if all.is_empty() || attempt(ctx, own, target, &all).await?.is_none() {
        return Ok(Vec::new());
    }
    let mut refused = Vec::new();
    for change in all {
        if let Some(error) = attempt(ctx, own, target, &[change]).await? {
            refused.push((change.oid, error.message().to_owned()));
        }
    }
    Ok(refused)
}

async fn attempt(
    ctx: &Context<Database>,
    own: &OwnWrites,
    target: &mut Session<Target, ReadWrite>,
    changes: &[&Change],
) -> Result<Option<PgError>, Failure> {
    let statements: Vec<&str> = changes
        .iter()
        .flat_map(|change| change.statements.iter().map(String::as_str))
        .collect();
    let transaction = ctx.begin(target).await?;
    own.note(&transaction).await?;
    let operation = "set owners and privileges of large objects";
    let done = transaction.doing(operation).batch(&statements.join(";\n")).await;
    match done {
        Ok(()) => {
            transaction.commit(operation).await?;
            Ok(None)
        }
        Err(error) if is_refusal(&error) => {
            transaction.rollback().await?;
            Ok(Some(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// A role or a label provider that the target lacks, or a right: classes 42, 22, 0A and 0L.
fn is_refusal(error: &PgError) -> bool {
    let class = error.sqlstate().and_then(|state| state.get(..2));
    matches!(class, Some("42" | "22" | "0A" | "0L"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(owner: &str, grants: &[&str], default: bool) -> Properties {
        Properties {
            owner: owner.to_owned(),
            has_default_rights: default,
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            grantees: Vec::new(),
            comment: None,
            labels: Vec::new(),
        }
    }

    #[test]
    fn nothing_is_said_of_what_is_there_already() {
        let wanted = properties("mover", &["GRANT ALL"], true);
        assert!(Change::new(7, &wanted, None, "mover").statements.is_empty());
        let other = Change::new(7, &wanted, None, "postgres").statements;
        assert_eq!(other, ["ALTER LARGE OBJECT 7 OWNER TO mover"]);
    }

    #[test]
    fn what_the_source_has_taken_back_is_taken_back() {
        let wanted = properties("a", &["GRANT SELECT ON LARGE OBJECT 7 TO a"], true);
        let there = Properties {
            grantees: vec!["a".to_owned(), "PUBLIC".to_owned()],
            comment: Some("COMMENT ON LARGE OBJECT 7 IS 'x IS y'".to_owned()),
            labels: vec!["SECURITY LABEL FOR p ON LARGE OBJECT 7 IS 'a IS b'".to_owned()],
            ..properties("a", &[], false)
        };
        assert_eq!(
            Change::new(7, &wanted, Some(&there), "mover").statements,
            [
                "REVOKE ALL ON LARGE OBJECT 7 FROM a CASCADE",
                "REVOKE ALL ON LARGE OBJECT 7 FROM PUBLIC CASCADE",
                "COMMENT ON LARGE OBJECT 7 IS NULL",
                "SECURITY LABEL FOR p ON LARGE OBJECT 7 IS NULL",
                "REVOKE ALL ON LARGE OBJECT 7 FROM a",
                "GRANT SELECT ON LARGE OBJECT 7 TO a",
            ]
        );
    }
}
