//! Arguments without secrets: for the journal, which must hold none.

use pghaul_postgres::ConnInfo;

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "***";

/// Options whose values are conninfos: one that can't be read may hold a password anywhere.
const CONNINFOS: [&str; 3] = ["--source", "--target", "--source-from-target"];

/// Options whose values are commands of the user, which may hold anything.
const COMMANDS: [&str; 1] = ["--anchor"];

/// Words by which the name of an option or a parameter shows that its value is a secret.
const SECRET_WORDS: [&str; 5] = ["password", "passwd", "passphrase", "secret", "token"];

/// A command line, the program first, as it may be kept.
pub(crate) fn command_line(arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut option: Option<String> = None;
    for argument in arguments {
        let of_option = option.take();
        match argument.strip_prefix("--").and_then(|rest| rest.split_once('=')) {
            Some((name, text)) if of_option.is_none() => {
                let name = format!("--{name}");
                kept.push(format!("{name}={}", value(&name, text)));
            }
            _ if of_option.is_none() && argument.starts_with("--") => {
                kept.push(argument.clone());
                option = Some(argument);
            }
            _ => kept.push(value(of_option.as_deref().unwrap_or_default(), &argument)),
        }
    }
    kept
}

/// The value of an option as it may be kept.
pub(crate) fn value(option: &str, text: &str) -> String {
    if is_secret(option) {
        return HIDDEN.to_owned();
    }
    if COMMANDS.contains(&option) {
        return command(text);
    }
    let looks_like_conninfo = text.contains("://") || CONNINFOS.contains(&option) || names_secret(text);
    if !looks_like_conninfo {
        return text.to_owned();
    }
    match ConnInfo::parse(text) {
        Ok(conninfo) => conninfo.without_secrets(),
        Err(_) => HIDDEN.to_owned(),
    }
}

/// A command of the user: only the program's name is kept. A file is kept as it is.
fn command(text: &str) -> String {
    match text.strip_prefix('|') {
        Some(command) => {
            let program = command.split_whitespace().next().unwrap_or_default();
            format!("|{} {HIDDEN}", if is_plain(program) { program } else { HIDDEN })
        }
        None => text.to_owned(),
    }
}

fn is_plain(word: &str) -> bool {
    !word.contains(['=', '@', ':']) && !is_secret(word)
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether a text assigns a value to a name that is one of a secret, as in `host=a sslpassword = b`.
fn names_secret(text: &str) -> bool {
    text.contains('=') && is_secret(text)
}

#[cfg(test)]
mod tests {
    use super::command_line;
    use proptest::prelude::*;

    fn kept(arguments: &[&str]) -> String {
        command_line(arguments.iter().map(|text| (*text).to_owned())).join(" ")
    }

    #[test]
    fn what_is_no_secret_stays() {
        let plain = [
            "pghaul",
            "run",
            "--jobs",
            "4",
            "--accept=extensions=my=shop",
            "-vv",
            "--reason",
            "ticket 7",
        ];
        assert_eq!(kept(&plain), plain.join(" "));
        assert_eq!(
            kept(&[
                "pghaul",
                "run",
                "--source",
                "postgresql://me:s3cr3t@old/shop?sslmode=require"
            ]),
            "pghaul run --source host=old dbname=shop user=me sslmode=require"
        );
    }

    #[test]
    fn secrets_in_every_form_are_hidden() {
        for arguments in [
            &["--source", "host=old password=s3cr3t"][..],
            &["--source=host=old password = 's3 cr3t'"],
            &["--target", "host=old pasword=s3cr3t"],
            &["--target=postgres://me:s3cr3t@a@b/db"],
            &["--target", "postgres://me@b/db?sslpassword=s3cr3t"],
            &["--source-from-target", "postgresql://me:s3cr3t@"],
            &["--source-password", "s3cr3t"],
            &["--source-password=s3cr3t"],
            &["postgresql://me:s3cr3t@old"],
            &["--name", "password=s3cr3t"],
            &[
                "--anchor",
                "|curl -H 'Authorization: Bearer s3cr3t' https://log.example.com",
            ],
            &["--anchor", "|TOKEN=s3cr3t curl https://log.example.com"],
            &["--anchor=|curl https://me:s3cr3t@log.example.com"],
        ] {
            let kept = kept(arguments);
            assert!(!kept.contains("cr3t"), "{kept}");
        }
    }

    proptest! {
        #[test]
        fn no_password_of_a_conninfo_is_kept(password in "[a-z0-9 '\\\\=@%/?&]{12,20}") {
            let escaped = password.replace('\\', "\\\\").replace('\'', "\\'");
            let quoted = kept(&["--source", &format!("host=old password='{escaped}' port=5433")]);
            prop_assert!(!quoted.contains(password.trim()), "{}", quoted);
            let bare = kept(&["--source", &format!("postgresql://me:{password}@old/db")]);
            prop_assert!(!bare.contains(password.trim()), "{}", bare);
        }
    }
}
