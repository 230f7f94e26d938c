//! The check `role-rehearsal`: does the target take the source's roles, with all that they have?

use crate::names;
use crate::piece::{Piece, What, is_refusal};
use crate::role::{Creator, Role};
use crate::wanted::Wanted;
use pghaul_step::owners::{HAS_OPTIONS, Reach, reach, reach_now};
use pghaul_step::postgres::{PgError, QuoteError, Rehearsal, Rehearsed, Session, Target};
use pghaul_step::{
    Check, CheckContext, CheckDescriptor, Cluster, Code, Failure, Finding, FindingKind, Severity, Subject,
    async_trait, listed, quoted,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const REHEARSE: &str = "rehearse the roles";

/// The first version in which a role can be granted to set a parameter.
const GRANTS_PARAMETERS: u32 = 150_000;

/// The check `role-rehearsal`. It makes the statements of the step `roles` on the target, in a transaction that is rolled
/// back: what a service lets a role do, no catalog tells.
#[derive(Debug, Clone, Copy)]
pub struct RoleRehearsal;

#[async_trait]
impl Check for RoleRehearsal {
    type Scope = Cluster;

    fn descriptor(&self) -> CheckDescriptor {
        CheckDescriptor {
            name: "role-rehearsal",
            summary: "the target takes the source's roles with all that they have",
            after: &["connection", "roles", "target-rights"],
        }
    }

    async fn examine(&self, ctx: &CheckContext<Cluster>) -> Result<Vec<Finding>, Failure> {
        let landscape = ctx.landscape();
        let source = ctx.source().await?;
        let wanted = Wanted::read(&source, &landscape.selection, landscape.mapping()).await?;
        let mut target = ctx.rehearse_on_target().await?;
        let found = rehearse(&mut target, &wanted).await?;
        target.close().await;
        Ok(found
            .iter()
            .map(|refused| refused.about("role-rehearsal", Subject::Cluster))
            .collect())
    }
}

/// What the target refuses, by what it is.
#[derive(Debug, Serialize)]
#[serde(tag = "kind")]
enum Refused {
    /// Without them a run would stop.
    #[serde(rename = "roles-refused")]
    Roles(Answers),
    #[serde(rename = "settings-refused")]
    Settings(Answers),
    #[serde(rename = "comments-refused")]
    Comments(Answers),
    #[serde(rename = "labels-refused")]
    Labels(Answers),
    #[serde(rename = "memberships-refused")]
    Memberships(Answers),
    #[serde(rename = "privileges-refused")]
    Privileges(Answers),
}

#[derive(Debug, Serialize)]
struct Answers {
    refused: Vec<Answer>,
    #[serde(skip)]
    hint: String,
}

/// What the target says to a piece.
#[derive(Debug, Serialize)]
struct Answer {
    object: String,
    why: String,
}

impl Refused {
    fn answers(&self) -> (&'static str, &Answers) {
        match self {
            Self::Roles(answers) => ("the target refuses to create roles", answers),
            Self::Settings(answers) => (
                "the target refuses settings of roles, which are left out",
                answers,
            ),
            Self::Comments(answers) => (
                "the target refuses comments on roles, which are left out",
                answers,
            ),
            Self::Labels(answers) => (
                "the target refuses security labels of roles, which are left out",
                answers,
            ),
            Self::Memberships(answers) => (
                "the target refuses memberships of roles, which are left out",
                answers,
            ),
            Self::Privileges(answers) => (
                "the target refuses rights on parameters and tablespaces, which are left out",
                answers,
            ),
        }
    }
}

impl FindingKind for Refused {
    fn severity(&self) -> Severity {
        match self {
            Self::Roles(_) => Severity::Error,
            _ => Severity::Warning,
        }
    }

    fn message(&self) -> String {
        let (what, Answers { refused, .. }) = self.answers();
        let reasons: BTreeSet<&str> = refused.iter().map(|answer| answer.why.as_str()).collect();
        let said = |answer: &Answer| match reasons.len() {
            1 => answer.object.clone(),
            _ => format!("{} ({})", answer.object, answer.why),
        };
        let said: Vec<String> = refused.iter().map(said).collect();
        let message = format!("{what} ({}): {}", refused.len(), listed(&said));
        match reasons.first().filter(|_| reasons.len() == 1) {
            Some(reason) => format!("{message}: {reason}"),
            None => message,
        }
    }

    fn hint(&self) -> Option<String> {
        let (_, answers) = self.answers();
        Some(answers.hint.clone())
    }
}

/// How many roles are rehearsed in one transaction, which locks each of them until its end.
const AT_ONCE: usize = 500;

/// Memberships between roles that are not rehearsed together are left out: who creates two roles grants one to the other.
async fn rehearse(target: &mut Session<Target, Rehearsal>, wanted: &Wanted) -> Result<Vec<Refused>, Failure> {
    let there = names(target).await?;
    let creator = Creator::of(target).await?;
    let reach = reach(target).await?;
    let created = wanted.roles.iter().filter(|role| !there.contains(&role.name));
    let created: Vec<&Role> = created.collect();
    let mut refused = Vec::new();
    let mut chunks: Vec<&[&Role]> = created.chunks(AT_ONCE).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    for chunk in chunks {
        refused.extend(rehearse_together(target, wanted, &creator, &created, chunk).await?);
    }
    let mut told = BTreeSet::new();
    refused.retain(|(piece, _)| told.insert(piece.object.clone()));
    Ok(by_kind(&refused, &creator, &reach))
}

/// Creates some of the missing roles, with what they and the roles that are there are to have, and rolls back.
async fn rehearse_together(
    target: &mut Session<Target, Rehearsal>,
    wanted: &Wanted,
    creator: &Creator,
    missing: &[&Role],
    together: &[&Role],
) -> Result<Vec<(Piece, PgError)>, Failure> {
    let mut rehearsal = target.rehearse().await?;
    if creator.version >= HAS_OPTIONS {
        let sql = "SET LOCAL createrole_self_grant = ''";
        rehearsal.attempt(REHEARSE, sql, &[]).await?;
    }
    let creations = together.iter().map(|role| creator.creation(role));
    let creations: Vec<Piece> = creations.collect::<Result<_, QuoteError>>()?;
    let mut refused = refused_of(&mut rehearsal, creations.iter().map(trial).collect()).await?;
    let (mut created, mut pieces) = (BTreeSet::new(), Vec::new());
    for (role, creation) in together.iter().zip(&creations) {
        if refused.iter().all(|(piece, _)| piece != creation) {
            created.insert(role.name.clone());
            pieces.extend(role.pieces()?);
        }
    }
    refused.extend(refused_of(&mut rehearsal, pieces.iter().map(trial).collect()).await?);
    let missing: BTreeSet<&str> = missing.iter().map(|role| role.name.as_str()).collect();
    let is_here = |role: &str| created.contains(role) || !missing.contains(role);
    let reach = reach_now(&rehearsal.doing(REHEARSE), creator.version).await?;
    let mut memberships = Vec::new();
    for membership in &wanted.memberships {
        if membership.concerns(&created) && membership.roles().all(is_here) {
            memberships.push((membership.piece()?, membership.acting(&reach, creator.version)?));
        }
    }
    refused.extend(refused_memberships(&mut rehearsal, &memberships).await?);
    let is_tried = |piece: &&Piece| match &piece.what {
        What::Privilege { grantee } => grantee.as_deref().is_none_or(is_here),
        _ => true,
    };
    let grants = wanted.grants.iter().filter(is_tried).map(trial);
    refused.extend(refused_of(&mut rehearsal, grants.collect()).await?);
    rehearsal.roll_back().await?;
    Ok(refused)
}

/// A piece, and the statements that give it.
type Trial<'a> = (&'a Piece, &'a str);

fn trial(piece: &Piece) -> Trial<'_> {
    (piece, &piece.statement)
}

/// Tries memberships as long as something else succeeds: a grantor must have got his own first.
async fn refused_memberships(
    rehearsal: &mut Rehearsed<'_>,
    memberships: &[(Piece, String)],
) -> Result<Vec<(Piece, PgError)>, Failure> {
    let trials = memberships.iter().map(|(piece, acting)| (piece, acting.as_str()));
    let mut left: Vec<Trial<'_>> = trials.collect();
    loop {
        let refused = refused_of(rehearsal, left.clone()).await?;
        if refused.len() == left.len() {
            return Ok(refused);
        }
        left.retain(|(tried, _)| refused.iter().any(|(piece, _)| piece == *tried));
    }
}

/// Tries pieces together, and halves of them where one is refused. Returns those that are, each with the target's words.
async fn refused_of(
    rehearsal: &mut Rehearsed<'_>,
    trials: Vec<Trial<'_>>,
) -> Result<Vec<(Piece, PgError)>, Failure> {
    let mut refused = Vec::new();
    let mut waiting = vec![trials.as_slice()];
    while let Some(trials) = waiting.pop() {
        if trials.is_empty() {
            continue;
        }
        let statements: Vec<&str> = trials.iter().map(|(_, statements)| *statements).collect();
        let sql = statements.join("; ");
        let tried = rehearsal.attempt_secretly(REHEARSE, &sql).await;
        match (tried, trials) {
            (Ok(()), _) => {}
            (Err(error), _) if !is_refusal(&error) => return Err(error.into()),
            (Err(error), [(piece, _)]) => refused.push(((*piece).clone(), error)),
            (Err(_), trials) => {
                let (first, second) = trials.split_at(trials.len() / 2);
                waiting.extend([second, first]);
            }
        }
    }
    Ok(refused)
}

fn by_kind(refused: &[(Piece, PgError)], creator: &Creator, reach: &BTreeMap<String, Reach>) -> Vec<Refused> {
    type Kind = (fn(Answers) -> Refused, fn(&What) -> bool);
    let kinds: [Kind; 6] = [
        (Refused::Roles, |what| matches!(what, What::Role)),
        (Refused::Settings, |what| matches!(what, What::Setting { .. })),
        (Refused::Comments, |what| matches!(what, What::Comment)),
        (Refused::Labels, |what| matches!(what, What::Label { .. })),
        (Refused::Memberships, |what| {
            matches!(what, What::Membership { .. })
        }),
        (Refused::Privileges, |what| matches!(what, What::Privilege { .. })),
    ];
    let found = kinds.into_iter().filter_map(|(kind, is_of)| {
        let of_kind = || refused.iter().filter(|(piece, _)| is_of(&piece.what));
        let (first, _) = of_kind().next()?;
        let answer = |(piece, error): &(Piece, PgError)| Answer {
            object: piece.object.clone(),
            why: error.message().to_owned(),
        };
        Some(kind(Answers {
            refused: of_kind().map(answer).collect(),
            hint: hint(&first.what, refused, creator, reach),
        }))
    });
    found.collect()
}

/// What the user can do about those of the refused pieces that are what the given one is.
fn hint(
    first: &What,
    refused: &[(Piece, PgError)],
    creator: &Creator,
    reach: &BTreeMap<String, Reach>,
) -> String {
    let giver = quoted(&creator.facts.name);
    let afterwards = "afterwards, as a superuser of the target: pghaul status lists them until then";
    match first {
        What::Role => "create them on the target beforehand with what it lets them have: a role that is there is not altered; or                        let another role take its place there: --map-role"
            .to_owned(),
        What::Setting { .. } => {
            let grantable = refused.iter().find_map(|(piece, error)| match &piece.what {
                What::Setting { parameter } if error.code() == Code::PermissionDenied => Some(parameter),
                _ => None,
            });
            match grantable.filter(|_| creator.version >= GRANTS_PARAMETERS) {
                Some(parameter) => format!(
                    "as a superuser of the target: GRANT SET ON PARAMETER {} TO {giver}; or set them {afterwards}",
                    quoted(parameter)
                ),
                None => {
                    format!("on the source, where nobody needs them: ALTER ROLE … RESET …; or set them {afterwards}")
                }
            }
        }
        What::Comment => format!("comment on them {afterwards}"),
        What::Label { provider } => format!(
            "load the provider's library on the target, as on the source, before the run: shared_preload_libraries =              '{provider}'; or repeat the labels afterwards, as pg_dumpall --roles-only writes them"
        ),
        What::Membership { .. } => {
            let administered = refused.iter().find_map(|(piece, _)| match &piece.what {
                What::Membership { role } if reach.get(role) != Some(&Reach::Superuser) => Some(role),
                _ => None,
            });
            match administered {
                Some(role) => format!(
                    "as a superuser of the target: GRANT {} TO {giver} WITH ADMIN OPTION; or grant the memberships {afterwards}",
                    quoted(role)
                ),
                None => format!("grant them {afterwards}"),
            }
        }
        What::Privilege { .. } => format!("grant them {afterwards}"),
    }
}
