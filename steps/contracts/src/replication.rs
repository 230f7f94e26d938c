//! What the steps of the method replication leave.

use crate::generation::InGenerations;
use pghaul_step::contract::Contract;
use pghaul_step::postgres::Lsn;
use serde::{Deserialize, Serialize};

/// Of the steps `publication` and `rest-publication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicationOutput {
    /// The name of the publication on the source.
    pub name: String,
}

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
