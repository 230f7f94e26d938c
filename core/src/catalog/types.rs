//! The types of columns.

use super::Text;

/// A type, and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// `pg_type.oid`.
    pub oid: u32,
    /// Its name as `format_type` gives it.
    pub name: Text,
    /// Its kind.
    pub kind: TypeKind,
    /// Whether it lies in the schema `pg_catalog`.
    pub built_in: bool,
    /// `pg_type.typname`, without quotes.
    pub plain_name: Text,
    /// The types that it is made of.
    pub parts: Vec<u32>,
    /// Whether it is an array, also one of fixed length.
    pub array: bool,
    /// Whether it has a send and a receive function.
    pub has_binary_form: bool,
    /// Whether values can be compared: it has a default operator class for btree or hash, or is binary coercible to a
    /// type that has one.
    pub comparable: bool,
    /// The extension that it is a member of.
    pub extension: Option<Text>,
}

/// `pg_type.typtype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeKind {
    /// A base type.
    Base,
    /// A composite type.
    Composite,
    /// A domain.
    Domain,
    /// An enum.
    Enum,
    /// A pseudo-type.
    Pseudo,
    /// A range.
    Range,
    /// A multirange.
    Multirange,
}
