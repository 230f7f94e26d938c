//! Names of roles and of the database in statements of the source, replaced by those of the target.
//!
//! Only names where a statement can name a role or a database are replaced: statements are taken apart, so a table called
//! like the role, or a text that contains its name, stays what it is.
//!
//! New names are written as the server's `quote_ident` does: some statements are compared with those that it makes.

mod token;

use pghaul_core::{DatabaseName, Mapping};
use pghaul_postgres::{Ident, QuoteError, literal};
use std::borrow::Cow;
use std::ops::Range;
use token::{Kind, Token, tokens};

/// Words in the place of a role that name none of the cluster's.
const NO_ROLE: [&str; 4] = ["PUBLIC", "CURRENT_USER", "CURRENT_ROLE", "SESSION_USER"];

/// The settings whose value is the name of a role.
const SETTINGS_WITH_ROLE: [&str; 2] = ["role", "session_authorization"];

/// Statements as they are sent to the target. Of rights, `owner` is the owner of the object on the source: where two roles
/// become one, what one had granted to the other is left out.
///
/// # Errors
/// Where a new name can't be written in SQL.
pub fn renamed<'a>(sql: &'a str, mapping: &Mapping, owner: Option<&str>) -> Result<Cow<'a, str>, QuoteError> {
    if !mapping.maps_roles() && mapping.databases.is_empty() {
        return Ok(Cow::Borrowed(sql));
    }
    let tokens = tokens(sql);
    let mut renamer = Renamer {
        mapping,
        owner,
        grantor: None,
        edits: Vec::new(),
    };
    for statement in statements(&tokens) {
        renamer.rename(statement)?;
    }
    Ok(edited(sql, renamer.edits))
}

/// The name of a role, as `quote_ident` writes it, as it is on the target.
///
/// # Errors
/// Where the new name can't be written in SQL.
pub fn renamed_role(quoted: &str, mapping: &Mapping) -> Result<String, QuoteError> {
    let old = name(quoted);
    match mapping.role(&old) {
        new if new == old => Ok(quoted.to_owned()),
        new => Ok(Ident::new(new)?.short()),
    }
}

/// The name that `quote_ident` has written.
pub fn name(quoted: &str) -> String {
    let tokens = tokens(quoted);
    let name = tokens.first().and_then(Token::name);
    name.unwrap_or_else(|| quoted.to_owned())
}

/// The value of a setting of a role or database of the source, `name=value`, as it is on the target.
pub fn renamed_setting<'a>(setting: &'a str, mapping: &Mapping) -> Cow<'a, str> {
    let with_role = setting
        .split_once('=')
        .filter(|(name, _)| names_role(name))
        .map(|(name, role)| format!("{name}={}", mapping.role(role)));
    with_role.map_or(Cow::Borrowed(setting), Cow::Owned)
}

fn names_role(setting: &str) -> bool {
    let mut all = SETTINGS_WITH_ROLE.iter();
    all.any(|name| name.eq_ignore_ascii_case(setting))
}

/// The statements, each with the semicolon that ends it.
fn statements<'t, 'a>(tokens: &'t [Token<'a>]) -> impl Iterator<Item = &'t [Token<'a>]> {
    tokens.split_inclusive(|token| token.is(";"))
}

struct Renamer<'m> {
    mapping: &'m Mapping,
    owner: Option<&'m str>,
    /// The role that grants, where that is not the owner.
    grantor: Option<String>,
    edits: Vec<(Range<usize>, String)>,
}

impl Renamer<'_> {
    fn rename(&mut self, statement: &[Token<'_>]) -> Result<(), QuoteError> {
        let begins = |words: &[&str]| {
            let mut pairs = words.iter().zip(statement);
            statement.len() >= words.len() && pairs.all(|(word, token)| token.is_word(word))
        };
        if begins(&["GRANT"]) || begins(&["REVOKE"]) {
            return self.rights(statement);
        }
        if begins(&["ALTER", "DEFAULT", "PRIVILEGES"]) {
            self.default_owner(statement);
            return self.rights(statement);
        }
        if begins(&["SET", "SESSION", "AUTHORIZATION"]) || begins(&["SET", "LOCAL", "ROLE"]) {
            self.grantor = statement.get(3).and_then(Token::name);
            return self.roles(statement, 3);
        }
        if begins(&["RESET"]) {
            self.grantor = None;
        } else if begins(&["CREATE", "POLICY"]) {
            self.roles_after(statement, "TO")?;
        } else if begins(&["CREATE", "USER", "MAPPING"]) || begins(&["DROP", "USER", "MAPPING"]) {
            self.roles_after(statement, "FOR")?;
        } else if begins(&["ALTER", "ROLE"]) {
            self.roles(statement, 2)?;
            self.database(statement, 5)?;
            self.setting(statement)?;
        } else if begins(&["ALTER", "DATABASE"]) {
            self.database(statement, 2)?;
            self.setting(statement)?;
        } else if begins(&["COMMENT", "ON", "DATABASE"]) {
            self.database(statement, 3)?;
        } else if begins(&["SECURITY", "LABEL"]) {
            self.database_after_on(statement)?;
        } else if begins(&["CREATE", "FUNCTION"]) || begins(&["CREATE", "PROCEDURE"]) {
            let body = |token: &Token<'_>| token.is_word("AS") || token.is_word("BEGIN");
            let head = statement.iter().position(body).unwrap_or(statement.len());
            self.setting(statement.get(..head).unwrap_or_default())?;
        }
        Ok(())
    }

    /// `GRANT` and `REVOKE`.
    fn rights(&mut self, statement: &[Token<'_>]) -> Result<(), QuoteError> {
        let preposition = outside(statement).find(|(_, t)| t.is_word("TO") || t.is_word("FROM"));
        let Some((place, _)) = preposition else {
            return Ok(());
        };
        if self.is_to_itself(statement, place + 1) {
            if let (Some(first), Some(last)) = (statement.first(), statement.last()) {
                self.edits.push((first.at.start..last.at.end, String::new()));
            }
            return Ok(());
        }
        let target = outside(statement).find(|(place, token)| {
            let next = statement.get(place + 1);
            token.is_word("FOR") && next.is_some_and(|next| next.is_word("ROLE"))
        });
        if let Some((role, _)) = target {
            self.roles(statement, role + 2)?;
        }
        self.database_after_on(statement)?;
        self.roles(statement, place + 1)
    }

    /// The roles whose own default privileges a statement changes act as owners of what they will create.
    fn default_owner(&mut self, statement: &[Token<'_>]) {
        let role = outside(statement).find(|(_, token)| token.is_word("ROLE"));
        self.grantor = role
            .and_then(|(place, _)| statement.get(place + 1))
            .and_then(Token::name);
    }

    /// Whether rights are granted by a role to another that is the same one on the target.
    fn is_to_itself(&self, statement: &[Token<'_>], place: usize) -> bool {
        let Some(grantor) = self.grantor.as_deref().or(self.owner) else {
            return false;
        };
        let Some(grantee) = statement
            .get(place)
            .filter(|token| is_role(token))
            .and_then(Token::name)
        else {
            return false;
        };
        grantee != grantor && self.mapping.role(&grantee) == self.mapping.role(grantor)
    }

    fn roles_after(&mut self, statement: &[Token<'_>], word: &str) -> Result<(), QuoteError> {
        match outside(statement).find(|(_, token)| token.is_word(word)) {
            Some((place, _)) => self.roles(statement, place + 1),
            None => Ok(()),
        }
    }

    /// A list of roles at a place of a statement.
    fn roles(&mut self, statement: &[Token<'_>], place: usize) -> Result<(), QuoteError> {
        let mut rest = statement.get(place..).unwrap_or_default();
        loop {
            if let [group, more @ ..] = rest
                && group.is_word("GROUP")
            {
                rest = more;
            }
            let [role, more @ ..] = rest else { return Ok(()) };
            if is_role(role) {
                self.role(role)?;
            }
            match more {
                [comma, more @ ..] if comma.is(",") => rest = more,
                _ => return Ok(()),
            }
        }
    }

    fn role(&mut self, token: &Token<'_>) -> Result<(), QuoteError> {
        let Some(old) = token.name() else { return Ok(()) };
        let new = self.mapping.role(&old);
        if new != old {
            self.edits.push((token.at.clone(), Ident::new(new)?.short()));
        }
        Ok(())
    }

    fn database(&mut self, statement: &[Token<'_>], place: usize) -> Result<(), QuoteError> {
        let Some((token, old)) = statement.get(place).and_then(|t| Some((t, t.name()?))) else {
            return Ok(());
        };
        let old = DatabaseName::new(old);
        let new = self.mapping.database(&old);
        if *new != old {
            let new = Ident::new(new.as_str())?.short();
            self.edits.push((token.at.clone(), new));
        }
        Ok(())
    }

    fn database_after_on(&mut self, statement: &[Token<'_>]) -> Result<(), QuoteError> {
        let on = outside(statement).find(|(place, token)| {
            let next = statement.get(place + 1);
            token.is_word("ON") && next.is_some_and(|next| next.is_word("DATABASE"))
        });
        match on {
            Some((place, _)) => self.database(statement, place + 2),
            None => Ok(()),
        }
    }

    /// `SET role TO 'name'`.
    fn setting(&mut self, statement: &[Token<'_>]) -> Result<(), QuoteError> {
        for (place, set) in outside(statement) {
            let [name, to, value, ..] = statement.get(place + 1..).unwrap_or_default() else {
                continue;
            };
            let is_one =
                set.is_word("SET") && to.is_word("TO") && name.name().is_some_and(|name| names_role(&name));
            let Some(old) = value.value().filter(|_| is_one) else {
                continue;
            };
            let new = self.mapping.role(&old);
            if new != old {
                self.edits.push((value.at.clone(), literal(new)?));
            }
        }
        Ok(())
    }
}

fn is_role(token: &Token<'_>) -> bool {
    let named = NO_ROLE.iter().any(|word| token.is_word(word));
    matches!(token.kind, Kind::Word | Kind::Quoted) && !named
}

/// The tokens that stand in no parentheses, with their places.
fn outside<'t, 'a>(statement: &'t [Token<'a>]) -> impl Iterator<Item = (usize, &'t Token<'a>)> {
    let mut depth = 0_u32;
    statement.iter().enumerate().filter(move |(_, token)| {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
        }
        depth == 0
    })
}

fn edited(sql: &str, mut edits: Vec<(Range<usize>, String)>) -> Cow<'_, str> {
    if edits.is_empty() {
        return Cow::Borrowed(sql);
    }
    edits.sort_by_key(|(at, _)| at.start);
    let mut text = String::with_capacity(sql.len());
    let mut begin = 0;
    for (at, new) in edits {
        text.push_str(sql.get(begin..at.start).unwrap_or_default());
        text.push_str(&new);
        begin = at.end;
    }
    text.push_str(sql.get(begin..).unwrap_or_default());
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pghaul_core::Renaming;

    fn mapping() -> Mapping {
        let parse =
            |texts: &[&str]| -> Vec<Renaming> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        let roles = parse(&["app=New App", "boss=New App", "to=x"]);
        Mapping::new(&roles, &parse(&["app=app2"])).unwrap()
    }

    fn assert_renamed(sql: &str, expected: &str) {
        assert_eq!(
            renamed(sql, &mapping(), Some("owner")).unwrap(),
            expected,
            "{sql}"
        );
    }

    #[test]
    fn roles_of_rights_are_renamed_and_objects_are_not() {
        assert_renamed(
            "GRANT SELECT(app) ON TABLE app.app TO app WITH GRANT OPTION;\nREVOKE ALL ON TABLE app.\"to\" FROM \"to\";\n",
            "GRANT SELECT(app) ON TABLE app.app TO \"New App\" WITH GRANT OPTION;\nREVOKE ALL ON TABLE app.\"to\" FROM x;\n",
        );
        assert_renamed(
            "GRANT ALL ON FUNCTION public.f(app text, OUT b app) TO GROUP app;GRANT ALL ON SCHEMA app TO PUBLIC;",
            "GRANT ALL ON FUNCTION public.f(app text, OUT b app) TO GROUP \"New App\";GRANT ALL ON SCHEMA app TO PUBLIC;",
        );
        assert_renamed(
            "SET SESSION AUTHORIZATION app;\nGRANT CONNECT ON DATABASE app TO other;\nRESET SESSION AUTHORIZATION;",
            "SET SESSION AUTHORIZATION \"New App\";\nGRANT CONNECT ON DATABASE app2 TO other;\nRESET SESSION AUTHORIZATION;",
        );
        assert_renamed(
            "ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA app GRANT SELECT ON TABLES TO other;",
            "ALTER DEFAULT PRIVILEGES FOR ROLE \"New App\" IN SCHEMA app GRANT SELECT ON TABLES TO other;",
        );
    }

    #[test]
    fn what_two_roles_that_become_one_granted_each_other_is_left_out() {
        let merged = renamed(
            "GRANT SELECT ON TABLE t TO boss;\nGRANT SELECT ON TABLE t TO other;\n",
            &mapping(),
            Some("app"),
        );
        assert_eq!(merged.unwrap(), "\nGRANT SELECT ON TABLE t TO other;\n");
        assert_renamed(
            "SET SESSION AUTHORIZATION app;\nGRANT SELECT ON TABLE t TO boss;\nRESET SESSION AUTHORIZATION;\n",
            "SET SESSION AUTHORIZATION \"New App\";\n\nRESET SESSION AUTHORIZATION;\n",
        );
        assert_renamed(
            "ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO boss;",
            "",
        );
    }

    #[test]
    fn roles_of_policies_mappings_and_settings_are_renamed() {
        assert_renamed(
            "CREATE POLICY app ON public.app FOR SELECT TO app, other USING ((who = 'app'::name));",
            "CREATE POLICY app ON public.app FOR SELECT TO \"New App\", other USING ((who = 'app'::name));",
        );
        assert_renamed(
            "CREATE POLICY p ON t USING ((x = 'TO app'));",
            "CREATE POLICY p ON t USING ((x = 'TO app'));",
        );
        assert_renamed(
            "CREATE USER MAPPING FOR app SERVER app OPTIONS (\n    \"user\" 'app'\n);",
            "CREATE USER MAPPING FOR \"New App\" SERVER app OPTIONS (\n    \"user\" 'app'\n);",
        );
        assert_renamed(
            "ALTER ROLE app IN DATABASE app SET search_path TO 'app';\nALTER DATABASE app SET role TO 'app';\n",
            "ALTER ROLE \"New App\" IN DATABASE app2 SET search_path TO 'app';\nALTER DATABASE app2 SET role TO 'New App';\n",
        );
        assert_renamed(
            "COMMENT ON DATABASE app IS 'app; app';",
            "COMMENT ON DATABASE app2 IS 'app; app';",
        );
        assert_renamed(
            "CREATE FUNCTION app.app() RETURNS void LANGUAGE sql\n    SET role TO 'app'\n    AS $$ SET role TO 'app' $$;",
            "CREATE FUNCTION app.app() RETURNS void LANGUAGE sql\n    SET role TO 'New App'\n    AS $$ SET role TO 'app' $$;",
        );
    }

    #[test]
    fn single_names_are_renamed() {
        assert_eq!(renamed_role("app", &mapping()).unwrap(), "\"New App\"");
        assert_eq!(renamed_role("\"to\"", &mapping()).unwrap(), "x");
        assert_eq!(renamed_role("other", &mapping()).unwrap(), "other");
        assert_eq!(renamed_setting("role=app", &mapping()), "role=New App");
        assert_eq!(renamed_setting("search_path=app", &mapping()), "search_path=app");
    }
}
