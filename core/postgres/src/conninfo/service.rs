//! The [service file](https://www.postgresql.org/docs/current/libpq-pgservice.html).

use super::environment::Environment;
use super::error::ConnInfoError;
use super::parameter;
use super::parse::Pairs;
use std::path::Path;

/// The parameters that a service stands for.
pub(super) fn look_up(service: &str, environment: &Environment) -> Result<Pairs, ConnInfoError> {
    let files = environment.service_files();
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(|source| ConnInfoError::Unreadable {
            file: file.clone(),
            source,
        })?;
        if let Some(pairs) = section(&text, service, file)? {
            return Ok(pairs);
        }
    }
    Err(ConnInfoError::UnknownService {
        service: service.to_owned(),
        files,
    })
}

fn section(text: &str, service: &str, file: &Path) -> Result<Option<Pairs>, ConnInfoError> {
    let mut found: Option<Pairs> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if name.split(']').next() == Some(service) {
                found = Some(Pairs::new());
            }
        } else if let Some(pairs) = &mut found {
            let problem = |problem: String| ConnInfoError::ServiceFile {
                file: file.to_owned(),
                line: number + 1,
                problem,
            };
            let Some((name, value)) = line.split_once('=') else {
                return Err(problem("a line without `=` (LDAP is not supported)".to_owned()));
            };
            let parameter = match parameter::find(name) {
                Some(parameter) => parameter.name,
                None => return Err(problem("an unknown parameter".to_owned())),
            };
            if parameter == "service" {
                return Err(problem("a service can't name another service".to_owned()));
            }
            pairs.push((parameter, value.to_owned()));
        }
    }
    Ok(found)
}
