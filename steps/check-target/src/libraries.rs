//! The check `libraries`.

use crate::each;
use pghaul_step::postgres::{PgError, Rehearsed, Session, Target, literal};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Code, Database, Failure, Finding, FindingKind, Severity,
    async_trait, quoted,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Functions in C, or of the server itself, that the target can't have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LibraryProblem {
    /// The target can't load a library.
    LibraryNotLoaded {
        /// Its name, as the functions give it.
        library: String,
        /// The functions, each with what uses it.
        functions: Vec<String>,
        /// PostgreSQL's message.
        error: String,
    },
    /// A library of the target lacks a function, or the server does.
    SymbolMissing {
        /// The library; empty for functions of the server itself.
        library: String,
        /// The functions, each with what uses it.
        functions: Vec<String>,
        /// PostgreSQL's message about the first.
        error: String,
    },
    /// pghaul's role may not create functions in C.
    NotPermitted {
        /// The role.
        role: String,
        /// The functions, with their libraries.
        functions: Vec<String>,
    },
    /// It could not be tried.
    NotTried {
        /// The libraries.
        libraries: Vec<String>,
        /// Why not.
        why: String,
    },
}

impl FindingKind for LibraryProblem {
    fn severity(&self) -> Severity {
        match self {
            Self::NotTried { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::LibraryNotLoaded {
                library,
                functions,
                error,
            } => format!(
                "the target can't load library {library}, which these functions need ({}): {}; it reports: {error}",
                functions.len(),
                each(functions)
            ),
            Self::SymbolMissing {
                library,
                functions,
                error,
            } => {
                let of = match library.as_str() {
                    "" => "the target's server".to_owned(),
                    library => format!("library {library} of the target"),
                };
                format!(
                    "{of} lacks what these functions call ({}): {}; it reports: {error}",
                    functions.len(),
                    each(functions)
                )
            }
            Self::NotPermitted { role, functions } => format!(
                "role {} may not create functions in C or of the server itself on the target ({}): {}",
                quoted(role),
                functions.len(),
                each(functions)
            ),
            Self::NotTried { libraries, why } => format!(
                "whether the target can load these libraries could not be tried ({}): {}; {why}",
                libraries.len(),
                each(libraries)
            ),
        }
    }

    fn hint(&self) -> Option<String> {
        let drop = "or, where nothing needs them, drop the functions on the source";
        Some(match self {
            Self::LibraryNotLoaded { .. } => {
                format!("install the library's package for the target's version on its machine; {drop}")
            }
            Self::SymbolMissing { .. } => {
                format!("install the version of the library that the functions were written for; {drop}")
            }
            Self::NotPermitted { .. } => format!(
                "where an extension has these functions, create it on the source: CREATE EXTENSION …; or connect to the \
                 target as a superuser; {drop}"
            ),
            Self::NotTried { .. } => {
                "give pghaul's role TEMPORARY on the database that it connects to, or look for the libraries on the target's \
                 machine"
                    .to_owned()
            }
        })
    }
}

/// The check `libraries`: does the target have what functions in C call, as `pg_upgrade --check` asks?
///
/// Each is tried as a function without arguments, in a transaction that is rolled back: the server loads the library and
/// looks for the symbol. A role that may not create such functions learns that.
#[derive(Debug, Clone, Copy)]
pub struct Libraries;

/// The functions that call one symbol of one library.
struct Called {
    library: Option<String>,
    symbol: String,
    functions: Vec<String>,
}

/// How a trial ended.
enum Trial {
    Works,
    NotLoaded(String),
    SymbolMissing(String),
    NotPermitted,
}

#[async_trait]
impl Check for Libraries {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "libraries",
            summary: "the target has the libraries that functions in C need",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let (catalogs, oids) = ctx.left_out().await?;
        let rows = source
            .doing("list the functions in C")
            .query(include_str!("libraries.sql"), &[&catalogs, &oids])
            .await?;
        let called: Vec<Called> = rows
            .iter()
            .map(|row| Called {
                library: row.get("library"),
                symbol: row.get("symbol"),
                functions: row.get("functions"),
            })
            .collect();
        if called.is_empty() {
            return Ok(Vec::new());
        }
        let target = ctx.target().await?;
        let role = target.role().await?.name;
        let problems = match target.is_standby().await? {
            true => vec![not_tried(&called, "the target is a standby".to_owned())],
            false => try_all(ctx, &called, &role).await?,
        };
        let found = problems
            .iter()
            .map(|problem| problem.about("libraries", super::database(ctx)));
        Ok(found.collect())
    }
}

fn not_tried(called: &[Called], why: String) -> LibraryProblem {
    let mut libraries: Vec<String> = called
        .iter()
        .filter_map(|called| called.library.clone())
        .collect();
    libraries.dedup();
    LibraryProblem::NotTried { libraries, why }
}

async fn try_all(
    ctx: &CheckContext<Database>,
    called: &[Called],
    role: &str,
) -> Result<Vec<LibraryProblem>, Failure> {
    // The database itself is better, where it is there: its settings may say where libraries are.
    let mut session: Session<Target, _> = match ctx.target_database().await? {
        Some(_) => ctx.rehearse_on_target_database().await?,
        None => ctx.rehearse_on_target().await?,
    };
    let mut rehearsal = session.rehearse().await?;
    let prepared = rehearsal
        .attempt(
            "prepare the trial of libraries",
            "CREATE TEMPORARY TABLE pghaul_probe ()",
            &[],
        )
        .await;
    if let Err(error) = prepared {
        error.sqlstate().ok_or_else(|| Failure::from(error.clone()))?;
        rehearsal.roll_back().await?;
        return Ok(vec![not_tried(called, error.message().to_owned())]);
    }
    let mut problems = Problems::default();
    for called in called {
        let library = called.library.clone().unwrap_or_default();
        let known = problems
            .not_loaded
            .get_mut(&library)
            .filter(|_| called.library.is_some());
        if let Some((functions, _)) = known {
            functions.extend(called.functions.iter().cloned());
            continue;
        }
        let trial = attempt(&mut rehearsal, called).await?;
        problems.note(library, called, trial);
    }
    rehearsal.roll_back().await?;
    session.close().await;
    Ok(problems.into_findings(role))
}

async fn attempt(rehearsal: &mut Rehearsed<'_>, called: &Called) -> Result<Trial, Failure> {
    let body = match &called.library {
        Some(library) => format!(
            "LANGUAGE c AS {}, {}",
            literal(library)?,
            literal(&called.symbol)?
        ),
        None => format!("LANGUAGE internal AS {}", literal(&called.symbol)?),
    };
    let sql = format!("CREATE OR REPLACE FUNCTION pg_temp.pghaul_probe() RETURNS pg_catalog.void {body}");
    match rehearsal.attempt("try a function in C", &sql, &[]).await {
        Ok(_) => Ok(Trial::Works),
        Err(error) => judge(error),
    }
}

fn judge(error: PgError) -> Result<Trial, Failure> {
    let message = error.message().to_owned();
    match (error.code(), error.sqlstate()) {
        (_, None) => Err(error.into()),
        (Code::PermissionDenied, _) => Ok(Trial::NotPermitted),
        (_, Some("42883")) => Ok(Trial::SymbolMissing(message)),
        _ => Ok(Trial::NotLoaded(message)),
    }
}

#[derive(Default)]
struct Problems {
    not_loaded: BTreeMap<String, (Vec<String>, String)>,
    symbols: BTreeMap<String, (Vec<String>, String)>,
    not_permitted: Vec<String>,
}

impl Problems {
    fn note(&mut self, library: String, called: &Called, trial: Trial) {
        let functions = called.functions.iter().cloned();
        let (noted, error) = match trial {
            Trial::Works => return,
            Trial::NotPermitted => {
                let of = |function| match &called.library {
                    Some(library) => format!("{function} (library {library})"),
                    None => function,
                };
                self.not_permitted.extend(functions.map(of));
                return;
            }
            Trial::NotLoaded(error) => (&mut self.not_loaded, error),
            Trial::SymbolMissing(error) => (&mut self.symbols, error),
        };
        noted
            .entry(library)
            .or_insert_with(|| (Vec::new(), error))
            .0
            .extend(functions);
    }

    fn into_findings(self, role: &str) -> Vec<LibraryProblem> {
        let mut findings = Vec::new();
        for (library, (functions, error)) in self.not_loaded {
            findings.push(LibraryProblem::LibraryNotLoaded {
                library,
                functions,
                error,
            });
        }
        for (library, (functions, error)) in self.symbols {
            findings.push(LibraryProblem::SymbolMissing {
                library,
                functions,
                error,
            });
        }
        if !self.not_permitted.is_empty() {
            findings.push(LibraryProblem::NotPermitted {
                role: role.to_owned(),
                functions: self.not_permitted,
            });
        }
        findings
    }
}
