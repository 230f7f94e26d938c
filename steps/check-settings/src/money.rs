//! The check `money`.

use pghaul_step::postgres::Row;
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, async_trait,
};
use serde::Serialize;

/// Amounts of money that the target reads otherwise than the source writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MoneyDiffers {
    /// `lc_monetary` differs in a database with columns of the type money.
    MoneyDiffers {
        /// How many columns.
        columns: i64,
        /// `lc_monetary` on the source.
        source: String,
        /// How the source writes an amount.
        source_writes: String,
        /// `lc_monetary` on the target.
        target: String,
        /// How the target writes the same amount.
        target_writes: String,
    },
}

impl FindingKind for MoneyDiffers {
    fn message(&self) -> String {
        let Self::MoneyDiffers {
            columns,
            source,
            source_writes,
            target,
            target_writes,
        } = self;
        format!(
            "{columns} columns are of the type money, and its amounts are written {source_writes} on the source \
             (lc_monetary = {source}) but {target_writes} on the target (lc_monetary = {target}): they would \
             arrive as other amounts"
        )
    }

    fn hint(&self) -> Option<String> {
        let Self::MoneyDiffers { source, .. } = self;
        let locale = pghaul_step::postgres::literal(source).unwrap_or_default();
        Some(format!(
            "on the target: ALTER SYSTEM SET lc_monetary = {locale}; SELECT pg_reload_conf(); or change the columns \
             to numeric"
        ))
    }
}

/// The check `money`: do both servers write amounts of money alike?
///
/// Rows travel as text, and a setting of the database comes to the target only after its rows.
#[derive(Debug, Clone, Copy)]
pub struct Money;

#[async_trait]
impl Check for Money {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "money",
            summary: "both servers write amounts of money alike",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let row = source
            .doing("look for columns of the type money")
            .query_one(include_str!("money.sql"), &[])
            .await?;
        let columns: i64 = row.get("columns");
        if columns == 0 {
            return Ok(Vec::new());
        }
        let target = ctx.target().await?;
        let there = target
            .doing("see how amounts of money are written")
            .query_one(include_str!("money.sql"), &[])
            .await?;
        let found = differs(columns, written(&row), written(&there));
        Ok(found
            .iter()
            .map(|differs| differs.about("money", super::database(ctx)))
            .collect())
    }
}

/// `lc_monetary` of a server, and an amount as it writes it.
struct Written {
    locale: String,
    amount: String,
}

fn written(row: &Row) -> Written {
    Written {
        locale: row.get("locale"),
        amount: row.get("written"),
    }
}

/// Names of locales differ where they mean the same, so the amounts are compared.
fn differs(columns: i64, source: Written, target: Written) -> Option<MoneyDiffers> {
    (source.amount != target.amount).then_some(MoneyDiffers::MoneyDiffers {
        columns,
        source: source.locale,
        source_writes: source.amount,
        target: target.locale,
        target_writes: target.amount,
    })
}

#[cfg(test)]
mod tests {
    use super::{MoneyDiffers, Written, differs};

    fn written(locale: &str, amount: &str) -> Written {
        Written {
            locale: locale.to_owned(),
            amount: amount.to_owned(),
        }
    }

    #[test]
    fn amounts_count_and_not_names() {
        let plain = || written("C", "-$1,234,567.89");
        assert_eq!(
            differs(1, plain(), written("en_US.UTF-8", "-$1,234,567.89")),
            None
        );
        assert_eq!(
            differs(1, plain(), written("de_DE.UTF-8", "-1.234.567,89 €")),
            Some(MoneyDiffers::MoneyDiffers {
                columns: 1,
                source: "C".to_owned(),
                source_writes: "-$1,234,567.89".to_owned(),
                target: "de_DE.UTF-8".to_owned(),
                target_writes: "-1.234.567,89 €".to_owned(),
            })
        );
    }
}
