//! Databases that are hard to move, for a reason each.

use crate::cluster::{Cluster, Settings};
use crate::pair::ClusterPair;
use crate::scratch;
use std::path::PathBuf;
use std::process::Command;

/// Names that break programs which paste names into commands, conninfos, patterns or 63 bytes.
pub const HOSTILE_DATABASES: &[&str] = &[
    "my-shop",
    "with space",
    "CamelCase",
    r#"quote"d"#,
    "it's",
    "🐘 émoji",
    "sixty-three bytes: this name may not grow by even one byte more",
    "dbname=postgres host=nowhere.invalid",
    r"100% \back$lash; --",
    "select",
];

/// The one of [`HOSTILE_DATABASES`] that [`hostile`] fills with objects of every kind.
pub const HOSTILE_FULL: &str = "my-shop";

/// A role whose name ends the statement of whoever does not quote it.
pub const HOSTILE_ROLE: &str = "Robert'); DROP TABLE students;--";

/// Makes the hostile cluster: all of [`HOSTILE_DATABASES`], every one with a table of three rows, one of them with
/// everything in it, and roles.
pub fn hostile(cluster: &Cluster) {
    for database in HOSTILE_DATABASES {
        cluster.create_database(database);
        cluster.psql(database, include_str!("../fixtures/three_rows.sql"));
    }
    hostile_contents(cluster, HOSTILE_FULL);
}

/// Fills one database with objects of every kind under hostile names, and creates the roles that own them.
pub fn hostile_contents(cluster: &Cluster, database: &str) {
    cluster.psql(database, include_str!("../fixtures/hostile_roles.sql"));
    cluster.psql(database, include_str!("../fixtures/hostile.sql"));
    cluster.psql(database, include_str!("../fixtures/hostile_rows.sql"));
    cluster.psql(database, include_str!("../fixtures/hostile_code.sql"));
}

/// A zoo: a database for each subject, with objects of every kind, and the SQL that fills it. What a version or a build of
/// PostgreSQL lacks is left out by the variables that [`zoo`] sets.
pub const ZOO: &[(&str, &str)] = &[
    ("code", include_str!("../fixtures/zoo/code.sql")),
    ("columns", include_str!("../fixtures/zoo/columns.sql")),
    ("constraints", include_str!("../fixtures/zoo/constraints.sql")),
    ("extensions", include_str!("../fixtures/zoo/extensions.sql")),
    ("indexes", include_str!("../fixtures/zoo/indexes.sql")),
    ("inheritance", include_str!("../fixtures/zoo/inheritance.sql")),
    ("names", include_str!("../fixtures/zoo/names.sql")),
    ("partitions", include_str!("../fixtures/zoo/partitions.sql")),
    ("rights", include_str!("../fixtures/zoo/rights.sql")),
    ("triggers", include_str!("../fixtures/zoo/triggers.sql")),
    ("types", include_str!("../fixtures/zoo/types.sql")),
    ("views", include_str!("../fixtures/zoo/views.sql")),
];

/// What not every build of PostgreSQL has: the variable, and a query that is true where it does.
const FEATURES: [(&str, &str); 4] = [
    (
        "labels",
        "select current_setting('shared_preload_libraries') ~ 'label_provider'",
    ),
    (
        "icu",
        "select current_setting('server_version_num')::integer >= 120000 and 'a' < 'b' collate \"und-x-icu\"",
    ),
    ("xml", "select '<a/>'::xml is not null"),
    (
        "crypto",
        "select count(*) = 2 from pg_available_extensions where name in ('pgcrypto', 'uuid-ossp')",
    ),
];

/// Makes the databases of [`ZOO`] in the source, with what both servers have, and the roles that own them.
pub fn zoo(pair: &ClusterPair) {
    let mut variables = String::new();
    for major in 11..=18 {
        let is_there = pair.source.major() >= major;
        variables.push_str(&format!("\\set v{major} {is_there}\n"));
    }
    for (variable, probe) in FEATURES {
        let has = |cluster: &Cluster| {
            cluster
                .try_psql("postgres", probe)
                .is_ok_and(|answer| answer.trim() == "t")
        };
        let both = has(&pair.source) && has(&pair.target);
        variables.push_str(&format!("\\set {variable} {both}\n"));
    }
    pair.source
        .psql("postgres", include_str!("../fixtures/zoo/roles.sql"));
    for (database, sql) in ZOO {
        pair.source.create_database(database);
        pair.source.psql(database, &format!("{variables}{sql}"));
    }
}

/// A library for a server of this version that provides security labels, of the provider `zoo`: PostgreSQL has none that
/// works everywhere. None without a C compiler.
pub fn label_provider(major: u32) -> Option<PathBuf> {
    let directory = scratch::directory("label_provider");
    let [source, library] = ["c", "so"].map(|ending| directory.join(format!("label_provider.{ending}")));
    std::fs::write(&source, include_str!("../fixtures/label_provider.c")).expect("write a source file");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", &format!("-DMAJOR={major}"), "-o"]);
    let output = compiler.arg(&library).arg(&source).output().ok()?;
    assert!(
        output.status.success(),
        "cc: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(library)
}

/// Row security that hides rows from the role `rowsec_reader`, password `rowsec`, which may read every table but
/// does not bypass it: a copy by that role is short of rows unless it says `row_security=off` and fails.
pub fn rowsec(cluster: &Cluster, database: &str) {
    cluster.psql(database, include_str!("../fixtures/rowsec.sql"));
}

/// A small web shop: six tables with keys and foreign keys, a view, an enum, sequences. Nothing about it is hard.
pub fn shop(cluster: &Cluster, database: &str) {
    cluster.psql(database, include_str!("../fixtures/shop.sql"));
}

/// Settings of a server of PostgreSQL 18 that can create a stand-in for the extension `aiven_extras`: from that
/// version on, extensions need not be among the server's own files. Elsewhere only a superuser creates it; a
/// server of Aiven lets everybody, for which a trusted one stands in.
pub fn with_aiven_extras(as_on_aiven: bool) -> Settings {
    let directory = scratch::directory("aiven_extras");
    let files = directory.join("extension");
    std::fs::create_dir(&files).expect("create the extension's directory");
    let contents = [
        (
            "aiven_extras.control",
            include_str!("../fixtures/aiven_extras/aiven_extras.control"),
        ),
        (
            "aiven_extras--1.1.18.sql",
            include_str!("../fixtures/aiven_extras/aiven_extras--1.1.18.sql"),
        ),
    ];
    for (name, content) in contents {
        let content = if as_on_aiven {
            content.replace("trusted = false", "trusted = true")
        } else {
            content.to_owned()
        };
        std::fs::write(files.join(name), content).expect("write the extension's files");
    }
    let path = format!("{}:$system", directory.display());
    Settings::new().major(18).set("extension_control_path", &path)
}
