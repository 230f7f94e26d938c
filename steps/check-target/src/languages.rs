//! The check `languages`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Database, Failure, Finding, FindingKind, Subject, async_trait,
    quoted,
};
use serde::Serialize;

/// A language that the target lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MissingLanguage {
    /// The target neither has the language nor an extension or template that brings it.
    LanguageNotAvailable {
        /// Its name.
        language: String,
    },
}

impl FindingKind for MissingLanguage {
    fn message(&self) -> String {
        let Self::LanguageNotAvailable { language } = self;
        format!("language {language} is not available on the target")
    }

    fn hint(&self) -> Option<String> {
        let Self::LanguageNotAvailable { language } = self;
        Some(format!(
            "install its package on the target's machine; or, if no function is written in it, on the source: \
             DROP LANGUAGE {};",
            quoted(language)
        ))
    }
}

/// The check `languages`: are the languages that no extension brings available on the target?
#[derive(Debug, Clone, Copy)]
pub struct Languages;

#[async_trait]
impl Check for Languages {
    type Scope = Database;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "languages",
            summary: "the source's languages are available on the target",
            after: super::AFTER,
        }
    }

    async fn examine(&self, ctx: &CheckContext<Database>) -> Result<Vec<Finding>, Failure> {
        let source = ctx.source().await?;
        let rows = source
            .doing("list the languages")
            .query(include_str!("languages.sql"), &[])
            .await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let target = ctx.target().await?;
        let templates = match target.server_version() {
            ..130_000 => include_str!("available_languages_10.sql"),
            _ => include_str!("available_languages.sql"),
        };
        let mut findings = Vec::new();
        for row in rows {
            let language: String = row.get(0);
            if target
                .doing("look for a language")
                .query_opt(templates, &[&language])
                .await?
                .is_none()
            {
                let object = format!("language {}", quoted(&language));
                let subject = Subject::Object {
                    database: ctx.database().clone(),
                    object,
                };
                findings.push(MissingLanguage::LanguageNotAvailable { language }.about("languages", subject));
            }
        }
        Ok(findings)
    }
}
