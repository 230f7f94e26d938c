//! Words of a command line that a message tells to type.

/// A word of a POSIX shell's command line, quoted only where needed, for hints to paste: the shell expands nothing in it.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@%+=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_shell_takes_a_name_as_it_is() {
        for name in [
            "shop",
            "",
            "My Shop",
            "$(touch x)",
            "it's `id`",
            "a\"b\\c",
            "*",
            "-x\ny",
            "~",
            "é!",
        ] {
            let command = format!("printf %s {}", shell_word(name));
            let said = std::process::Command::new("sh")
                .args(["-c", &command])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), name, "{command}");
        }
        assert_eq!(shell_word("my-shop"), "my-shop");
    }
}
