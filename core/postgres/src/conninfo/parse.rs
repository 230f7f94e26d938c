//! libpq's two ways to write a conninfo, see
//! [Connection Strings](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING).

use super::error::ConnInfoError;
use super::parameter;
use percent_encoding::percent_decode_str;

/// The pairs of a conninfo in the order in which they stand there; a later one wins.
pub(super) type Pairs = Vec<(&'static str, String)>;

/// Parses a URI or `key=value` pairs.
pub(super) fn parse(text: &str) -> Result<Pairs, ConnInfoError> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    match text
        .strip_prefix("postgresql://")
        .or_else(|| text.strip_prefix("postgres://"))
    {
        Some(rest) => uri(rest),
        None => key_values(text),
    }
}

/// The name of a parameter, or the error that it is none. `after_password` keeps a piece of it out of the error.
fn known(name: &str, after_password: bool) -> Result<&'static str, ConnInfoError> {
    if let Some(parameter) = parameter::find(name) {
        return Ok(parameter.name);
    }
    let looks_like_one = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if after_password || !looks_like_one {
        return Err(ConnInfoError::UnknownAfterPassword);
    }
    Err(ConnInfoError::UnknownParameter {
        name: name.to_owned(),
        similar: parameter::similar(name),
    })
}

fn key_values(text: &str) -> Result<Pairs, ConnInfoError> {
    let mut reader = Reader {
        chars: text.chars().peekable(),
        position: 1,
    };
    let mut pairs = Pairs::new();
    let mut bare_password = false;
    loop {
        reader.skip_blanks();
        if reader.peek().is_none() {
            return Ok(pairs);
        }
        let name = reader.take_while(|c| c != '=' && !c.is_ascii_whitespace());
        reader.skip_blanks();
        if reader.next() != Some('=') {
            return Err(reader.problem("a word without `=` (URIs begin with postgresql://)"));
        }
        reader.skip_blanks();
        let name = known(&name, bare_password)?;
        let quoted = reader.peek() == Some('\'');
        let value = if quoted { reader.quoted()? } else { reader.bare() };
        bare_password = !quoted && parameter::is_secret(name);
        pairs.push((name, value));
    }
}

struct Reader<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    position: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        self.position += 1;
        self.chars.next()
    }

    fn problem(&self, problem: &'static str) -> ConnInfoError {
        ConnInfoError::Syntax {
            position: self.position.saturating_sub(1),
            problem,
        }
    }

    fn skip_blanks(&mut self) {
        self.take_while(|c| c.is_ascii_whitespace());
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| wanted(*c)) {
            taken.push(c);
            self.next();
        }
        taken
    }

    /// Up to a blank; a backslash takes the next character as it is.
    fn bare(&mut self) -> String {
        let mut value = String::new();
        while let Some(c) = self.peek().filter(|c| !c.is_ascii_whitespace()) {
            self.next();
            match c {
                '\\' => value.extend(self.next()),
                c => value.push(c),
            }
        }
        value
    }

    /// From one single quote to the next.
    fn quoted(&mut self) -> Result<String, ConnInfoError> {
        self.next();
        let mut value = String::new();
        loop {
            match self.next() {
                None => return Err(self.problem("a quote is opened and never closed")),
                Some('\'') => return Ok(value),
                Some('\\') => value.extend(self.next()),
                Some(c) => value.push(c),
            }
        }
    }
}

fn uri(rest: &str) -> Result<Pairs, ConnInfoError> {
    let mut pairs = Pairs::new();
    // Like libpq, a `?` does not end the search: passwords contain it.
    let before_slash = rest.split('/').next().unwrap_or("");
    let rest = match before_slash.split_once('@') {
        None => rest,
        Some((userinfo, _)) => {
            let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
            push(&mut pairs, "user", user)?;
            push(&mut pairs, "password", password)?;
            rest.get(userinfo.len() + 1..).unwrap_or("")
        }
    };
    let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = location.split_once('/').unwrap_or((location, ""));
    if hosts.contains('@') || database.contains('@') {
        return Err(ConnInfoError::Uri(
            "there is an `@` more than the one before the host",
        ));
    }
    authority(hosts, &mut pairs)?;
    push(&mut pairs, "dbname", database)?;
    if !query.is_empty() {
        query_parameters(query, &mut pairs)?;
    }
    Ok(pairs)
}

/// Hosts and ports: `a:1,b,[::1]:2`.
fn authority(text: &str, pairs: &mut Pairs) -> Result<(), ConnInfoError> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for entry in text.split(',') {
        let (host, port) = match entry.strip_prefix('[') {
            Some(rest) => {
                let problem = ConnInfoError::Uri("an IPv6 address is not closed by `]`");
                let (address, after) = rest.split_once(']').ok_or(problem)?;
                if address.is_empty() {
                    return Err(ConnInfoError::Uri(
                        "the IPv6 address between `[` and `]` is empty",
                    ));
                }
                match after.strip_prefix(':') {
                    Some(port) => (address, port),
                    None if after.is_empty() => (address, ""),
                    None => return Err(ConnInfoError::Uri("only `:`, `/`, `?` or `,` may follow `]`")),
                }
            }
            None => entry.split_once(':').unwrap_or((entry, "")),
        };
        // What looks like a port may be a piece of a password, so it is not repeated in the error.
        if !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ConnInfoError::Uri("the port after `:` is not a number"));
        }
        hosts.push(host);
        ports.push(port);
    }
    push(
        pairs,
        "host",
        &if hosts.iter().all(|host| host.is_empty()) {
            String::new()
        } else {
            hosts.join(",")
        },
    )?;
    push(
        pairs,
        "port",
        &if ports.iter().all(|port| port.is_empty()) {
            String::new()
        } else {
            ports.join(",")
        },
    )
}

fn query_parameters(query: &str, pairs: &mut Pairs) -> Result<(), ConnInfoError> {
    let mut after_password = false;
    for pair in query.split('&') {
        let problem = ConnInfoError::Uri("a parameter after `?` has no `=`");
        let (name, value) = pair.split_once('=').ok_or(problem)?;
        if value.contains('=') {
            return Err(ConnInfoError::Uri("a parameter after `?` has two `=`"));
        }
        let (name, value) = (decode(name)?, decode(value)?);
        if name == "ssl" && value == "true" {
            pairs.push(("sslmode", "require".to_owned()));
            continue;
        }
        let name = known(&name, after_password)?;
        after_password = parameter::is_secret(name);
        pairs.push((name, value));
    }
    Ok(())
}

fn push(pairs: &mut Pairs, name: &'static str, encoded: &str) -> Result<(), ConnInfoError> {
    if !encoded.is_empty() {
        pairs.push((name, decode(encoded)?));
    }
    Ok(())
}

fn decode(text: &str) -> Result<String, ConnInfoError> {
    let bytes = text.as_bytes();
    let malformed = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'%')
        .any(|(at, _)| {
            let digits = bytes.get(at + 1..at + 3);
            !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit) && digits != b"00")
        });
    if malformed {
        return Err(ConnInfoError::Uri(
            "a `%` is not followed by two hexadecimal digits other than 00",
        ));
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(Into::into)
        .map_err(|_| ConnInfoError::Uri("the percent-encoded text is not UTF-8"))
}
