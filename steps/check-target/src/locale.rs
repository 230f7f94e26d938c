//! The check `locale`.

use pghaul_step::postgres::{PgError, QuoteError, Rehearsal, Session, Target, literal};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Code, Database, Failure, Finding, FindingKind, async_trait,
};
use serde::Serialize;

/// A locale that the target does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MissingLocale {
    /// The database can't be created with the locale that it has on the source.
    LocaleMissing {
        /// `LC_COLLATE`.
        collate: String,
        /// `LC_CTYPE`.
        ctype: String,
        /// `libc`, `icu` or `builtin`.
        provider: &'static str,
        /// The locale of ICU or the built-in provider.
        locale: Option<String>,
        /// What the target says.
        error: String,
    },
}

impl FindingKind for MissingLocale {
    fn message(&self) -> String {
        let Self::LocaleMissing {
            collate,
            ctype,
            error,
            ..
        } = self;
        format!(
            "the target can't create the database with LC_COLLATE {collate} and LC_CTYPE {ctype}: {error}"
        )
    }

    fn hint(&self) -> Option<String> {
        let Self::LocaleMissing { provider, .. } = self;
        Some(match *provider {
            "icu" => "use a target that is built with ICU".to_owned(),
            _ => "install the locale in the target's operating system (`locale -a` lists what is there) and \
                  restart the target"
                .to_owned(),
        })
    }
}

/// The locale of a database on the source.
struct Wanted {
    collate: String,
    ctype: String,
    provider: &'static str,
    locale: Option<String>,
    encoding: i32,
}

impl Wanted {
    /// The statements that fail where the locale is missing. `CREATE DATABASE` can't be rehearsed, but a
    /// collation asks the operating system for the same things.
    fn trials(&self) -> Result<Vec<String>, QuoteError> {
        let mut trials = Vec::new();
        let everywhere = |name: &str| matches!(name, "C" | "POSIX");
        if !everywhere(&self.collate) || !everywhere(&self.ctype) {
            trials.push(format!(
                "CREATE COLLATION pg_temp.pghaul_probe_libc (LC_COLLATE = {}, LC_CTYPE = {})",
                literal(&self.collate)?,
                literal(&self.ctype)?
            ));
        }
        if let Some(locale) = &self.locale {
            trials.push(format!(
                "CREATE COLLATION pg_temp.pghaul_probe_{0} (PROVIDER = {0}, LOCALE = {1})",
                self.provider,
                literal(locale)?
            ));
        }
        Ok(trials)
    }
}

/// The check `locale`: does the target know the locale of a database that is to be created there?
#[derive(Debug, Clone, Copy)]
pub struct Locale;

#[async_trait]
impl Check for Locale {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "locale",
            summary: "the target knows the database's locale",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let target = ctx.target().await?;
        // Nothing can be tried on a standby; that it is one, `target-rights` says.
        if super::exists(&target, ctx).await? || target.is_standby().await? {
            return Ok(Vec::new());
        }
        let wanted = wanted(ctx).await?;
        let mut session = ctx.rehearse_on_target().await?;
        let Some(error) = refusal(&mut session, &wanted).await? else {
            return Ok(Vec::new());
        };
        let Wanted {
            collate,
            ctype,
            provider,
            locale,
            ..
        } = wanted;
        let missing = MissingLocale::LocaleMissing {
            collate,
            ctype,
            provider,
            locale,
            error: error.message().to_owned(),
        };
        Ok(vec![missing.about("locale", super::database(ctx))])
    }
}

async fn wanted(ctx: &CheckContext<Database>) -> Result<Wanted, Failure> {
    let source = ctx.source().await?;
    let row = source
        .doing("read the database's locale")
        .query_one(include_str!("locale.sql"), &[])
        .await?;
    let provider = match row.get("provider") {
        "i" => "icu",
        "b" => "builtin",
        _ => "libc",
    };
    Ok(Wanted {
        collate: row.get("collate"),
        ctype: row.get("ctype"),
        provider,
        locale: row.get("locale"),
        encoding: row.get("encoding"),
    })
}

/// What the target says against the locale, if it does.
async fn refusal(
    session: &mut Session<Target, Rehearsal>,
    wanted: &Wanted,
) -> Result<Option<PgError>, Failure> {
    let sql = "SELECT encoding FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()";
    let encoding: i32 = session
        .doing("read the encoding")
        .query_one(sql, &[])
        .await?
        .get(0);
    let mut rehearsal = session.rehearse().await?;
    let mut refusal = None;
    for trial in wanted.trials()? {
        match rehearsal.attempt("try the locale", &trial, &[]).await {
            Ok(_) => {}
            // No right to try, or the trial's database has an encoding that does not go with the locale.
            Err(error) if error.code() == Code::PermissionDenied => {}
            Err(error)
                if encoding != wanted.encoding && !error.message().contains("could not create locale") => {}
            // That says nothing of the locale.
            Err(error) if error.code() == Code::LockTimeout => return Err(error.into()),
            Err(error) if error.sqlstate().is_some() => {
                refusal = Some(error);
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    rehearsal.roll_back().await?;
    Ok(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(collate: &str, provider: &'static str, locale: Option<&str>) -> Wanted {
        Wanted {
            collate: collate.into(),
            ctype: "C".into(),
            provider,
            locale: locale.map(str::to_owned),
            encoding: 6,
        }
    }

    #[test]
    fn only_what_may_be_missing_is_tried() {
        assert_eq!(wanted("C", "libc", None).trials().unwrap(), [""; 0]);
        assert_eq!(
            wanted("de_DE'x", "icu", Some("de")).trials().unwrap(),
            [
                "CREATE COLLATION pg_temp.pghaul_probe_libc (LC_COLLATE = 'de_DE''x', LC_CTYPE = 'C')",
                "CREATE COLLATION pg_temp.pghaul_probe_icu (PROVIDER = icu, LOCALE = 'de')",
            ]
        );
    }
}
