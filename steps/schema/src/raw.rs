//! Texts of the archive that are not UTF-8.
//!
//! In a database whose encoding is not UTF-8 a comment or a function may hold bytes that no UTF-8 text stands for: in
//! SQL_ASCII any bytes, in others characters that Unicode lacks. pg_dump then writes them as they are. Here a byte above
//! 127 is *lifted* to a character of its own, from a range of Unicode that is set aside for private use; what is sent to
//! the target is *lowered* again, as the hexadecimal digits of its bytes.
//!
//! The archive's format: <https://github.com/postgres/postgres/blob/REL_18_STABLE/src/bin/pg_dump/pg_backup_archiver.c>

use std::borrow::Cow;

/// The byte `0x80` becomes this character, and so on.
const FIRST: u32 = 0xF780;
const LAST: u32 = FIRST + 0x7F;

/// How texts of the archive are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoded {
    /// In any way: what is valid UTF-8 is taken for it.
    Unknown,
    /// In another way than UTF-8.
    Otherwise,
}

/// Bytes as a text.
fn lift(bytes: &[u8], encoded: Encoded) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        Ok(text) if encoded == Encoded::Unknown && !text.chars().any(is_lifted) => text.to_owned(),
        _ => bytes.iter().copied().map(lifted).collect(),
    }
}

fn lifted(byte: u8) -> char {
    match byte {
        0..=0x7F => char::from(byte),
        _ => char::from_u32(FIRST + u32::from(byte & 0x7F)).unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

fn is_lifted(c: char) -> bool {
    (FIRST..=LAST).contains(&u32::from(c))
}

/// The bytes of a text, where any of them was lifted.
fn lower(text: &str) -> Option<Vec<u8>> {
    if !text.chars().any(is_lifted) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c).wrapping_sub(FIRST)) {
            Ok(byte) if is_lifted(c) => bytes.push(byte | 0x80),
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Some(bytes)
}

/// Statements as they can be sent: those with lifted bytes as a block that makes a text in the encoding of the source out of
/// hexadecimal digits, and runs it.
pub(crate) fn sendable<'s>(statements: &'s str, encoding: &str) -> Cow<'s, str> {
    match lower(statements) {
        None => Cow::Borrowed(statements),
        Some(bytes) => Cow::Owned(format!(
            "DO $pghaul$ BEGIN EXECUTE pg_catalog.convert_from('\\x{}'::pg_catalog.bytea, '{encoding}'); END $pghaul$;\n",
            pghaul_step::hex(&bytes)
        )),
    }
}

/// The table of contents of an archive, with all texts lifted; nothing where it is none that is known.
pub(crate) fn lift_contents(bytes: &[u8], encoded: Encoded) -> Option<Vec<u8>> {
    let mut toc = Contents {
        rest: bytes,
        lifted: Vec::with_capacity(bytes.len() + bytes.len() / 8),
        int_size: 4,
        encoded,
    };
    toc.all()?;
    toc.rest.is_empty().then_some(toc.lifted)
}

/// A table of contents that is copied, text by text.
struct Contents<'a> {
    rest: &'a [u8],
    lifted: Vec<u8>,
    /// The bytes of an integer, without its sign.
    int_size: usize,
    encoded: Encoded,
}

impl<'a> Contents<'a> {
    fn all(&mut self) -> Option<()> {
        // Magic, version, sizes of integers and offsets, format.
        let header = self.bytes(11)?;
        let (magic, rest) = header.split_at_checked(5)?;
        let [major, minor, _, int_size, ..] = *rest else {
            return None;
        };
        if magic != b"PGDMP" || major != 1 || !(13..=16).contains(&minor) || !(1..=8).contains(&int_size) {
            return None;
        }
        self.int_size = int_size.into();
        if minor >= 15 {
            self.bytes(1)?;
        } else {
            self.int()?;
        }
        // When it was made; the database, and the versions of the server and of pg_dump.
        self.ints(7)?;
        self.texts(3)?;
        let entries = self.int()?;
        for _ in 0..entries {
            self.entry(minor)?;
        }
        Some(())
    }

    fn entry(&mut self, minor: u8) -> Option<()> {
        // dumpId, hadDumper; tableoid, oid, tag, desc; section; defn, dropStmt, copyStmt, namespace, tablespace
        self.ints(2)?;
        self.texts(4)?;
        self.ints(1)?;
        self.texts(5)?;
        // tableam; relkind; owner, withOids
        self.texts(usize::from(minor >= 14))?;
        self.ints(usize::from(minor >= 16))?;
        self.texts(2)?;
        // Dependencies up to an absent one; the name of the data's file.
        while self.text()? {}
        self.texts(1)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        self.lifted.extend_from_slice(taken);
        Some(taken)
    }

    fn ints(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            self.int()?;
        }
        Some(())
    }

    fn int(&mut self) -> Option<i64> {
        let bytes = self.bytes(1 + self.int_size)?;
        number(bytes)
    }

    fn texts(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            self.text()?;
        }
        Some(())
    }

    /// Copies a text. Whether there was one.
    fn text(&mut self) -> Option<bool> {
        let (length, rest) = self.rest.split_at_checked(1 + self.int_size)?;
        let Ok(count) = usize::try_from(number(length)?) else {
            self.bytes(1 + self.int_size)?;
            return Some(false);
        };
        let (text, rest) = rest.split_at_checked(count)?;
        self.rest = rest;
        let text = lift(text, self.encoded);
        self.lifted.push(0);
        let length = u64::try_from(text.len()).ok()?.to_le_bytes();
        self.lifted.extend_from_slice(length.get(..self.int_size)?);
        self.lifted.extend_from_slice(text.as_bytes());
        Some(true)
    }
}

/// A sign and the bytes of a number, the least first.
fn number(bytes: &[u8]) -> Option<i64> {
    let (sign, magnitude) = bytes.split_first()?;
    let mut value = 0_i64;
    for byte in magnitude.iter().rev() {
        value = value.checked_mul(256)?.checked_add(i64::from(*byte))?;
    }
    Some(if *sign == 0 { value } else { -value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_lifted_can_be_lowered(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            for encoded in [Encoded::Unknown, Encoded::Otherwise] {
                let text = lift(&bytes, encoded);
                let lowered = lower(&text).unwrap_or_else(|| text.clone().into_bytes());
                prop_assert_eq!(&lowered, &bytes);
            }
        }

        #[test]
        fn anything_may_stand_in_the_place_of_an_archive(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut archive = b"PGDMP\x01\x10\x00\x04\x08\x03".to_vec();
            archive.extend(bytes);
            let _ = lift_contents(&archive, Encoded::Unknown);
        }
    }

    #[test]
    fn a_text_of_another_encoding_is_sent_as_digits() {
        assert_eq!(sendable("SELECT 1;", "SQL_ASCII"), "SELECT 1;");
        assert_eq!(
            sendable("SELECT 'caf\u{e9}';", "SQL_ASCII"),
            "SELECT 'caf\u{e9}';"
        );
        let lifted = lift(b"SELECT '\xe9'", Encoded::Unknown);
        assert_eq!(
            sendable(&lifted, "SQL_ASCII"),
            "DO $pghaul$ BEGIN EXECUTE pg_catalog.convert_from('\\x53454c4543542027e927'::pg_catalog.bytea, 'SQL_ASCII'); \
             END $pghaul$;\n"
        );
        // Valid UTF-8 by accident.
        assert!(lower(&lift(b"\xc3\xa9", Encoded::Otherwise)).is_some());
    }
}
