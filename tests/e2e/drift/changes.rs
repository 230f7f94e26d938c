//! Every kind of change that is tried, and how it is reported. `docs/reference/changes.md` is made of it.

use std::fmt::Write as _;
use std::path::Path;

/// How a change is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The database is `failed`, with this code.
    Failed(&'static str),
    /// The object is listed, and `remove` refuses.
    Listed,
    /// Nothing is reported.
    Nothing,
    /// The change makes no sense on this side.
    Impossible,
}

use Answer::{Failed, Impossible, Listed, Nothing};

/// Changes that leave rows as they are: what changes, the object that is listed when it is done on the source, and how it is reported
/// when it is done on the target.
pub(super) const DEFINITIONS: &[(&str, &str, Answer)] = &[
    ("alter role app password 'new'", "role app", Nothing),
    ("create role late", "role late", Nothing),
    ("grant late to app", "role app", Nothing),
    (
        "alter role app set work_mem = '8MB'",
        "setting work_mem of role app",
        Nothing,
    ),
    (
        "alter database {db} set work_mem = '64MB'",
        "setting work_mem in database {db}",
        Nothing,
    ),
    ("grant connect on database {db} to app", "database {db}", Listed),
    ("comment on database {db} is 'shop'", "database {db}", Listed),
    ("create schema more", "schema more", Nothing),
    (
        "create function more() returns int language sql as 'select 1'",
        "function public.more()",
        Nothing,
    ),
    (
        "create or replace function vat(numeric) returns numeric language sql immutable as 'select $1 * 2'",
        "function public.vat(numeric)",
        Listed,
    ),
    ("alter type mood add value 'bad'", "type public.mood", Listed),
    (
        "alter domain positive add check (value < 100)",
        "domain constraint positive_check1 on public.positive",
        Nothing,
    ),
    (
        "create index orders_n on orders (n)",
        "index public.orders_n",
        Nothing,
    ),
    ("drop index orders_total", "index public.orders_total", Listed),
    (
        "alter table orders add constraint sane check (total < 1000)",
        "table constraint sane on public.orders",
        Nothing,
    ),
    (
        "alter table orders alter total set default 0",
        "table public.orders",
        Listed,
    ),
    (
        "alter table orders disable trigger touched",
        "trigger touched on public.orders",
        Listed,
    ),
    (
        "alter table orders enable row level security",
        "table public.orders",
        Listed,
    ),
    (
        "alter policy everyone on orders using (id > 0)",
        "policy everyone on public.orders",
        Listed,
    ),
    (
        "create or replace view paid as select id from orders where id > 0",
        "view public.paid",
        Listed,
    ),
    ("alter view paid rename to unpaid", "view public.unpaid", Nothing),
    (
        "drop materialized view totals",
        "materialized view public.totals",
        Listed,
    ),
    (
        "alter sequence numbers increment 5",
        "sequence public.numbers",
        Listed,
    ),
    ("create sequence later", "sequence public.later", Nothing),
    ("grant select on orders to app", "table public.orders", Listed),
    (
        "grant update (total) on orders to app",
        "table public.orders",
        Listed,
    ),
    (
        "comment on column orders.total is 'net'",
        "table public.orders",
        Listed,
    ),
    (
        "create statistics orders_s on id, total from orders",
        "statistics object public.orders_s",
        Nothing,
    ),
    ("create extension citext", "extension citext", Nothing),
    ("drop extension pg_trgm", "extension pg_trgm", Listed),
    (
        "create publication others for table orders",
        "publication others",
        Nothing,
    ),
    (
        "create text search configuration words (copy = english)",
        "text search configuration public.words",
        Nothing,
    ),
    (
        "create aggregate total(int) (sfunc = int4pl, stype = int)",
        "aggregate public.total(integer)",
        Nothing,
    ),
    ("create collation c2 from \"C\"", "collation public.c2", Nothing),
    (
        "create operator === (leftarg = int, rightarg = int, procedure = int4eq)",
        "operator public.===(integer,integer)",
        Nothing,
    ),
    (
        "create cast (int as mood) with inout",
        "cast (integer AS public.mood)",
        Nothing,
    ),
    (
        "create type pair as (a int, b int)",
        "composite type public.pair",
        Nothing,
    ),
    (
        "alter default privileges grant select on tables to app",
        "default acl",
        Nothing,
    ),
    (
        "create event trigger watch on ddl_command_start execute procedure ev()",
        "event trigger watch",
        Nothing,
    ),
];

/// Changes after which rows may differ: what changes, on the source, on the target.
pub(super) const ROWS: &[(&str, Answer, Answer)] = &[
    (
        "alter table orders alter n type bigint",
        Failed("column-changed"),
        Failed("column-changed"),
    ),
    (
        "alter table orders rename total to sum",
        Failed("plan-changed"),
        Failed("plan-changed"),
    ),
    ("alter table orders add more int", Failed("plan-changed"), Listed),
    ("alter table orders drop n", Listed, Failed("plan-changed")),
    (
        "alter table orders rename to bought",
        Failed("table-renamed"),
        Failed("table-renamed"),
    ),
    (
        "alter table orders rename to t; alter table returns rename to orders; alter table t rename to returns",
        Failed("tables-exchanged"),
        Failed("tables-exchanged"),
    ),
    (
        "alter table orders rename to t; alter table returns rename to orders; alter table t rename to returns; \
         alter table orders rename to t; alter table returns rename to orders; alter table t rename to returns",
        Listed,
        Listed,
    ),
    (
        "alter table prices alter price type int using price * 2",
        Failed("table-rewritten"),
        Failed("table-rewritten"),
    ),
    (
        "alter table prices alter later type int using later * 2",
        Failed("table-rewritten"),
        Failed("table-rewritten"),
    ),
    ("vacuum full prices", Nothing, Nothing),
    (
        "alter table orders rename to t; alter table t rename to orders",
        Listed,
        Listed,
    ),
    ("truncate orders", Nothing, Failed("table-rewritten")),
    (
        "alter table orders set schema other",
        Failed("table-renamed"),
        Failed("table-renamed"),
    ),
    (
        "alter table orders set unlogged",
        Impossible,
        Failed("plan-changed"),
    ),
    ("alter table orders replica identity nothing", Listed, Listed),
    ("alter table orders drop constraint orders_pkey", Listed, Listed),
    (
        "create table late (id int primary key)",
        Failed("plan-changed"),
        Nothing,
    ),
    ("drop table orders", Failed("table-dropped"), Failed("state-lost")),
    (
        "drop table orders; create table orders (id int primary key, total numeric, n int)",
        Failed("table-recreated"),
        Failed("table-recreated"),
    ),
    ("drop table leaf", Failed("table-dropped"), Failed("state-lost")),
    (
        "alter table tree detach partition leaf",
        Failed("partition-detached"),
        Failed("partition-detached"),
    ),
    (
        "create table leaf2 partition of tree for values from (100) to (200)",
        Failed("plan-changed"),
        Nothing,
    ),
    ("alter table orders enable always trigger touched", Listed, Listed),
    (
        "create trigger more before update on orders for each row execute procedure touch(); \
         alter table orders enable replica trigger more",
        Listed,
        Listed,
    ),
    (
        "alter publication {publication} drop table orders",
        Failed("publication-changed"),
        Impossible,
    ),
    (
        "alter publication {publication} set (publish = 'insert')",
        Failed("publication-changed"),
        Impossible,
    ),
    (
        "alter publication {publication} set table orders where (id > 5), returns, tree",
        Failed("publication-changed"),
        Impossible,
    ),
    (
        "alter subscription {subscription} disable",
        Impossible,
        Failed("apply-failed"),
    ),
    (
        "alter subscription {subscription} disable; alter subscription {subscription} enable",
        Impossible,
        Nothing,
    ),
    ("drop schema pghaul cascade", Impossible, Failed("state-lost")),
];

#[test]
fn the_page_of_changes_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/changes.md");
    let wanted = text();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, &wanted).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(page).unwrap(),
        wanted,
        "UPDATE_DOCS=1 writes it"
    );
}

fn text() -> String {
    let mut text = String::from(
        "# Changes during a migration\n\n\
         <!-- Written by the test the_page_of_changes_is_up_to_date of tests/e2e/drift/changes.rs. -->\n\n\
         Each change of this page was made on a server while its database was `syncing`; the tests in `tests/e2e/drift` repeat that. `status`, each\n\
         `run` and `remove` compare again and report:\n\n\
         - **failed**: rows may differ. The database is `failed` with the [code](errors.md), whose section says what to do. `remove` refuses (exit code 8).\n\
         - **listed**: a definition is not the same, or something was done of which only you know whether rows differ. The object stands under\n  \
         *to be completed at the cutover*, and `remove` refuses (exit code 8) unless you name the object with `--accept-incomplete`, or use\n  \
         `--incomplete`. `run --restart-data` copies such a database again.\n\
         - **–**: nothing is reported. A target may have more than the source.\n\n\
         A change that is made on both sides in the same way is settled. See [drift](../explanation/drift.md). What happens to the servers themselves, such as a\n\
         failover, is in [failover and restore](../explanation/failover.md).\n\n\
         ## Tables and what moves their rows\n\n| change | on the source | on the target |\n|---|---|---|\n",
    );
    for (change, source, target) in ROWS {
        writeln!(text, "| `{change}` | {} | {} |", shown(*source), shown(*target)).unwrap();
    }
    text += "\n## Definitions\n\n| change | on the source | on the target |\n|---|---|---|\n";
    for (change, object, target) in DEFINITIONS {
        writeln!(text, "| `{change}` | listed as `{object}` | {} |", shown(*target)).unwrap();
    }
    text
}

fn shown(answer: Answer) -> String {
    match answer {
        Failed(code) => format!("failed: [`{code}`](errors.md#{code})"),
        Listed => "listed".to_owned(),
        Nothing => "–".to_owned(),
        Impossible => String::new(),
    }
}
