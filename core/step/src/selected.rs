//! What a selection makes of the objects that a database holds now.

use pghaul_core::event::Selection;
use pghaul_core::selection::{SelectedObjects, Unresolvable, resolve};
use pghaul_core::{Code, DatabaseName, Failure};
use pghaul_postgres::{Right, Session, Source};

/// Which objects of the session's database are moved; `None` where all are.
///
/// # Errors
/// A lost connection; patterns that can't be applied.
pub async fn selected<R: Right>(
    source: &Session<Source, R>,
    selection: &Selection,
    database: &DatabaseName,
) -> Result<Option<SelectedObjects>, Failure> {
    if !selection.concerns_objects() {
        return Ok(None);
    }
    let graph = source.objects().await?;
    resolve(
        &graph,
        &selection.objects,
        selection.provider.as_deref(),
        database,
    )
    .map(Some)
    .map_err(|error| unresolvable(&error))
}

/// The failure of patterns that can't be applied.
pub fn unresolvable(error: &Unresolvable) -> Failure {
    let hint = match error {
        Unresolvable::Pattern(_) => {
            "patterns are those of pg_dump: * stands for any text, ? for one character, a dot divides schema and name, and \
             names between double quotes are taken as they are"
        }
        Unresolvable::Tree(_) => {
            "a partition tree is moved as one: let the pattern match the root, which includes all partitions; or detach \
             the partition on the source before"
        }
    };
    Failure::new(Code::BadInput, error.to_string()).with_hint(hint)
}
