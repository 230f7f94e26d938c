//! Rows, sequences and large objects, as counts and hashes that the server computes.

use super::{Description, Options};
use crate::cluster::Cluster;
use std::fmt::Write;

/// The same text for the same value on every version, and a value from no row hidden.
const SESSION: &str = "
begin isolation level repeatable read read only;
set local search_path = '';
set local row_security = off;
set local extra_float_digits = 3;
set local datestyle = 'ISO, YMD';
set local intervalstyle = 'postgres';
set local timezone = 'UTC';
set local bytea_output = 'hex';
set local xmloption = 'content';
set local lc_monetary = 'C';
";

pub(super) fn describe(cluster: &Cluster, database: &str, options: &Options) -> Description {
    let relations = cluster.rows(database, include_str!("relations.sql"));
    let mut subjects = Vec::new();
    let mut script = SESSION.to_owned();
    for relation in &relations {
        let [kind, name, row, populated] = relation.as_slice() else {
            panic!("four columns: {relation:?}")
        };
        let query = match kind.as_str() {
            "S" if options.sequences => {
                subjects.push(format!("state of sequence {name}"));
                format!("select 'last value ' || last_value || ', called ' || is_called from {name}")
            }
            "S" => continue,
            _ if populated == "f" => {
                subjects.push(format!("rows of {name}"));
                "select 'not populated'".to_owned()
            }
            _ => {
                subjects.push(format!("rows of {name}"));
                hash(&format!("{row}::text"), &format!("only {name} as r"))
            }
        };
        writeln!(script, "{query};").expect("writing to a String");
    }
    if options.large_objects {
        subjects.push("large objects".to_owned());
        let described = match options.privileges {
            true => include_str!("large_object.sql").to_owned(),
            false => include_str!("large_object.sql")
                .replace("pg_catalog.pg_get_userbyid(l.lomowner), l.lomacl,", ""),
        };
        writeln!(
            script,
            "{};",
            hash(&described, "pg_catalog.pg_largeobject_metadata as l")
        )
        .expect("writing to a String");
    }
    let results = cluster.psql(database, &script);
    let results: Vec<&str> = results.lines().collect();
    assert_eq!(results.len(), subjects.len(), "one result for each query");
    subjects
        .into_iter()
        .zip(results.into_iter().map(str::to_owned))
        .collect()
}

/// A query for the count and the sum of hashes of `text`, which are the same on every version. A sum doesn't depend on the order
/// of rows, needs no memory, and unlike a XOR it notices a row that is there twice. Each text is made once: to print and hash
/// rows is most of what a comparison costs.
fn hash(text: &str, from: &str) -> String {
    format!(
        "select count(*) || ' rows, hash ' || coalesce(sum(pg_catalog.hashtext(({text}) collate \"C\")), 0) from {from}"
    )
}
