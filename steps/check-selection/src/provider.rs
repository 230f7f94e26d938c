//! The check `provider`.

use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Failure, Finding, FindingKind, Severity, Subject,
    async_trait,
};
use serde::Serialize;

/// Where the source comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Recognised {
    /// What belongs to this provider is left out.
    ProviderRecognised {
        /// As `--provider` takes it.
        provider: String,
        /// Its name.
        title: String,
        /// Its schemas, extensions, event triggers and publications.
        left_out: Vec<String>,
        /// Its roles, which get no attributes.
        roles: Vec<String>,
    },
}

impl FindingKind for Recognised {
    fn severity(&self) -> Severity {
        Severity::Note
    }

    fn message(&self) -> String {
        let Self::ProviderRecognised {
            title,
            left_out,
            roles,
            ..
        } = self;
        let left_out = match left_out.is_empty() {
            true => String::new(),
            false => format!(
                "; unless something else needs it, this is left out: {}",
                left_out.join(", ")
            ),
        };
        let roles = match roles.is_empty() {
            true => String::new(),
            false => format!("; these roles get no attributes: {}", roles.join(", ")),
        };
        format!("the source comes from {title}{left_out}{roles}")
    }

    fn hint(&self) -> Option<String> {
        Some("--provider none moves all of it; --schema or --table moves what they match".to_owned())
    }
}

/// The check `provider`: does the source come from a provider whose own objects are left out?
#[derive(Debug, Clone, Copy)]
pub struct Provider;

#[async_trait]
impl Check for Provider {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "provider",
            summary: "which provider the source comes from, whose own objects are left out",
            after: &[],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let Some(provider) = &ctx.landscape().selection.provider else {
            return Ok(Vec::new());
        };
        let named = |kind: &'static str, names: &[String]| {
            let names = names
                .iter()
                .map(move |name| format!("{kind} {}", pghaul_step::quoted(name)));
            names.collect::<Vec<_>>()
        };
        let left_out = [
            named("schema", &provider.schemas),
            named("extension", &provider.extensions),
            named("event trigger", &provider.event_triggers),
            named("publication", &provider.publications),
        ];
        let found = Recognised::ProviderRecognised {
            provider: provider.provider.clone(),
            title: provider.title.clone(),
            left_out: left_out.concat(),
            roles: provider.roles.clone(),
        };
        Ok(vec![found.about("provider", Subject::Cluster)])
    }
}
