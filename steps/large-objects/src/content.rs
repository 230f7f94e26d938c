//! Contents of large objects: hashes that the servers compute, and bytes from one server to the other.

use crate::description::LargeObject;
use futures_util::future::try_join;
use pghaul_copy::RateLimit;
use pghaul_step::postgres::{ReadOnly, Right, Row, Session, SideMarker, Source};
use pghaul_step::{Failure, OwnedTransaction};
use std::collections::BTreeMap;
use std::iter::Peekable;

/// How many bytes of a large object one call reads or writes.
const PIECE: i64 = 1 << 20;

/// How many bytes one statement moves: one such group is read while the one before is written.
const GROUP: i64 = 2 << 20;

/// How many pieces it moves at the most, where they are small.
const PIECES: usize = 1000;

/// The first version with `sha256()`.
const HAS_SHA256: u32 = 110_000;

/// The statement that computes the hashes, which both servers must know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hash(&'static str);

impl Hash {
    pub(crate) fn of_both(source_version: u32, target_version: u32) -> Self {
        if source_version.min(target_version) < HAS_SHA256 {
            Self(include_str!("hashes_10.sql"))
        } else {
            Self(include_str!("hashes.sql"))
        }
    }

    /// The hashes of these large objects with their sizes. Those of no bytes have none.
    pub(crate) async fn read<S: SideMarker, R: Right>(
        self,
        session: &Session<S, R>,
        objects: &[(u32, i64)],
    ) -> Result<BTreeMap<u32, String>, Failure> {
        let filled = objects.iter().copied().filter(|(_, size)| *size > 0);
        let (oids, sizes): (Vec<u32>, Vec<i64>) = filled.unzip();
        if oids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let doing = session.doing("compute hashes of large objects");
        let rows = doing.query(self.0, &[&oids, &sizes]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

/// A part of a large object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    oid: u32,
    start: i64,
    length: i64,
    /// Whether the object ends with it.
    last: bool,
}

/// Copies the bytes of large objects, which exist on the target and are empty there. What is zero over whole pieces
/// becomes a hole.
pub(crate) async fn copy(
    source: &Session<Source, ReadOnly>,
    target: &OwnedTransaction<'_>,
    objects: &[&LargeObject],
    limit: Option<&RateLimit>,
) -> Result<(), Failure> {
    let mut groups = Groups(pieces(objects).peekable());
    let mut read_before = read(source, groups.next(), limit).await?;
    while let Some(rows) = read_before {
        let (next, ()) = try_join(read(source, groups.next(), limit), write(target, &rows)).await?;
        read_before = next;
    }
    Ok(())
}

fn pieces<'o>(objects: &'o [&LargeObject]) -> impl Iterator<Item = Piece> + 'o {
    objects.iter().flat_map(|object| {
        let (oid, size) = (object.oid, object.size.unwrap_or(0));
        let count = (size + PIECE - 1) / PIECE;
        (0..count).map(move |number| Piece {
            oid,
            start: number * PIECE,
            length: PIECE.min(size - number * PIECE),
            last: number + 1 == count,
        })
    })
}

/// Pieces, as many as one statement moves.
struct Groups<I: Iterator<Item = Piece>>(Peekable<I>);

impl<I: Iterator<Item = Piece>> Iterator for Groups<I> {
    type Item = Vec<Piece>;

    fn next(&mut self) -> Option<Vec<Piece>> {
        let mut group = vec![self.0.next()?];
        let mut bytes: i64 = group.iter().map(|piece| piece.length).sum();
        while group.len() < PIECES
            && let Some(piece) = self.0.next_if(|piece| bytes + piece.length <= GROUP)
        {
            bytes += piece.length;
            group.push(piece);
        }
        Some(group)
    }
}

async fn read(
    source: &Session<Source, ReadOnly>,
    group: Option<Vec<Piece>>,
    limit: Option<&RateLimit>,
) -> Result<Option<Vec<Row>>, Failure> {
    let Some(group) = group else { return Ok(None) };
    if let Some(limit) = limit {
        let bytes: i64 = group.iter().map(|piece| piece.length).sum();
        limit.pass(bytes.unsigned_abs()).await;
    }
    let oids: Vec<u32> = group.iter().map(|piece| piece.oid).collect();
    let starts: Vec<i64> = group.iter().map(|piece| piece.start).collect();
    let last: Vec<bool> = group.iter().map(|piece| piece.last).collect();
    let sql = "SELECT p.oid, p.start, p.last, pg_catalog.lo_get(p.oid, p.start, 1048576) \
               FROM unnest($1::oid[], $2::bigint[], $3::boolean[]) AS p (oid, start, last)";
    let doing = source.doing("read large objects");
    Ok(Some(doing.query(sql, &[&oids, &starts, &last]).await?))
}

async fn write(target: &OwnedTransaction<'_>, rows: &[Row]) -> Result<(), Failure> {
    let (mut oids, mut starts, mut contents) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let (last, content): (bool, &[u8]) = (row.get(2), row.get(3));
        if last || content.iter().any(|byte| *byte != 0) {
            oids.push(row.get::<_, u32>(0));
            starts.push(row.get::<_, i64>(1));
            contents.push(content);
        }
    }
    if oids.is_empty() {
        return Ok(());
    }
    let sql = "SELECT pg_catalog.count(pg_catalog.lo_put(p.oid, p.start, p.content)) \
               FROM unnest($1::oid[], $2::bigint[], $3::bytea[]) AS p (oid, start, content)";
    let doing = target.doing("write large objects");
    doing.query_one(sql, &[&oids, &starts, &contents]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::Properties;

    fn object(oid: u32, size: i64) -> LargeObject {
        LargeObject {
            oid,
            size: Some(size),
            properties: Properties {
                owner: "o".to_owned(),
                has_default_rights: true,
                grants: Vec::new(),
                grantees: Vec::new(),
                comment: None,
                labels: Vec::new(),
            },
        }
    }

    #[test]
    fn pieces_cover_each_object_and_groups_stay_small() {
        let objects = [
            object(1, 0),
            object(2, 5),
            object(3, 3 * PIECE + 1),
            object(4, PIECE),
        ];
        let objects: Vec<&LargeObject> = objects.iter().collect();
        let groups: Vec<Vec<Piece>> = Groups(pieces(&objects).peekable()).collect();
        for group in &groups {
            assert!(group.iter().map(|piece| piece.length).sum::<i64>() <= GROUP);
        }
        let all: Vec<Piece> = groups.concat();
        for object in objects {
            let own = all.iter().filter(|piece| piece.oid == object.oid);
            assert_eq!(
                own.clone().map(|piece| piece.length).sum::<i64>(),
                object.size.unwrap()
            );
            let last = own.clone().filter(|piece| piece.last).count();
            assert_eq!(last, usize::from(object.size != Some(0)));
        }
        let small: Vec<LargeObject> = (1..=2500).map(|oid| object(oid, 10)).collect();
        let small: Vec<&LargeObject> = small.iter().collect();
        assert_eq!(Groups(pieces(&small).peekable()).count(), 3);
    }
}
