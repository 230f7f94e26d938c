//! Words that a newer pg_dump writes and an older target does not know.

use crate::archive::Entry;
use libpgdump::ObjectType;

/// The first version that takes FUNCTION where it was PROCEDURE, as pg_dump writes it since, whatever the server.
const FUNCTION_FROM: u32 = 110_000;

/// How the target spells statements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spelling {
    has_function: bool,
}

impl Spelling {
    pub(crate) fn of(target_version: u32) -> Self {
        Self {
            has_function: target_version >= FUNCTION_FROM,
        }
    }

    /// The statements of an entry as the target reads them. Triggers come as the source's server spells them.
    pub(crate) fn spelt(self, entry: &Entry, script: String) -> String {
        match entry.kind {
            _ if self.has_function => script,
            ObjectType::EventTrigger => {
                script.replacen("\n   EXECUTE FUNCTION ", "\n   EXECUTE PROCEDURE ", 1)
            }
            ObjectType::Operator => script.replacen("(\n    FUNCTION = ", "(\n    PROCEDURE = ", 1),
            _ => script,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgresql_10_knows_procedures_only() {
        let spelt = |version: u32, kind: ObjectType, script: &str| {
            Spelling::of(version).spelt(&Entry::bare(kind, "x"), script.to_owned())
        };
        let trigger = "CREATE EVENT TRIGGER t ON sql_drop\n   EXECUTE FUNCTION public.guard();\n";
        let operator = "CREATE OPERATOR public.+ (\n    FUNCTION = public.f,\n    LEFTARG = text\n);\n";
        assert_eq!(
            spelt(100_000, ObjectType::EventTrigger, trigger),
            trigger.replace("FUNCTION", "PROCEDURE")
        );
        assert_eq!(
            spelt(100_000, ObjectType::Operator, operator),
            operator.replace("FUNCTION", "PROCEDURE")
        );
        assert_eq!(spelt(110_000, ObjectType::Operator, operator), operator);
        assert_eq!(spelt(100_000, ObjectType::View, operator), operator);
    }
}
