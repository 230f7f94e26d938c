//! What has an owner of its own.

use crate::archive::Entry;
use libpgdump::ObjectType;
use pghaul_step::Failure;
use pghaul_step::postgres::{Ident, QualifiedName};

/// The object as `ALTER … OWNER TO` names it, for the kinds of objects that have an owner of their own.
pub(crate) fn owned(entry: &Entry) -> Result<Option<String>, Failure> {
    use ObjectType as T;
    if entry.owner.is_empty() || entry.drop_statement.is_empty() && entry.kind != T::Database {
        return Ok(None);
    }
    Ok(Some(match &entry.kind {
        T::Collation
        | T::Conversion
        | T::Domain
        | T::ForeignTable
        | T::MaterializedView
        | T::Sequence
        | T::Statistics
        | T::Table
        | T::TextSearchConfiguration
        | T::TextSearchDictionary
        | T::Type
        | T::View => {
            let name = QualifiedName::new(entry.namespace.as_str(), entry.tag.as_str())?;
            format!("{} {name}", entry.kind.as_str())
        }
        T::Database
        | T::EventTrigger
        | T::ForeignDataWrapper
        | T::ForeignServer
        | T::Server
        | T::ProceduralLanguage
        | T::Publication
        | T::Schema => format!("{} {}", entry.kind.as_str(), Ident::new(entry.tag.as_str())?),
        // Their names are signatures, which only the statement that would drop them spells out.
        T::Aggregate | T::Function | T::Operator | T::OperatorClass | T::OperatorFamily | T::Procedure => {
            let dropped = entry.drop_statement.trim().trim_end_matches(';');
            dropped.strip_prefix("DROP ").unwrap_or(dropped).to_owned()
        }
        _ => return Ok(None),
    }))
}
