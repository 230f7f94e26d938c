//! The settings that a database's own sessions have, as far as they change values.

use super::settings::{GOVERNED, Home};
use super::{Driver, Server, SideMarker, without_login_triggers};
use crate::error::PgError;
use std::collections::BTreeMap;
use tokio_postgres::SimpleQueryMessage;

/// Settings by their names. Those of a role are absent where only the database or the server has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HomeSettings {
    /// Of every session in the database.
    pub database: BTreeMap<String, String>,
    /// What differs for a role.
    pub roles: BTreeMap<String, BTreeMap<String, String>>,
}

/// A setting of a session that sets nothing itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainSetting {
    /// Its value, which the connecting role may have a say in.
    pub value: String,
    /// Its value for roles that have none of their own.
    pub default: String,
}

/// Keeps a short `statement_timeout` from ending the next statement, and what it was.
const WITHOUT_TIMEOUT: &str = "SELECT pg_catalog.set_config('pghaul.statement_timeout', \
                                      pg_catalog.current_setting('statement_timeout'), false), \
                                      pg_catalog.set_config('statement_timeout', '0', false)";

/// Which settings of [`GOVERNED`], and which of extensions and applications, are of interest here.
fn counts(name: &str) -> bool {
    let known = GOVERNED
        .iter()
        .find(|setting| setting.name.eq_ignore_ascii_case(name));
    known.map_or(name.contains('.'), |setting| setting.home != Home::Nowhere)
}

impl<S: SideMarker> Server<S> {
    /// Reads the settings that sessions in a database have without pghaul's: of the server, of the database, and of roles
    /// there. Those of the connecting role itself do not count.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub async fn home_settings(&self, database: &str) -> Result<HomeSettings, PgError> {
        let mut defaults = self.plain_settings(database).await?;
        defaults.retain(|name, _| counts(name));
        let mut home = HomeSettings {
            database: defaults
                .into_iter()
                .map(|(name, plain)| (name, plain.default))
                .collect(),
            ..HomeSettings::default()
        };
        let session = self.reader(database).await?;
        let doing = session.doing("read the settings of the database and its roles");
        for row in doing.query(include_str!("home.sql"), &[]).await? {
            let (role, lines): (Option<String>, Vec<String>) = (row.get("role"), row.get("settings"));
            let settings = match role {
                None => &mut home.database,
                Some(role) => home.roles.entry(role).or_default(),
            };
            let pairs = lines.iter().filter_map(|line| line.split_once('='));
            for (name, value) in pairs.filter(|(name, _)| counts(name)) {
                settings.retain(|other, _| !other.eq_ignore_ascii_case(name));
                settings.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(home)
    }

    /// The settings of a session of the connecting role without any option of pghaul's.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub async fn plain_settings(&self, database: &str) -> Result<BTreeMap<String, PlainSetting>, PgError> {
        let place = self.place(database);
        let _permit = self.permit(&place).await?;
        let options: Vec<_> = without_login_triggers(self.known()).into_iter().collect();
        let (connected, _) = self
            .inner
            .route
            .open(self.inner.route.startup(database, &options), &place)
            .await?;
        let _driver = Driver(connected.driver);
        let answer = async {
            connected.client.simple_query(WITHOUT_TIMEOUT).await?;
            let sql = include_str!("plain_settings.sql");
            connected.client.simple_query(sql).await
        };
        let answer = answer
            .await
            .map_err(|error| PgError::from_driver(&place, "read the settings of the server", &error))?;
        let rows = answer.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let text = |column| row.get(column).map(str::to_owned);
                Some((
                    text(0)?,
                    PlainSetting {
                        value: text(1)?,
                        default: text(2)?,
                    },
                ))
            }
            _ => None,
        });
        Ok(rows.collect())
    }
}
