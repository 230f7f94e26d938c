//! What a table was like on the source when its rows were copied, and whether it was written to since.
//!
//! Counters of statistics and file nodes are cheap and say that nothing happened; that something did, they can't say for
//! certain: sessions report late what they have counted before the copy, and VACUUM FULL moves rows without a change. So
//! a table that looks changed is read: its rows are those of the copy when none is newer than the snapshot and none is
//! missing.

use crate::seen::Ids;
use crate::tables::{Table, lock};
use pghaul_core::{Failure, Mark};
use pghaul_postgres::{QualifiedName, ReadOnly, Session, Source};
use std::collections::BTreeMap;

/// More bytes are not read to find out whether tables were written to.
const MOST_BYTES: u64 = 16 << 30;

/// Transaction ids are compared in a circle; beyond half of it nothing can be told.
const HALF_CIRCLE: u64 = 1 << 31;

/// The first ordinary transaction id.
const FIRST_NORMAL: u64 = 3;

/// Keeps a transaction from reading views and foreign tables of users, where the server has the setting: since the minor
/// versions of August 2024.
const NO_VIEWS: &str = "SELECT pg_catalog.set_config(name, 'view, foreign-table', true) FROM pg_catalog.pg_settings \
                        WHERE name = 'restrict_nonsystem_relation_kind'";

/// A table whose rows were copied.
#[derive(Debug, Clone)]
pub struct CopiedRows {
    /// Its name.
    pub name: QualifiedName,
    /// How many rows were copied, where they were counted.
    pub rows: Option<u64>,
    /// Which rows, as a WHERE clause; empty for all.
    pub filter: String,
    /// What it was like then, where that was noted.
    pub mark: Option<Mark>,
}

/// How much may be read to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Counters alone.
    Counters,
    /// The rows of tables whose counters do not decide it.
    Rows,
}

/// Whether a table was written to since its rows were copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// Its rows are those that were copied.
    Unchanged,
    /// They are not; with what was found.
    Written(String),
    /// That can't be told; with the reason.
    Unknown(String),
}

/// The table as it is now.
struct Now {
    name: Option<QualifiedName>,
    file_node: u32,
    changes: i64,
    bytes: u64,
}

/// Compares tables with what they were like when they were copied, in their order. The session is used for transactions.
///
/// # Errors
/// When the source can't be asked.
pub async fn written_since(
    session: &Session<Source, ReadOnly>,
    tables: &[CopiedRows],
    depth: Depth,
) -> Result<Vec<Since>, Failure> {
    let oids: Vec<u32> = tables
        .iter()
        .filter_map(|t| t.mark.as_ref().map(|m| m.oid))
        .collect();
    let now = now(session, &oids).await?;
    let trusted = are_trusted(session, tables).await?;
    let mut read = 0;
    let mut found = Vec::with_capacity(tables.len());
    for table in tables {
        let Some(mark) = &table.mark else {
            let why = "the journal does not hold what it was like when it was copied";
            found.push(Since::Unknown(why.to_owned()));
            continue;
        };
        let since = match now.get(&mark.oid) {
            Some(now) if now.name.as_ref() == Some(&table.name) => {
                let same = now.file_node == mark.file_node && now.changes == mark.changes;
                read += if trusted && same { 0 } else { now.bytes };
                match depth {
                    _ if trusted && same && !mark.standby => Since::Unchanged,
                    Depth::Rows if read <= MOST_BYTES => rows_since(session, table, mark).await?,
                    Depth::Rows => Since::Unknown("its counters do not tell, and it is too large to read".to_owned()),
                    Depth::Counters if trusted => {
                        Since::Unknown("its counters have changed since its copy".to_owned())
                    }
                    Depth::Counters => Since::Unknown(
                        "its counters do not tell: they were reset, the server was restarted, or sessions are connected".to_owned(),
                    ),
                }
            }
            _ => Since::Written("the source no longer has this table under its name".to_owned()),
        };
        found.push(since);
    }
    Ok(found)
}

async fn now(session: &Session<Source, ReadOnly>, oids: &[u32]) -> Result<BTreeMap<u32, Now>, Failure> {
    let doing = session.doing("read the counters of the tables");
    let rows = doing.query(include_str!("mark_now.sql"), &[&oids]).await?;
    let mut found = BTreeMap::new();
    for row in rows {
        let name = QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("name"))?;
        let now = Now {
            name: row.get::<_, bool>("is_table").then_some(name),
            file_node: row.get::<_, Option<u32>>("file_node").unwrap_or(0),
            changes: row.get::<_, Option<i64>>("changes").unwrap_or(0),
            bytes: row.get::<_, Option<i64>>("bytes").unwrap_or(0).unsigned_abs(),
        };
        found.insert(row.get::<_, u32>("oid"), now);
    }
    Ok(found)
}

/// Whether counters that are the same mean that nothing was written.
async fn are_trusted(session: &Session<Source, ReadOnly>, tables: &[CopiedRows]) -> Result<bool, Failure> {
    // All are of one format and time zone.
    let marks = tables.iter().filter_map(|table| table.mark.as_ref());
    let Some(first) = marks.map(|mark| mark.at.as_str()).min() else {
        return Ok(false);
    };
    let doing = session.doing("see whether the counters can be trusted");
    let row = doing
        .query_one(include_str!("mark_trusted.sql"), &[&first])
        .await?;
    Ok(row.get::<_, Option<bool>>(0).unwrap_or(false))
}

/// Reads the rows of a table: whether one is newer than the snapshot, and how many there are.
async fn rows_since(
    session: &Session<Source, ReadOnly>,
    table: &CopiedRows,
    mark: &Mark,
) -> Result<Since, Failure> {
    let Some(visible) = Visible::parse(&mark.snapshot, mark.standby) else {
        return Ok(Since::Unknown(
            "its snapshot in the journal makes no sense".to_owned(),
        ));
    };
    session.begin_snapshot().await?;
    let outcome = read_rows(session, table, mark, &visible).await;
    if !session.is_closed() {
        session.end_snapshot().await?;
    }
    outcome
}

async fn read_rows(
    session: &Session<Source, ReadOnly>,
    table: &CopiedRows,
    mark: &Mark,
    visible: &Visible,
) -> Result<Since, Failure> {
    let doing = session.doing("read whether a table was written to since its copy");
    doing.query("SET LOCAL lock_timeout = '5s'", &[]).await?;
    let locked = Table {
        oid: mark.oid,
        name: table.name.clone(),
        columns: Vec::new(),
        bytes: 0,
        blocks: 0,
        file_node: mark.file_node,
        changes: mark.changes,
    };
    // The name may lead elsewhere by now: only what the lock holds is read.
    if let Err(failure) = lock(session, &[&locked]).await {
        return if session.is_closed() {
            Err(failure)
        } else {
            Ok(Since::Unknown(format!(
                "it can't be read now: {}",
                failure.message
            )))
        };
    }
    doing.query(NO_VIEWS, &[]).await?;
    let sql = "SELECT relkind = 'r' AND oid = pg_catalog.to_regclass($2::text)::oid FROM pg_catalog.pg_class WHERE oid = $1";
    let name = table.name.to_string();
    let row = doing.query_opt(sql, &[&mark.oid, &name]).await?;
    if row.is_none_or(|row| row.get::<_, Option<bool>>(0) != Some(true)) {
        return Ok(Since::Written(
            "the source no longer has this table under its name".to_owned(),
        ));
    }
    let sql = format!(
        "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE pg_catalog.age(t.xmin) <= \
         pg_catalog.age($1::text::xid) OR t.xmin::text = ANY ($2::text[])), \
         (SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())) FROM ONLY {name} AS t {}",
        table.filter
    );
    let row = match doing
        .query_one(&sql, &[&visible.xmax_text(), &visible.in_progress])
        .await
    {
        Ok(row) => row,
        Err(error) if session.is_closed() => return Err(error.into()),
        Err(error) => return Ok(Since::Unknown(format!("it can't be read: {}", error.message()))),
    };
    let (rows, newer, next): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    Ok(visible.judge(
        rows.unsigned_abs(),
        newer.unsigned_abs(),
        table.rows,
        next.unsigned_abs(),
    ))
}

/// What a snapshot sees: all transactions before an id but those that were in progress.
struct Visible {
    xmax: u64,
    /// The ids modulo 2^32, as rows hold them.
    in_progress: Vec<String>,
}

impl Visible {
    fn parse(text: &str, standby: bool) -> Option<Self> {
        let ids = Ids::parse(text)?;
        let in_progress = ids.in_progress.iter().map(|id| (id & 0xFFFF_FFFF).to_string());
        Some(Self {
            xmax: if standby { ids.xmin } else { ids.xmax },
            in_progress: in_progress.collect(),
        })
    }

    fn xmax_text(&self) -> String {
        (self.xmax & 0xFFFF_FFFF).max(FIRST_NORMAL).to_string()
    }

    /// `next` is the next transaction id now.
    fn judge(&self, rows: u64, newer: u64, copied: Option<u64>, next: u64) -> Since {
        if next.saturating_sub(self.xmax) >= HALF_CIRCLE {
            return Since::Unknown("its copy is too long ago for transaction ids to tell".to_owned());
        }
        match copied {
            // Rows that were frozen more than half a circle ago look like new ones.
            _ if newer > 0 && self.xmax >= HALF_CIRCLE => {
                Since::Unknown(format!("{newer} of its rows look newer than its copy"))
            }
            _ if newer > 0 => Since::Written(format!("{newer} of its {rows} rows are newer than its copy")),
            Some(copied) if copied != rows => {
                Since::Written(format!("it has {rows} rows now, and {copied} were copied"))
            }
            Some(_) => Since::Unchanged,
            None => Since::Unknown("how many rows were copied was not noted".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Since, Visible};

    #[test]
    fn a_snapshot_is_read_as_the_server_writes_it() {
        let visible = Visible::parse("4294967300:4294967310:4294967300,4294967305", false).unwrap();
        assert_eq!(visible.xmax_text(), "14");
        assert_eq!(visible.in_progress, ["4", "9"]);
        assert!(Visible::parse("10:10:", false).unwrap().in_progress.is_empty());
        assert_eq!(Visible::parse("10:20:", true).unwrap().xmax_text(), "10");
        assert!(Visible::parse("x", false).is_none());
    }

    #[test]
    fn only_certain_answers_are_given() {
        let visible = Visible::parse("100:110:105", false).unwrap();
        let judge = |rows, newer, copied| visible.judge(rows, newer, copied, 200);
        assert_eq!(judge(5, 0, Some(5)), Since::Unchanged);
        assert!(matches!(judge(5, 1, Some(5)), Since::Written(_)));
        assert!(matches!(judge(4, 0, Some(5)), Since::Written(_)));
        assert!(matches!(judge(5, 0, None), Since::Unknown(_)));
        assert!(matches!(visible.judge(5, 0, Some(5), 1 << 32), Since::Unknown(_)));
        let wrapped = Visible::parse("3000000000:3000000000:", false).unwrap();
        assert!(matches!(
            wrapped.judge(5, 1, Some(5), 3_000_000_001),
            Since::Unknown(_)
        ));
    }
}
