//! `pghaul status`: once, as it was, or until Ctrl-C.

use super::Session;
use super::answer::{look, show};
use super::watch::{Watched, watch};
use crate::args::StatusArgs;
use crate::exit_code::ExitCode;
use crate::journals;
use crate::moment::Place;
use crate::report::history::is_behind;
use crate::servers::Given;
use crate::view::View;
use pghaul_core::{Code, Failure, MigrationId};
use pghaul_store::JournalFile;
use std::time::Duration;

/// Shows how the migration stands, once or until Ctrl-C.
pub(crate) async fn status(session: &Session, args: &StatusArgs) -> Result<ExitCode, Failure> {
    let file = journals::open(session, &args.journal)?;
    let entry = journals::existing(&file, args.journal.name.as_deref())?;
    if let Some(place) = args.at {
        let view = as_it_was(&file, &entry.id, place)?;
        show(session, args, &view)?;
        return Ok(ExitCode::Success);
    }
    let given = Given::new(&args.servers)?;
    let Some(every) = args.watch else {
        if args.metrics.metrics_listen.is_some() {
            return Err(
                Failure::new(Code::BadInput, "--metrics-listen serves while a command runs")
                    .with_hint("give --watch too, or give it to `pghaul run`"),
            );
        }
        let view = look(session, &file, &entry.id, &given).await?;
        show(session, args, &view)?;
        return Ok(view.exit_code());
    };
    let watched = Watched {
        session,
        args,
        file: &file,
        id: &entry.id,
        given: &given,
    };
    watch(&watched, Duration::from_secs(u64::from(every))).await
}

/// What the journal said at an event or a time.
fn as_it_was(file: &JournalFile, id: &MigrationId, place: Place) -> Result<View, Failure> {
    let open = file.read_migration(id)?;
    journals::check_place(&open, Some(place))?;
    let mut last = None;
    for envelope in open.events() {
        let envelope = envelope?;
        if is_behind(Some(place), &envelope) {
            break;
        }
        last = Some((envelope.seq, envelope.at));
    }
    let Some((seq, at)) = last else {
        return Err(Failure::new(Code::BadInput, "the journal had no event then")
            .with_hint("`pghaul history --limit 1 --reverse` shows its last event, and `pghaul migrations` when each begins"));
    };
    let loaded = open.load_until(seq)?;
    let times = journals::times(&open, Some(seq))?;
    let view = View::of_journal(id, &loaded.migration, loaded.head, &times);
    let as_of = Some(at);
    Ok(View { as_of, ..view })
}
