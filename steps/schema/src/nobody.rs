//! Privileges of roles that are gone: pg_dump names them by their numbers, and grants nothing to anybody with them.

use crate::database_settings::statements;
use pghaul_step::Failure;

/// 42704 undefined_object.
const UNDEFINED: &str = "42704";

/// The statements without those that name the role which the target does not find, where that is a role without a name.
pub(crate) fn without_the_missing(text: &str, failure: &Failure) -> Option<String> {
    let role = missing(failure)?;
    let all = statements(text);
    let kept: Vec<&str> = all
        .iter()
        .copied()
        .filter(|statement| !statement.contains(role))
        .collect();
    (kept.len() < all.len()).then(|| kept.concat())
}

/// The number in quotes that the server names.
fn missing(failure: &Failure) -> Option<&str> {
    if failure.sqlstate.as_deref() != Some(UNDEFINED) {
        return None;
    }
    let (begin, rest) = failure.message.split_once('"')?;
    let (number, _) = rest.split_once('"')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let end = begin.len() + number.len() + 2;
    failure.message.get(begin.len()..end).filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pghaul_step::Code;

    fn refused(message: &str) -> Failure {
        Failure {
            sqlstate: Some(UNDEFINED.to_owned()),
            ..Failure::new(Code::ServerError, message)
        }
    }

    #[test]
    fn what_names_a_role_without_a_name_goes() {
        let granted = "GRANT SELECT ON TABLE t TO app;\nGRANT ALL ON TABLE t TO \"16569\";\nGRANT SELECT ON TABLE t TO \"x;y\";\n";
        let nobody = refused("role \"16569\" does not exist");
        assert_eq!(
            without_the_missing(granted, &nobody).as_deref(),
            Some("GRANT SELECT ON TABLE t TO app;\nGRANT SELECT ON TABLE t TO \"x;y\";")
        );
        assert_eq!(without_the_missing("GRANT SELECT ON t TO app;", &nobody), None);
        let somebody = refused("role \"app\" does not exist");
        assert_eq!(without_the_missing(granted, &somebody), None);
    }
}
