//! What the steps of the method replication leave.

use crate::generation::InGenerations;
use pghaul_step::Positions;
use pghaul_step::contract::Contract;
use pghaul_step::postgres::Lsn;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of the steps `publication` and `rest-publication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicationOutput {
    /// The name of the publication on the source.
    pub name: String,
    /// What it published at first. Absent in journals that were written before that was noted: then the proof compares
    /// tables by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<FirstPublished>,
}

/// A publication right after it was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstPublished {
    /// The publication itself.
    pub version: PublicationVersion,
    /// Every planned table whose changes are replicated, of all generations, by its number in the plan.
    pub tables: BTreeMap<u32, FollowedTable>,
}

/// What tells a publication from another of its name, and from itself when its options are altered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicationVersion {
    /// `pg_publication.oid`.
    pub oid: u32,
    /// The version (`xmin`) of its row in `pg_publication`.
    pub row: String,
}

/// A table whose changes are replicated, at one moment on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedTable {
    /// `pg_class.oid`.
    pub oid: u32,
    /// The file of its rows: another one after TRUNCATE, VACUUM FULL, CLUSTER and every rewriting ALTER TABLE. None for a
    /// partitioned table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<u32>,
    /// How its changes are published; none on the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication: Option<Membership>,
    /// In the order of their numbers.
    pub columns: Vec<Column>,
    /// The versions of its name and of its schema's. Absent in journals that were written before that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<(NameVersion, NameVersion)>,
}

/// The version of the row that holds a name: that of the table's row type, or of the schema; and a digest of what else changes it,
/// owner and privileges. Both are text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameVersion(pub String, pub String);

impl NameVersion {
    /// Whether the name was changed since, even if it is the same again.
    pub fn is_changed_since(&self, then: &Self) -> bool {
        self.0 != then.0 && self.1 == then.1
    }
}

/// A table's place in a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The table that its changes are published as: itself or a partitioned table above it.
    pub root: u32,
    /// The oid of the row of `pg_publication_rel`: another one when the table was taken out and put back.
    pub member: u32,
    /// The rows of `pg_inherits` from the table to the root, with their versions: others after DETACH and ATTACH.
    pub links: String,
}

/// A column: its number, its name, its type; the version (`xmin`) of its row in `pg_attribute`, another one after each statement
/// that altered it; a digest of its options, such as default and privileges: when they changed as well, they may be why the
/// version did; and the same digest with the expression of the default in place of its oid, absent in journals that were written
/// before that was noted. `ALTER COLUMN … TYPE` makes the default anew, with the same expression.
///
/// There is no version where the column is generated, or where rows that are older than it have a value that only the catalog
/// knows: VACUUM FULL writes that value into the rows, and the catalog's row anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column(
    pub i16,
    pub String,
    pub String,
    pub Option<i64>,
    #[serde(default)] pub Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")] pub Option<String>,
);

impl Contract for PublicationOutput {
    const STEP: &'static str = "publication";
}

impl InGenerations for PublicationOutput {
    const REST: &'static str = "rest-publication";
}

/// Of the steps `slot` and `rest-slot`: the replication slot, and the server that it is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotOutput {
    /// Its name.
    pub name: String,
    /// The number of the attempt, over all slots that were made for this database in both generations.
    pub attempt: u32,
    /// Changes from here on are retained.
    pub consistent_point: Lsn,
    /// `system_identifier` of the source.
    pub system_identifier: String,
    /// The source's timeline: another one means that a standby was promoted, and the slot is not this one.
    pub timeline: i32,
    /// Where both servers were by then. Absent in journals that were written before positions were noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<Positions>,
    /// Whether standbys of the source can keep copies of it. Absent in journals of programs that made none such.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failover: bool,
}

impl Contract for SlotOutput {
    const STEP: &'static str = "slot";
}

impl InGenerations for SlotOutput {
    const REST: &'static str = "rest-slot";
}

/// Of the steps `subscription` and `rest-subscription`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionOutput {
    /// The name of the subscription on the target.
    pub name: String,
    /// Every planned table whose changes are replicated, as it was on the target at first, by its number in the plan. Absent in
    /// journals that were written before that was noted: then the proof compares tables by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<BTreeMap<u32, FollowedTable>>,
    /// The tables that the target's workers copy in pghaul's place, as they were on the source before they were handed to
    /// them. Absent where that is not known: then they must be as they were published at first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub handed_over: BTreeMap<u32, FollowedTable>,
}

impl Contract for SubscriptionOutput {
    const STEP: &'static str = "subscription";
}

impl InGenerations for SubscriptionOutput {
    const REST: &'static str = "rest-subscription";
}

/// Of step `connection`: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionOutput;

impl Contract for ConnectionOutput {
    const STEP: &'static str = "connection";
}

/// Of step `initial-copy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitialCopyOutput {
    /// How many tables of the subscriptions are ready.
    pub tables: u64,
}

impl Contract for InitialCopyOutput {
    const STEP: &'static str = "initial-copy";
}
