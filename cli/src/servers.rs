//! The two servers: from what was given, or from the journal, to servers that are known by their identity.

use crate::args::ServerArgs;
use pghaul_core::event::{Created, Endpoint};
use pghaul_core::{Code, Failure, Side};
use pghaul_engine::{FEWEST_CONNECTIONS, connections_within};
use pghaul_postgres::{ConnInfo, Environment, ReadOnly, Resolved, Room, Server, SideMarker, Source, Target};
use pghaul_step::WayBack;
use pghaul_step::check::maintenance;

/// The `application_name` before it is known for which migration we connect.
const NOBODY_YET: &str = "pghaul";

/// What was given for each side, completed from the environment.
pub(crate) struct Given {
    source: Option<Resolved>,
    target: Option<Resolved>,
    connections: usize,
}

/// Both sides, completed from the environment.
pub(crate) struct Ways {
    source: Resolved,
    target: Resolved,
    connections: usize,
}

/// The servers that are known, one or two.
pub(crate) struct Known {
    pub(crate) source: Option<Server<Source>>,
    pub(crate) target: Option<Server<Target>>,
}

/// Both servers, connected to and identified.
pub(crate) struct Servers {
    pub(crate) source: Server<Source>,
    pub(crate) target: Server<Target>,
    pub(crate) source_identity: Endpoint,
    pub(crate) target_identity: Endpoint,
    /// The connections of the source, when it was connected to.
    pub(crate) room: Room,
}

impl Given {
    /// Reads what was given.
    ///
    /// # Errors
    /// A conninfo that is empty or can't be read, with its side.
    pub(crate) fn new(args: &ServerArgs) -> Result<Self, Failure> {
        let read = |side, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| resolve(side, not_blank(side, text)?)).transpose()
        };
        Ok(Self {
            source: read(Side::Source, &args.source)?,
            target: read(Side::Target, &args.target)?,
            connections: usize::from(args.max_connections),
        })
    }

    /// Both sides, as they were given.
    ///
    /// # Errors
    /// When one was not given.
    pub(crate) fn both(&self) -> Result<Ways, Failure> {
        let one = |side, given: &Option<Resolved>| given.clone().ok_or_else(|| missing(side));
        Ok(Ways {
            source: one(Side::Source, &self.source)?,
            target: one(Side::Target, &self.target)?,
            connections: self.connections,
        })
    }

    /// Both sides, from the journal where they were not given.
    ///
    /// # Errors
    /// When a journaled conninfo can't be completed from this environment.
    pub(crate) fn or_journaled(&self, created: &Created) -> Result<Ways, Failure> {
        let one = |side, given: &Option<Resolved>| match given {
            Some(resolved) => Ok(resolved.clone()),
            None => resolve(side, &created.endpoint(side).conninfo),
        };
        Ok(Ways {
            source: one(Side::Source, &self.source)?,
            target: one(Side::Target, &self.target)?,
            connections: self.connections,
        })
    }

    /// Each side that is known: as it was given; where neither was, as the journal has them. They are not connected to
    /// yet.
    ///
    /// # Errors
    /// When a journaled conninfo can't be completed from this environment.
    pub(crate) fn any(&self, created: Option<&Created>) -> Result<Known, Failure> {
        let (source, target) = match created {
            Some(created) if self.source.is_none() && self.target.is_none() => {
                let ways = self.or_journaled(created)?;
                (Some(ways.source), Some(ways.target))
            }
            _ => (self.source.clone(), self.target.clone()),
        };
        let connections = self.connections;
        Ok(Known {
            source: source.map(|way| Server::new(way, NOBODY_YET, connections)),
            target: target.map(|way| Server::new(way, NOBODY_YET, connections)),
        })
    }

    /// Nothing is known of either server.
    pub(crate) fn nobody(&self) -> Identities {
        Identities {
            source: None,
            target: None,
        }
    }

    /// Asks the servers that were given who they are: system identifiers.
    ///
    /// # Errors
    /// When one can't be reached.
    pub(crate) async fn identify(&self) -> Result<Identities, Failure> {
        let source = self
            .source
            .clone()
            .map(|way| Server::<Source>::new(way, NOBODY_YET, 1));
        let target = self
            .target
            .clone()
            .map(|way| Server::<Target>::new(way, NOBODY_YET, 1));
        let (source, target) = tokio::join!(identity_of(source.as_ref()), identity_of(target.as_ref()));
        Ok(Identities {
            source: source?,
            target: target?,
        })
    }
}

/// The identity of each side that was given.
pub(crate) struct Identities {
    source: Option<Endpoint>,
    target: Option<Endpoint>,
}

impl Identities {
    /// Made up, for tests.
    #[cfg(test)]
    pub(crate) fn of(source: Option<Endpoint>, target: Option<Endpoint>) -> Self {
        Self { source, target }
    }

    /// Whether a migration is one between these servers.
    pub(crate) fn fit(&self, created: &Created) -> bool {
        let fits = |side, known: &Option<Endpoint>| {
            known
                .as_ref()
                .is_none_or(|k| k.system_identifier == created.endpoint(side).system_identifier)
        };
        fits(Side::Source, &self.source) && fits(Side::Target, &self.target)
    }
}

impl Ways {
    /// Connects to both servers under a name, and asks them who they are.
    ///
    /// # Errors
    /// When one can't be reached.
    pub(crate) async fn connect(self, application_name: Option<&str>) -> Result<Servers, Failure> {
        let name = application_name.unwrap_or(NOBODY_YET);
        let source = Server::<Source>::new(self.source, name, self.connections);
        let target = Server::<Target>::new(self.target, name, self.connections);
        let (source_identity, target_identity) = tokio::join!(identity(&source), identity(&target));
        let (source_identity, target_identity) = match (source_identity, target_identity) {
            (Ok(of_source), Ok(of_target)) => (of_source, of_target),
            // Both are told at once, so that both can be fixed at once.
            (Err(of_source), Err(of_target)) => {
                return Err(of_source.with_cause(format!(
                    "nor the target: {}{}",
                    of_target
                        .operation
                        .map(|o| format!("could not {o}: "))
                        .unwrap_or_default(),
                    of_target.message
                )));
            }
            (Err(failure), _) | (_, Err(failure)) => return Err(failure),
        };
        let asked = maintenance::<_, ReadOnly>(&source).await?;
        let room = asked.room(name).await?;
        asked.close().await;
        // The applications come first.
        source.limit_connections(connections_within(room));
        Ok(Servers {
            source,
            target,
            source_identity,
            target_identity,
            room,
        })
    }
}

impl Servers {
    /// Refuses servers that are not those of the migration.
    ///
    /// # Errors
    /// [`Code::OtherServer`].
    pub(crate) fn check(&self, created: &Created) -> Result<(), Failure> {
        for (side, found) in [
            (Side::Source, &self.source_identity),
            (Side::Target, &self.target_identity),
        ] {
            let known = created.endpoint(side);
            if known.system_identifier != found.system_identifier {
                return Err(Failure::new(
                    Code::OtherServer,
                    format!(
                        "this is not the server that migration {} began with",
                        created.name
                    ),
                )
                .with_side(side)
                .with_cause(format!(
                    "then: {} (system identifier {})",
                    known.conninfo, known.system_identifier
                ))
                .with_cause(format!(
                    "now: {} (system identifier {})",
                    found.conninfo, found.system_identifier
                ))
                .with_hint(
                    "give the conninfo of that server; or begin another migration with another --name",
                ));
            }
        }
        Ok(())
    }

    /// Refuses to work where that would take connections that the source's applications need.
    ///
    /// # Errors
    /// [`Code::TooManyConnections`].
    pub(crate) fn check_room(&self) -> Result<(), Failure> {
        let (free, reserve) = (self.room.free(), self.room.reserve());
        if self.room.available() > FEWEST_CONNECTIONS {
            return Ok(());
        }
        Err(Failure::new(
            Code::TooManyConnections,
            format!(
                "the source has {free} connections left, and a run takes {} besides {reserve} that are left to its applications",
                FEWEST_CONNECTIONS + 1
            ),
        )
        .with_side(Side::Source)
        .with_hint("end idle sessions of the source; or raise max_connections and restart the source"))
    }

    /// Who they are.
    pub(crate) fn identities(&self) -> Identities {
        Identities {
            source: Some(self.source_identity.clone()),
            target: Some(self.target_identity.clone()),
        }
    }

    /// Warnings about the conninfos, such as a password file that others can read.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &String> {
        self.source
            .resolved()
            .warnings()
            .iter()
            .chain(self.target.resolved().warnings())
    }
}

/// A server as people read it: `host=db1 port=5432 … (PostgreSQL 15.18)`.
pub(crate) fn described(endpoint: &Endpoint) -> String {
    let (major, minor) = (endpoint.version / 10_000, endpoint.version % 10_000);
    format!("{} (PostgreSQL {major}.{minor})", endpoint.conninfo)
}

/// How the target's server reaches the source: as was given, as an earlier run was told, or as we do.
///
/// # Errors
/// When the conninfo can't be read.
pub(crate) fn way_back(
    given: Option<&str>,
    journaled: Option<&str>,
    source: &Server<Source>,
) -> Result<WayBack, Failure> {
    let read = |text: &str| {
        let conninfo = ConnInfo::parse(text);
        conninfo.map_err(|e| Failure::from(e).with_operation("read --source-from-target"))
    };
    // An empty variable is none: there is no default server that would be the source.
    let given = given.filter(|text| !text.trim().is_empty());
    let from_target = given.or(journaled).map(read).transpose()?;
    Ok(WayBack {
        source: source.resolved().clone(),
        from_target,
    })
}

/// The conninfo, unless it is empty, as where a script failed to fill a variable: to libpq that is some server, and not always the
/// one that was meant.
fn not_blank(side: Side, text: &str) -> Result<&str, Failure> {
    if !text.trim().is_empty() {
        return Ok(text);
    }
    let variable = variable(side);
    Err(
        Failure::new(Code::BadInput, format!("the {side} is empty: --{side} or {variable} is given, and has no value"))
            .with_hint(format!(
                "give --{side} CONNINFO or set {variable} to it, such as 'host=db.example.com user=mover'; leave out both for the server \
                 that the journal has; 'dbname=postgres' takes all else from PG* variables"
            )),
    )
}

fn variable(side: Side) -> &'static str {
    match side {
        Side::Source => "PGHAUL_SOURCE",
        Side::Target => "PGHAUL_TARGET",
    }
}

fn resolve(side: Side, text: &str) -> Result<Resolved, Failure> {
    let mut environment = Environment::from_process();
    let variable = match side {
        Side::Source => "PGHAUL_SOURCE_PASSWORD",
        Side::Target => "PGHAUL_TARGET_PASSWORD",
    };
    if let Some(password) = std::env::var(variable)
        .ok()
        .filter(|password| !password.is_empty())
    {
        environment = environment.with_password(password);
    }
    let failed = |error| Failure::from(error).with_side(side);
    let conninfo = ConnInfo::parse(text).map_err(failed)?;
    let resolved = conninfo.resolve(&environment).map_err(failed)?;
    // libpq's default is the database named like the role; who moves a cluster mostly has none.
    let named = conninfo.get("dbname").is_some_and(|name| !name.is_empty())
        || std::env::var_os("PGDATABASE").is_some_and(|name| !name.is_empty())
        || resolved.database() != resolved.user();
    Ok(if named {
        resolved
    } else {
        resolved.with_database("postgres")
    })
}

async fn identity_of<S: SideMarker>(server: Option<&Server<S>>) -> Result<Option<Endpoint>, Failure> {
    match server {
        Some(server) => identity(server).await.map(Some),
        None => Ok(None),
    }
}

async fn identity<S: SideMarker>(server: &Server<S>) -> Result<Endpoint, Failure> {
    let session = maintenance::<S, ReadOnly>(server).await?;
    let endpoint = Endpoint {
        conninfo: server.resolved().without_secrets(),
        system_identifier: session.identity().await?,
        version: session.server_version(),
    };
    session.close().await;
    Ok(endpoint)
}

fn missing(side: Side) -> Failure {
    Failure::new(Code::BadInput, format!("the {side} is not given"))
        .with_hint(format!("give --{side} CONNINFO, or set {} to it", variable(side)))
}

#[cfg(test)]
mod tests {
    use super::Given;
    use crate::args::ServerArgs;
    use pghaul_core::Code;

    #[test]
    fn an_empty_conninfo_is_no_server() {
        let of = |source: &str| ServerArgs {
            source: Some(source.to_owned()),
            ..ServerArgs::default()
        };
        for empty in ["", " \t"] {
            let refusal = Given::new(&of(empty)).err().unwrap();
            assert_eq!(refusal.code, Code::BadInput);
            assert!(refusal.message.contains("the source is empty"), "{refusal}");
        }
        assert!(Given::new(&of("host=old")).is_ok());
        assert!(
            Given::new(&ServerArgs::default()).is_ok(),
            "the journal may have it"
        );
    }
}
