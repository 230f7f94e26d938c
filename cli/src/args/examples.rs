//! Examples at the end of `--help`.

pub(super) const EXAMPLES: &str = "\
Examples:
  export PGHAUL_SOURCE='host=old.example.com user=mover sslmode=verify-full'
  export PGHAUL_TARGET='host=new.example.com user=mover sslmode=verify-full'
  pghaul plan            what would be moved, and how; writes nothing
  pghaul run             move everything; stopped at any instant, the same command goes on
  pghaul status          is the target up to date? Asks the servers, not only the journal
  pghaul remove          after the cutover: take publications, slots and subscriptions away
  pghaul demo            all of that between two throwaway clusters, in a few seconds

Connections are given as `postgresql://…` or `key=value` conninfo; PG* variables, the password file and the
service file work as with psql. PGHAUL_SOURCE_PASSWORD and PGHAUL_TARGET_PASSWORD hold one side's password.";

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  pghaul run --source 'host=old user=mover' --target 'host=new user=mover'
  pghaul run                                     go on with the only open migration
  pghaul run --database 'shop*' --name shops     only some databases, under a name of its own
  pghaul run --method dump                       one copy of everything, nothing is replicated
  pghaul run --metrics-listen 9187               metrics for Prometheus while it runs

Ctrl-C stops it in order, a second Ctrl-C at once; either way `pghaul run` goes on where it stopped.
Exit code 0 means that every database is syncing or done; see docs/reference/exit-codes.md for the others.";

pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  pghaul status                                  of the only open migration
  pghaul status --watch                          a live screen; asks every two seconds
  pghaul status --watch 15 --metrics-listen 9187 >/dev/null   for Prometheus
  pghaul status --json | jq -r .migration.status

The servers are taken from the journal and asked anew. A database whose servers can't be reached keeps its
journaled state, marked as not checked. Exit code 9 means that a database is failed.";

pub(super) const REPORT_EXAMPLES: &str = "\
Examples:
  pghaul report --output migration.html          of the only open migration, or of the last one
  pghaul report --name shops --markdown          for a ticket
  pghaul report | less                           HTML on standard output

The report is made from the journal alone: who ran what and why, what the checks found, how long every phase, step and
table took, failures and retries, what is not exact on the target, and the journal's head.";

pub(super) const HISTORY_EXAMPLES: &str = "\
Examples:
  pghaul history                                 by run, database, phase and step, with the time that each took
  pghaul history --severity warning              failures, retries, overrides, findings
  pghaul history --database shop --table orders  all that happened to one table
  pghaul history --since 90m --follow            the last 90 minutes, and what comes
  pghaul history --limit 1 --reverse             the last event
  pghaul history --json --kind runner_started    who ran it, when, with which version and options";

pub(super) const REMOVE_EXAMPLES: &str = "\
Examples:
  pghaul remove                                  proves everything once more, sets sequences, then removes
  pghaul remove --incomplete                     what is listed as incomplete is left to you
  pghaul remove --applications-still-write       what is written to the source now is left behind
  pghaul remove --force                          although the target may lack something; what it has is kept
  pghaul remove --force --gone target            the target does not exist any more: only the source is cleaned

What is removed: subscriptions, slots, publications and the schema pghaul. Rows and tables never are.";

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  pghaul doctor                                  the servers of the open migrations of the journal
  pghaul doctor --source 'host=old user=mover'   one server, also without any journal
  pghaul doctor --drop k3v9x2ab                  clean up after a migration whose journal is lost

What --drop drops: subscriptions, slots and publications of that migration, and the schema pghaul. Rows and tables
never are. It asks before; without a terminal it needs --yes. Exit code 12 means that something is orphaned, at
risk, or not in this journal.";

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  pghaul completions bash > ~/.local/share/bash-completion/completions/pghaul
  pghaul completions zsh > ~/.zfunc/_pghaul        with ~/.zfunc in fpath
  pghaul completions fish > ~/.config/fish/completions/pghaul.fish
  pghaul completions powershell >> $PROFILE        in PowerShell";

pub(super) const PLAN_EXAMPLES: &str = "\
Examples:
  pghaul plan --source 'host=old user=mover' --target 'host=new user=mover'
  pghaul plan --database 'shop*'                 only some databases
  pghaul plan --json | jq '.plan.databases[].dbname'

Nothing is written, neither to the servers nor to the journal. `pghaul check` makes the same checks, and rehearses small schemas on
the target.";

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  pghaul check --source 'host=old user=mover' --target 'host=new user=mover'
  pghaul check --json > findings.json            for a script
  pghaul check --accept disk                     accept what a check finds; `run` journals it

Exit code 0 means ready, 3 that something must be fixed first, 11 ready with warnings. `pghaul checks` lists all checks.";

pub(super) const MIGRATIONS_EXAMPLES: &str = "\
Examples:
  pghaul migrations                              each migration of the journal and how it stands
  pghaul migrations close brave-otter            end one that never began to act on a server";

pub(super) const JOURNAL_EXAMPLES: &str = "\
Examples:
  pghaul journal verify --head 303:5be2c8…       is it the journal that was shown then?
  pghaul journal export shops.journal            carry a migration to another machine
  pghaul journal import shops.journal            go on with it there";

pub(super) const STEPS_EXAMPLES: &str = "\
Examples:
  pghaul steps                                   every step in the order in which they run
  pghaul describe copy                           all that is known of one";

pub(super) const CHECKS_EXAMPLES: &str = "\
Examples:
  pghaul checks                                  every check and what it looks for
  pghaul describe disk                           all that is known of one";

pub(super) const DESCRIBE_EXAMPLES: &str = "\
Examples:
  pghaul describe disk                           a check
  pghaul describe copy --json                    a step, for a script";

pub(super) const CONFIG_EXAMPLES: &str = "\
Examples:
  pghaul config example > pghaul.toml            begin with all that can be configured
  pghaul config check                            is the configuration right, and which one is read?
  pghaul config schema > pghaul.schema.json      for an editor";

pub(super) const DEMO_EXAMPLES: &str = "\
Examples:
  pghaul demo                                    a migration of two databases, with nothing left afterwards
  pghaul demo --keep                             the same, and both clusters stay until Ctrl-C";
