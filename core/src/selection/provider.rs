//! What belongs to the provider of a hosted cluster.

use serde::{Deserialize, Serialize};

/// What belongs to a provider, frozen with the selection: a later release may know more of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderObjects {
    /// The provider's short name, as `--provider` takes it.
    pub provider: String,
    /// Its name in sentences.
    pub title: String,
    /// Schemas that it makes and manages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    /// Extensions that only its servers have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// Event triggers that it makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_triggers: Vec<String>,
    /// Publications that it makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publications: Vec<String>,
    /// Roles that it makes: names that owners and grants refer to, which get no attributes on the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}
