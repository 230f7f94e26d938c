//! The configuration: the file `pghaul.toml`, and the folder of checks in SQL.
//!
//! `file` reads and validates it, `place` finds it, `program` looks for its programs, `example` shows it.

mod example;
mod file;
mod place;
mod program;

pub(crate) use example::{example, schema};
pub(crate) use place::Places;

use pghaul_core::Failure;
use pghaul_core::event::ConfigurationFile;
use pghaul_external::{Definitions, ObserverDefinition, sql};
use pghaul_step::Registry;
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Configuration {
    /// The file, where there is one.
    pub(crate) file: Option<PathBuf>,
    /// The same for the journal, with what it held.
    pub(crate) journaled: Option<ConfigurationFile>,
    /// The folder of checks in SQL, where there is one.
    pub(crate) sql_checks: Option<PathBuf>,
    /// Where the file was looked for, and where the folder.
    pub(crate) looked_for: (Vec<PathBuf>, Vec<PathBuf>),
    /// The observers, with their programs found.
    pub(crate) observers: Vec<ObserverDefinition>,
}

impl Configuration {
    /// Looks for the programs that the file names.
    ///
    /// # Errors
    /// [`Code::BadInput`](pghaul_core::Code::BadInput) with the place of every program that can't be started.
    pub(crate) fn find_programs(&self) -> Result<(), Failure> {
        self.file.as_deref().map_or(Ok(()), file::find_programs)
    }

    /// Reads the configuration and adds its checks and steps to those of the program.
    ///
    /// # Errors
    /// Every mistake in the file, with its place; the first one in a file of SQL.
    pub(crate) fn load(registry: Registry, places: &Places<'_>) -> Result<(Registry, Self), Failure> {
        let mut configuration = Self {
            looked_for: (places.of_file(), places.of_sql_checks().into_iter().collect()),
            ..Self::default()
        };
        let mut registry = registry;
        let mut folder = None;
        if let Some(path) = places.file()? {
            let (contents, journaled) = file::read(&path, &registry)?;
            configuration.journaled = Some(journaled);
            let parent = path.parent().unwrap_or(Path::new("."));
            folder = contents.sql_checks.map(|folder| parent.join(folder));
            let observers = contents.observer.iter();
            configuration.observers = observers.map(|observer| observer.found_from(parent)).collect();
            let definitions = Definitions {
                file: path.clone(),
                checks: contents.check,
                steps: contents.step,
            };
            registry = definitions.register(registry);
            configuration.file = Some(path);
        }
        if let Some(folder) = places.sql_checks(folder)? {
            place::refuse_writable_by_all(&folder)?;
            registry = sql::register(registry, &folder)?;
            configuration.sql_checks = Some(folder);
        }
        Ok((registry, configuration))
    }
}
