//! pghaul's quoting against the server's own.

use crate::cluster::{shared, superuser};
use pghaul_postgres::{Ident, ReadOnly, literal};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

const HOSTILE: &[&str] = &[
    "plain",
    "Upper",
    "with space",
    "quo\"te",
    "\"",
    "\"\"",
    "it's",
    "'",
    "''",
    "back\\slash",
    "\\",
    "\\'",
    "E'x'",
    "a;b--c",
    "/*",
    "$$",
    "$1",
    "_x",
    "9x",
    "x9",
    "x$",
    "ünïcode",
    "日本",
    "\n",
    "\t",
    " ",
    "\u{7f}",
    "\u{200b}",
    "select",
    "SELECT",
    "table",
    "user",
    "name",
    "between",
    "int",
    "character",
    "values",
    "left",
    "json_scalar",
    "%",
    "U&\"d\\0061t\"",
    "a.b",
];

#[tokio::test]
async fn names_and_literals_mean_what_the_server_says() {
    let Some(cluster) = shared() else { return };
    let session = superuser(&cluster).connect::<ReadOnly>("postgres").await.unwrap();
    let mut texts: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..300 {
        texts.push("[^\\x00]{1,20}".new_tree(&mut runner).unwrap().current());
    }
    let words = session
        .doing("ask")
        .query("SELECT word FROM pg_get_keywords()", &[])
        .await
        .unwrap();
    texts.extend(words.iter().map(|row| row.get::<_, String>(0)));
    let newest = session.server_version() >= 180_000;
    for text in &texts {
        let row = session
            .doing("quote")
            .query_one("SELECT quote_ident($1), quote_literal($1)", &[text])
            .await
            .unwrap();
        let (server_ident, server_literal): (String, String) = (row.get(0), row.get(1));
        let ident = Ident::new(text.clone()).unwrap();
        let short = ident.short();
        // An older server knows fewer key words.
        assert!(
            short == server_ident || (!newest && short == ident.to_string()),
            "{text:?}: {short} {server_ident}"
        );
        let literal = literal(text).unwrap();
        let row = session
            .doing("read back")
            .query_one(
                &format!("SELECT {literal} = $1, {literal} = {server_literal}"),
                &[text],
            )
            .await
            .unwrap();
        assert!(
            row.get::<_, bool>(0) && row.get::<_, bool>(1),
            "{text:?}: {literal}"
        );
        if text.len() <= 63 {
            for form in [ident.to_string(), short] {
                let sql = format!("SELECT x.{form} FROM (SELECT 1 AS {form}) AS x");
                let rows = session.doing("name a column").query(&sql, &[]).await.unwrap();
                assert_eq!(rows[0].columns()[0].name(), text, "{form}");
            }
        }
    }
}
