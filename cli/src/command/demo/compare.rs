//! Is it the same on both sides? Every row and every sequence of the demo.

use crate::report::columns::{Align, lines};
use crate::report::quantity::count;
use crate::style::{DIM, ERROR, GOOD, paint};
use pghaul_postgres::{PgError, ReadOnly, Server, Session, SideMarker, Source, Target};

/// What there is to compare, by database: tables, then sequences.
const OBJECTS: [(&str, &[&str], &[&str]); 2] = [
    (
        "shop",
        &["customers", "orders"],
        &["invoice_number", "orders_id_seq"],
    ),
    ("stats", &["visits"], &[]),
];

/// The result of a comparison.
pub(super) struct Comparison {
    pub(super) text: String,
    pub(super) differs: bool,
}

/// Compares everything.
pub(super) async fn compare(source: &Server<Source>, target: &Server<Target>) -> Result<Comparison, PgError> {
    let head = ["OBJECT", "SOURCE", "TARGET", "CHECKSUM"];
    let mut rows = vec![head.iter().map(|title| paint(DIM, title)).collect::<Vec<_>>()];
    let mut differs = false;
    for (database, tables, sequences) in OBJECTS {
        let source = look(source, database, tables, sequences).await?;
        let target = look(target, database, tables, sequences).await?;
        for (here, there) in source.into_iter().zip(target) {
            let same = here == there;
            differs |= !same;
            let verdict = if same {
                paint(GOOD, "identical")
            } else {
                paint(ERROR, "different")
            };
            let checksum: String = here.checksum.chars().take(8).collect();
            let (name, here, there) = (format!("{database}.{}", here.name), here.shown, there.shown);
            rows.push(vec![name, here, there, format!("{checksum:8} {verdict}")]);
        }
    }
    use Align::{Left, Right};
    Ok(Comparison {
        text: lines(&[Left, Right, Right, Left], &rows),
        differs,
    })
}

/// What is compared of one object.
#[derive(PartialEq)]
struct Looked {
    name: &'static str,
    shown: String,
    checksum: String,
}

async fn look<S: SideMarker>(
    server: &Server<S>,
    database: &str,
    tables: &[&'static str],
    sequences: &[&'static str],
) -> Result<Vec<Looked>, PgError> {
    let session: Session<S, ReadOnly> = server.connect(database).await?;
    let mut looked = Vec::new();
    for name in tables {
        let sql = format!(
            "SELECT count(*), coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text) COLLATE \"C\")), '')
               FROM public.{name} AS t"
        );
        let row = session.doing("compare a table").query_one(&sql, &[]).await?;
        let rows: i64 = row.get(0);
        looked.push(Looked {
            name,
            shown: format!("{} rows", count(rows.unsigned_abs())),
            checksum: row.get(1),
        });
    }
    for name in sequences {
        let sql = format!("SELECT last_value FROM public.{name}");
        let last: i64 = session
            .doing("compare a sequence")
            .query_one(&sql, &[])
            .await?
            .get(0);
        looked.push(Looked {
            name,
            shown: format!("at {}", count(last.unsigned_abs())),
            checksum: String::new(),
        });
    }
    Ok(looked)
}
