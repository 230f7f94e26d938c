//! What a role is on the source, and is not on the target, which has it already.

use pghaul_step::postgres::{Ident, ReadOnly, Session, SideMarker};
use pghaul_step::{Failure, Mapping};
use std::collections::{BTreeMap, BTreeSet};

const SUPERUSER: &str = "SUPERUSER";

/// One thing that a role is or has.
#[derive(Debug, PartialEq, Eq)]
struct Trait {
    /// The role that a membership is of.
    granted: Option<String>,
    /// The same where the trait is. It may hold a secret.
    text: String,
}

/// The roles of a server, with the traits of each by name. Under no name are the settings of `ALTER ROLE ALL`.
#[derive(Debug, Default)]
pub(crate) struct Traits {
    of: BTreeMap<Option<String>, BTreeMap<String, Trait>>,
    /// The server's first role and pghaul's: their attributes depend on who runs the server.
    own: BTreeSet<String>,
}

impl Traits {
    pub(crate) async fn read<S: SideMarker>(session: &Session<S, ReadOnly>) -> Result<Self, Failure> {
        let doing = session.doing("compare the roles");
        let mut traits = Self::default();
        for row in doing.query(include_str!("traits.sql"), &[]).await? {
            let name: Option<String> = row.get("name");
            if row.get("own") {
                traits.own.extend(name.clone());
            }
            let of = traits.of.entry(name).or_default();
            if let (Some(name), Some(text)) = (row.get("trait"), row.get("text")) {
                let granted = row.get("granted");
                of.insert(name, Trait { granted, text });
            }
        }
        Ok(traits)
    }

    /// The source's as the target is to have them. A role that has another one in its place is not compared with that.
    pub(crate) fn renamed(mut self, mapping: &Mapping) -> Result<Self, Failure> {
        if !mapping.maps_roles() {
            return Ok(self);
        }
        self.of.retain(|name, _| {
            let name = name.as_deref().unwrap_or_default();
            mapping.role(name) == name
        });
        for (name, traits) in &mut self.of {
            for (key, mut of) in std::mem::take(traits) {
                let granted = of.granted.as_deref().map(|role| mapping.role(role).to_owned());
                if granted.is_some() && granted == *name {
                    continue;
                }
                let key = match &granted {
                    Some(granted) => format!("member of {}", Ident::new(granted.as_str())?.short()),
                    None => key,
                };
                of.granted = granted;
                traits.insert(key, of);
            }
        }
        Ok(self)
    }

    /// The settings of all roles that the target has not, or with other values.
    pub(crate) fn settings_of_all(&self, target: &Self) -> Vec<String> {
        let there = target.of.get(&None);
        let here = self.of.get(&None).into_iter().flatten();
        here.filter(|(name, setting)| there.and_then(|there| there.get(*name)) != Some(setting))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The roles that both servers have, each with the names of the traits in which they differ.
    pub(crate) fn differing(&self, target: &Self) -> Vec<(String, Vec<String>)> {
        let both = self.of.iter().filter_map(|(name, here)| {
            let differing = self.differing_traits(target, name.as_ref()?, here, target.of.get(name)?);
            Some((name.clone()?, differing))
        });
        both.filter(|(_, traits)| !traits.is_empty()).collect()
    }

    fn differing_traits(
        &self,
        target: &Self,
        name: &str,
        here: &BTreeMap<String, Trait>,
        there: &BTreeMap<String, Trait>,
    ) -> Vec<String> {
        let own = self.own.contains(name) || target.own.contains(name);
        let is_superuser = |traits: &BTreeMap<String, Trait>| {
            let superuser = traits.get(SUPERUSER);
            superuser.is_some_and(|superuser| superuser.text == "true")
        };
        // An ordinary role of applications that has the name of the target's first role could do anything there.
        let becomes_superuser = !self.own.contains(name) && is_superuser(there) && !is_superuser(here);
        let names: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
        let differ = names.into_iter().filter(|name| {
            // A membership in a role that the target lacks is granted when that role is created.
            let granted = here
                .get(*name)
                .and_then(|membership| membership.granted.as_deref());
            here.get(*name) != there.get(*name)
                && (!own || !is_attribute(name) || (becomes_superuser && name.as_str() == SUPERUSER))
                && granted.is_none_or(|role| role.starts_with("pg_") || target.has(role))
        });
        differ.cloned().collect()
    }

    fn has(&self, role: &str) -> bool {
        self.of.contains_key(&Some(role.to_owned()))
    }
}

/// Whether a trait is one of those that `CREATE ROLE` gives, which are in capitals.
fn is_attribute(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}
