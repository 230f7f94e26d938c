//! The step `roles`: creates the source's roles that the target lacks.
//!
//! Roles belong to the whole server, so this step runs once, before any database's schema, which names them as
//! owners and in its grants. A role that the target has already is never altered.
//!
//! - `role`: a role on the source, and the statements that create it
//! - `setting`: `ALTER ROLE … SET`, where some values are lists
//! - `membership`: who is a member of whom
//! - `lent`: memberships of pghaul's own role, for as long as databases are moved
//! - `shared_grant`: rights on parameters and tablespaces, which no database's archive has
//! - `wanted`: all of these, as they are read from the source
//! - `piece`: each of these that can be refused, with its name
//! - `missing`: those that were refused, and that the target still lacks
//! - `rehearsal`: the check `role-rehearsal`, which names beforehand what the target will refuse
//!
//! **After a crash.** The names are computed and noted in the journal before the first role is created, so a
//! noted role that exists is one of pghaul's. Each role is an item once it is complete; settings, comments, labels and
//! memberships of one that is not are set again, which changes nothing.
//!
//! **What may be missing afterwards** is in the output: passwords that the source does not show, attributes that
//! pghaul's role may not give, settings, labels, memberships and rights that the target refuses. What is refused is listed as
//! incomplete until the target has it or the source has it no more.
//!
//! Everything here has the names of the target: what `--map-role` says is applied to what was read from the source.
//!
//! Settings of a role in one database (`ALTER ROLE … IN DATABASE`) come with that database's archive.

mod lent;
mod membership;
mod missing;
mod piece;
mod rehearsal;
mod role;
mod setting;
mod shared_grant;
mod wanted;

pub use rehearsal::RoleRehearsal;
pub use role::Weakened;

use membership::Membership;
use pghaul_contracts::ClusterDefinitionsOutput;
use pghaul_step::owners::{HAS_OPTIONS, reach};
use pghaul_step::postgres::{PgError, ReadWrite, Right, Session, SideMarker, Target};
use pghaul_step::{
    Cluster, Context, Contract, Descriptor, Failure, Probe, Proof, Registry, Standing, Step, StepPhase,
    async_trait,
};
use piece::{Piece, is_refusal};
use role::{Creator, Role};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wanted::Wanted;

/// Adds the check of this package.
pub fn register_checks(registry: Registry) -> Registry {
    registry.with_cluster_check(RoleRehearsal)
}

/// What will be done, noted before it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Intent {
    /// The names of roles that will be created.
    to_create: BTreeSet<String>,
    /// The roles that pghaul's role will be made a member of; none in journals of versions that did not do so.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    to_lend: BTreeSet<String>,
}

/// What the step has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The roles that this migration has created.
    pub created: Vec<String>,
    /// How many roles of the source the target had already.
    pub present: usize,
    /// How many memberships were granted.
    pub memberships: usize,
    /// Created roles that may log in, but whose password the source does not show.
    pub without_password: Vec<String>,
    /// Created roles that lack attributes which they have on the source.
    pub weakened: Vec<Weakened>,
    /// Settings, security labels and memberships that the target refuses.
    pub left_out: Vec<LeftOut>,
}

impl Contract for Output {
    const STEP: &'static str = "roles";
}

/// A setting, a security label or a membership that the target refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The statement, which can be run once the reason is gone.
    pub statement: String,
    /// What the target says.
    pub why: String,
}

/// The step `roles`.
#[derive(Debug, Clone, Copy)]
pub struct Roles;

#[async_trait]
impl Step for Roles {
    type Scope = Cluster;
    type Output = Output;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            after: &[ClusterDefinitionsOutput::STEP],
            ..Descriptor::of::<Output>(
                "creates the source's roles that the target lacks",
                StepPhase::Schema,
            )
        }
    }

    async fn probe(&self, ctx: &Context<Cluster>) -> Result<Probe<Output>, Failure> {
        let noted = !ctx.facts::<Intent>()?.is_empty();
        Ok(if noted { Probe::Partial } else { Probe::Absent })
    }

    async fn run(&self, ctx: &Context<Cluster>) -> Result<Output, Failure> {
        let source = ctx.source().await?;
        let wanted = Wanted::read(&source, &ctx.selection(), &ctx.mapping()).await?;
        source.close().await;
        let mut target = ctx.target().await?;
        let creator = Creator::of(&target).await?;
        let there = names(&target).await?;
        let ours = noted(ctx, &wanted.roles, &there).await?;
        let mut complete: BTreeMap<String, Vec<LeftOut>> = ctx.items::<String, _>()?;
        let mut output = Output::default();
        for role in &wanted.roles {
            if !ours.contains(&role.name) {
                output.present += 1;
                continue;
            }
            ctx.check_cancelled()?;
            let left_out = match complete.remove(&role.name) {
                Some(left_out) => left_out,
                None => complete_role(ctx, &mut target, role, &creator, there.contains(&role.name)).await?,
            };
            output.left_out.extend(left_out);
            output.created.push(role.name.clone());
            output
                .without_password
                .extend(role.lacks_password().then(|| role.name.clone()));
            output.weakened.extend(creator.weakened(role));
        }
        if !creator.facts.superuser {
            lent::lend_what_is_needed(ctx, &target, &mut output.left_out).await?;
        }
        let memberships = wanted.memberships.iter();
        let concerned = memberships.filter(|membership| membership.concerns(&ours));
        grant_all(ctx, &target, concerned.collect(), &mut output).await?;
        let operation = "grant rights on parameters and tablespaces";
        for Piece { statement, .. } in &wanted.grants {
            let done = ctx
                .act(operation, target.batch_of_grants(operation, statement))
                .await;
            output.left_out.extend(refusal(done, statement)?);
        }
        Ok(output)
    }

    /// Names what the target has refused and still lacks.
    async fn standing(&self, ctx: &Context<Cluster>) -> Result<Option<Standing>, Failure> {
        let Some(output) = ctx.output::<Output>()? else {
            return Ok(None);
        };
        Ok(Some(Standing {
            proof: Proof {
                incomplete: missing::missing(ctx, &output.left_out).await?,
                ..Proof::default()
            },
            ..Standing::default()
        }))
    }

    async fn lend(&self, ctx: &Context<Cluster>) -> Result<(), Failure> {
        lent::lend_again(ctx).await
    }

    async fn give_back(&self, ctx: &Context<Cluster>) -> Result<(), Failure> {
        lent::give_back(ctx).await
    }
}

/// The roles that are ours to create: those noted by earlier starts, and those missing now, noted here.
async fn noted(
    ctx: &Context<Cluster>,
    roles: &[Role],
    there: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Failure> {
    let mut ours: BTreeSet<String> = ctx
        .facts::<Intent>()?
        .into_iter()
        .flat_map(|intent| intent.to_create)
        .collect();
    let names = roles.iter().map(|role| &role.name);
    let to_create: BTreeSet<String> = names
        .filter(|name| !there.contains(*name) && !ours.contains(*name))
        .cloned()
        .collect();
    if !to_create.is_empty() {
        ours.extend(to_create.iter().cloned());
        let intent = Intent {
            to_create,
            ..Intent::default()
        };
        ctx.record(&intent).await?;
    }
    Ok(ours)
}

async fn names<S: SideMarker, R: Right>(session: &Session<S, R>) -> Result<BTreeSet<String>, Failure> {
    let sql = "SELECT rolname::text FROM pg_catalog.pg_roles";
    let rows = session.doing("list the roles").query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Creates a role with its settings, comment and security labels in one transaction, and notes it as an item. Returns what
/// the target refuses.
async fn complete_role(
    ctx: &Context<Cluster>,
    target: &mut Session<Target, ReadWrite>,
    role: &Role,
    creator: &Creator,
    exists: bool,
) -> Result<Vec<LeftOut>, Failure> {
    let operation = format!("create role {}", role.name);
    let target_version = target.server_version();
    let mut transaction = target.transaction().await?;
    if !exists {
        if target_version >= HAS_OPTIONS {
            // What pghaul's role needs of the new role is lent, and given back.
            let sql = "SET LOCAL createrole_self_grant = ''";
            transaction.doing(&operation).batch(sql).await?;
        }
        transaction
            .batch_secretly(&operation, &creator.creation(role)?.statement)
            .await?;
    }
    let mut left_out = Vec::new();
    for Piece { statement, .. } in role.pieces()? {
        let savepoint = transaction.savepoint().await?;
        // A setting may be a secret of the application's.
        let altered = savepoint.batch_secretly(&operation, &statement).await;
        match refusal(altered, &statement)? {
            None => savepoint.commit().await?,
            Some(refusal) => {
                savepoint.rollback().await?;
                left_out.push(refusal);
            }
        }
    }
    ctx.act(&operation, transaction.commit()).await?;
    ctx.item(role.name.as_str(), &left_out).await?;
    Ok(left_out)
}

/// Grants memberships. A grantor must have got his own with the option ADMIN first, so what is refused is tried again as long as
/// something else succeeds.
async fn grant_all(
    ctx: &Context<Cluster>,
    target: &Session<Target, ReadWrite>,
    mut memberships: Vec<&Membership>,
    output: &mut Output,
) -> Result<(), Failure> {
    let reach = reach(target).await?;
    loop {
        let mut refused = Vec::new();
        let mut left_out = Vec::new();
        for membership in &memberships {
            let operation = format!("grant {} to {}", membership.role, membership.member);
            let statement = membership.piece()?.statement;
            let acting = membership.acting(&reach, target.server_version())?;
            match attempt(ctx, target, &operation, &acting).await? {
                None => output.memberships += 1,
                Some(refusal) => {
                    left_out.push(LeftOut { statement, ..refusal });
                    refused.push(*membership);
                }
            }
        }
        if refused.is_empty() || refused.len() == memberships.len() {
            output.left_out.extend(left_out);
            return Ok(());
        }
        memberships = refused;
    }
}

/// Runs a statement. Returns what the target says where it refuses.
async fn attempt(
    ctx: &Context<Cluster>,
    target: &Session<Target, ReadWrite>,
    operation: &str,
    statement: &str,
) -> Result<Option<LeftOut>, Failure> {
    let done = ctx.act(operation, target.doing(operation).batch(statement)).await;
    refusal(done, statement)
}

/// What the target says where it refuses a statement.
fn refusal(done: Result<(), PgError>, statement: &str) -> Result<Option<LeftOut>, Failure> {
    match done {
        Ok(()) => Ok(None),
        Err(error) if is_refusal(&error) => Ok(Some(LeftOut {
            statement: statement.to_owned(),
            why: error.message().to_owned(),
        })),
        Err(error) => Err(error.into()),
    }
}
