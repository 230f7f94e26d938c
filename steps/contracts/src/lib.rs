//! What the built-in steps leave for each other.
//!
//! No step depends on another one, but a step may read what another one has left: the output in the journal, the items,
//! the keys of effects in the target. Each of these is a type of this package. An output implements [`Contract`], which binds
//! it to the step's name and a version, so that readers write `ctx.output::<SlotOutput>()`; no other package spells the name.
//!
//! - [`copy`]: the steps that copy rows
//! - [`replication`]: publication, slot, subscription
//! - [`schema`]: the steps that restore the schema
//! - [`generation`]: the one or two copies that make up the initial copy of replication
//! - [`effect`]: the keys in `pghaul.effect`, written and parsed in one place
//! - [`sequences`]
//! - [`large_objects`]
//! - [`drift`]: the definitions of both sides
//!
//! A field that is new is an `Option` whose absence has a stated meaning; anything else raises the contract's version. The JSON
//! of these types is part of the journal's format.

pub mod copy;
pub mod drift;
pub mod effect;
pub mod generation;
pub mod generations;
pub mod large_objects;
pub mod replication;
pub mod schema;
pub mod sequences;

pub use copy::{CopiedTable, CopyItem, CopyOutput, DeferredCopyOutput, SnapshotCopyOutput};
pub use drift::{ClusterDefinitionsOutput, SourceDefinitionsOutput, TargetDefinitionsOutput};
pub use effect::EffectKey;
pub use generation::{Generation, InGenerations, Rest};
pub use generations::Generations;
pub use large_objects::{LargeObjectCatalog, LargeObjectsOutput};
pub use pghaul_step::contract::{Contract, Itemized};
pub use replication::{
    Column, ConnectionOutput, FirstPublished, FollowedTable, InitialCopyOutput, Membership, NameVersion,
    PublicationOutput, PublicationVersion, SlotOutput, SubscriptionOutput,
};
pub use schema::{
    ConstraintsOutput, Firing, FiringTrigger, IndexesOutput, KeysOutput, MatviewsOutput, Origin,
    PostDataOutput, SchemaOutput, Skipped, SnapshotIndexesOutput, UnsafeCheck,
};
pub use sequences::SequencesOutput;
