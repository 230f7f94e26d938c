//! What a conninfo takes from around it: variables, the home directory, the user.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The surroundings of a conninfo. A value, so that tests are hermetic.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    os_user: Option<String>,
    home: Option<PathBuf>,
    password: Option<String>,
    socket_directories: Vec<PathBuf>,
    service_directories: Vec<PathBuf>,
}

impl Environment {
    /// No variables, no user, no home and no default socket.
    pub fn empty() -> Self {
        Self::default()
    }

    /// This process' environment.
    pub fn from_process() -> Self {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("PG") || name == "HOME")
            .collect();
        let home = variables
            .get("HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        Self {
            home: home.or_else(|| user.as_ref().map(|user| user.dir.clone())),
            os_user: user.map(|user| user.name),
            variables,
            password: None,
            socket_directories: vec!["/var/run/postgresql".into(), "/tmp".into()],
            service_directories: vec!["/etc/postgresql-common".into(), "/etc".into()],
        }
    }

    /// Sets a variable.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Sets the password of one side: it wins over `PGPASSWORD`, the service and the password file, but not over
    /// one in the conninfo itself.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Sets the name of the operating system's user, the default role.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.os_user = Some(user.into());
        self
    }

    /// Sets the home directory, where `.pgpass`, `.pg_service.conf` and `.postgresql` are.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// Adds a directory where a local server's socket is looked for when no host is given.
    #[must_use]
    pub fn with_socket_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.socket_directories.push(directory.into());
        self
    }

    /// A variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn os_user(&self) -> Option<&str> {
        self.os_user.as_deref()
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    pub(crate) fn in_home(&self, path: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(path))
    }

    pub(crate) fn socket_directories(&self) -> &[PathBuf] {
        &self.socket_directories
    }

    /// The files that may define a service, in the order of looking.
    pub(crate) fn service_files(&self) -> Vec<PathBuf> {
        let own = self.variable("PGSERVICEFILE").map(PathBuf::from);
        let own = own.or_else(|| self.in_home(".pg_service.conf").filter(|file| file.exists()));
        let system = match self.variable("PGSYSCONFDIR") {
            Some(directory) => vec![PathBuf::from(directory)],
            None => self.service_directories.clone(),
        };
        let system = system
            .into_iter()
            .map(|directory| directory.join("pg_service.conf"));
        own.into_iter()
            .chain(system.filter(|file| file.exists()))
            .collect()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.variables.keys().collect();
        f.debug_struct("Environment")
            .field("variables", &names)
            .field("os_user", &self.os_user)
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}
