//! Other names, owners and rights on the target. What is right, the source itself shows: its roles and databases are renamed
//! there by PostgreSQL afterwards, and then both sides are the same.

use crate::migration::{Migration, assert_nothing_is_left};
use pghaul_testkit::{ClusterPair, Settings, compare, postgres, wait_until};
use std::time::Duration;

/// A schema, a table, a column, a server and a text that are called like the role `app`.
const NAMED_LIKE_THE_ROLE: &str = r#"
    create schema app authorization app;
    create table app.app (id serial primary key, app text default 'app', who name default current_user);
    alter table app.app owner to app;
    alter table app.app enable row level security;
    create policy app on app.app for select to app using (app = 'app' or who = 'app');
    create policy "to app" on app.app to "Re ader" using (true);
    create function app.app(app text, out "to" text) language sql security definer set role to 'app' as $$ select 'to app'::text $$;
    alter function app.app(text) owner to app;
    revoke all on function app.app(text) from public;
    grant execute on function app.app(text) to app, "Re ader";
    create view app.v as select 'app' as app, app.app(app) as called from app.app;
    grant usage on schema app to "Re ader" with grant option;
    set role "Re ader"; grant usage on schema app to other; reset role;
    grant select (app), update (app, id) on app.app to "Re ader";
    alter default privileges for role app in schema app grant select on tables to "Re ader";
    alter default privileges for role app revoke execute on functions from public;
    create foreign data wrapper app; create server app foreign data wrapper app;
    create user mapping for app server app options ("user" 'app');
    alter role app in database "a""pp" set search_path to 'app', 'public';
    alter role app in database "a""pp" set role to 'other';
    alter database "a""pp" set work_mem to '5MB';
    comment on database "a""pp" is 'database "a""pp" of app';
    grant connect, temporary on database "a""pp" to app;
    create function app.e() returns event_trigger language plpgsql as 'begin end';
    create event trigger app on ddl_command_end when tag in ('create cast') execute function app.e();
    alter event trigger app owner to boss;
    select lo_from_bytea(77, 'app'); alter large object 77 owner to app; grant select on large object 77 to "Re ader";
    insert into app.app (app) select 'app' from generate_series(1, 100)"#;

const ROLES: &str = r#"create role app login password 'x'; create role "Re ader"; create role other; create role boss superuser;
    grant other to app with admin option; grant app to "Re ader";
    alter role app set role to other; comment on role app is 'app'"#;

/// A migration by the newest pg_dump.
fn between(source: &str, target: &str) -> Migration {
    let pg_dump = postgres::client_from("pg_dump", 18);
    Migration::between(source, target).env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"))
}

fn statements(pair: &ClusterPair, text: &str) {
    for statement in text.split(';') {
        pair.source.psql("postgres", statement);
    }
}

#[test]
fn everything_of_a_role_and_of_a_database_has_its_new_name() {
    let pair = ClusterPair::start(Settings::new().major(16), Settings::new().major(16));
    statements(&pair, ROLES);
    pair.source
        .psql("postgres", r#"create database "a""pp" owner app"#);
    pair.source.psql(r#"a"pp"#, NAMED_LIKE_THE_ROLE);
    pair.target.psql("postgres", "create role \"New boss\" superuser");
    let migration = between(
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    )
    .options(["--database", r#"a"pp"#]);
    let options = [
        "--map-role",
        "app=new app",
        "--map-role",
        "Re ader=to",
        "--map-role",
        "boss=New boss",
        "--rename-database",
        r#""a""pp"=new shop"#,
        "--method",
        "replication",
    ];
    let plan = migration.with_options("plan").args(options).run().succeeded();
    for shown in [
        r#"a"pp → new shop"#,
        r#"app → "new app", created as a copy of app"#,
        r#"boss → "New boss""#,
    ] {
        assert!(plan.stdout.contains(shown), "{shown}: {plan}");
    }
    let running = migration.with_options("run").args(options).spawn();
    wait_until("the database is there", Duration::from_secs(60), || {
        let there = "select count(*) from pg_database where datname = 'new shop'";
        pair.target.psql("postgres", there) == "1"
    });
    running.kill9();
    let refused = migration
        .with_options("run")
        .args(["--map-role", "app=another"])
        .run()
        .failed_with(2);
    assert!(refused.stderr.contains("--map-role differs"), "{refused}");
    migration.run().succeeded();
    pair.source.psql(
        r#"a"pp"#,
        "insert into app.app (app) select 'later' from generate_series(1, 50)",
    );
    wait_until("later rows arrive", Duration::from_secs(60), || {
        let later = "select count(*) from app.app where app = 'later'";
        pair.target.psql("new shop", later) == "50"
    });
    // What is done on both sides, by its own names, is no drift.
    for (cluster, database, reader, app) in [
        (&pair.source, r#"a"pp"#, r#""Re ader""#, "app"),
        (&pair.target, "new shop", r#""to""#, r#""new app""#),
    ] {
        let sql = format!("grant delete on app.app to {reader}; alter policy \"to app\" on app.app to {app}");
        cluster.psql(database, &sql);
    }
    pair.source
        .psql(r#"a"pp"#, "grant select on app.v to app, \"Re ader\"");
    let status = migration.status_of(r#"a"pp"#);
    let objects: Vec<&str> = status["incomplete"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["object"].as_str())
        .collect();
    assert_eq!(
        objects,
        ["large objects", "event trigger app", "view app.v"],
        "{status:#}"
    );
    pair.target
        .psql("new shop", r#"grant select on app.v to "new app", "to""#);
    assert_eq!(status["status"], "syncing", "{status:#}");
    assert_eq!(status["target_dbname"], "new shop", "{status:#}");
    migration.command(&["doctor"]).run().succeeded();
    migration
        .command(&["remove", "--accept-incomplete", "event trigger app"])
        .run()
        .succeeded();
    pair.target.psql("new shop", "alter event trigger app enable");
    assert_nothing_is_left(&pair.source, &pair.target);

    let renamed = r#"alter role app rename to "new app"; alter role "Re ader" rename to "to"; alter role boss rename to "New boss";
                     alter database "a""pp" rename to "new shop""#;
    statements(&pair, renamed);
    // PostgreSQL renames no role in settings.
    pair.source
        .psql("new shop", "alter function app.app(text) set role to 'new app'");
    compare::same(&pair.source, &pair.target, "new shop");
    let roles = compare::roles(&pair.source, &pair.target);
    assert!(roles.is_empty(), "{roles:#?}");
}

/// The source's superuser owns everything; on the target there is none, and the database of hosted services is `postgres`.
#[test]
fn a_superuser_s_database_moves_to_an_administrator_s() {
    let pair = ClusterPair::start(Settings::new().major(13), Settings::new().major(16));
    let mover = "create role owner_a; set password_encryption = 'scram-sha-256'; create role mover superuser login password 'm'";
    pair.source.psql("postgres", mover);
    pair.source.psql(
        "postgres",
        "create table t (id integer primary key, what text); create table u (id integer primary key references t);
         alter table u owner to owner_a; grant select on t to owner_a; grant all on u to postgres;
         alter database postgres set work_mem = '5MB'; comment on database postgres is 'ours';
         insert into t select n, 'row' from generate_series(1, 1000) n; insert into u select id from t",
    );
    let admin =
        "create role admin login createdb createrole password 'm'; grant pg_create_subscription to admin";
    pair.target.psql("postgres", admin);
    let [source, target] = [(&pair.source, "mover"), (&pair.target, "admin")]
        .map(|(cluster, role)| cluster.conninfo_as(role, "m", "postgres"));
    let migration =
        between(&source, &target).options(["--database", "postgres", "--target-free-space", "1TB"]);
    let options = [
        "--map-role",
        "postgres=admin",
        "--rename-database",
        "postgres=app",
        "--method",
        "replication",
    ];
    let refused = migration.with_options("check").run().failed_with(3);
    assert!(
        refused.stdout.contains("(owners)") || refused.stdout.contains("owners"),
        "{refused}"
    );
    migration.with_options("run").args(options).run().succeeded();
    pair.source
        .psql("postgres", "update t set what = 'changed' where id < 10");
    wait_until("changes arrive", Duration::from_secs(60), || {
        let changed = "select count(*) from t where what = 'changed'";
        pair.target.psql("app", changed) == "9"
    });
    migration.remove().succeeded();
    let owners = "select string_agg(relname || ' ' || relowner::regrole || coalesce(' ' || relacl::text, ''), ', ' order by relname)
                    from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace";
    assert_eq!(
        pair.target.psql("app", owners),
        "t admin {admin=arwdDxt/admin,owner_a=r/admin}, u owner_a {owner_a=arwdDxt/owner_a,admin=arwdDxt/owner_a}"
    );
    let database = "select datdba::regrole || ' ' || shobj_description(oid, 'pg_database') || ' ' || current_setting('work_mem')
                      from pg_database where datname = 'app'";
    assert_eq!(pair.target.psql("app", database), "admin ours 5MB");
    let roles = "select count(*) from pg_roles where rolname = 'owner_a'";
    assert_eq!(pair.target.psql("postgres", roles), "1");
    assert_nothing_is_left(&pair.source, &pair.target);
}

#[test]
fn two_roles_become_one() {
    let pair = ClusterPair::start(Settings::new().major(17), Settings::new().major(17));
    statements(
        &pair,
        "create role a; create role b; create role c; grant a to b; grant b to c; create database shop owner a",
    );
    pair.source.psql(
        "shop",
        "create table t (id integer primary key); alter table t owner to a;
         grant select on t to b with grant option; set role b; grant select on t to c; reset role;
         alter default privileges for role a grant select on tables to b; create policy p on t to a, b using (true);
         select lo_create(7); alter large object 7 owner to a; grant select on large object 7 to b, c",
    );
    pair.target.psql("postgres", "create role x");
    let migration = between(
        &pair.source.conninfo("postgres"),
        &pair.target.conninfo("postgres"),
    )
    .options(["--database", "shop"])
    .options(["--method", "dump", "--map-role", "a=x", "--map-role", "b=x"])
    .options(["--rename-database", "shop=store"]);
    migration.run().succeeded();
    let rights = "select relowner::regrole || ' ' || relacl::text from pg_class where relname = 't'";
    assert_eq!(pair.target.psql("store", rights), "x {x=arwdDxtm/x,c=r/x}");
    let of_object = "select lomowner::regrole || ' ' || lomacl::text from pg_largeobject_metadata";
    assert_eq!(pair.target.psql("store", of_object), "x {x=rw/x,c=r/x}");
    let defaults = "select count(*) from pg_default_acl";
    assert_eq!(pair.target.psql("store", defaults), "0");
    let members = "select string_agg(roleid::regrole || ' to ' || member::regrole, ', ' order by 1) from pg_auth_members where roleid > 16000";
    assert_eq!(pair.target.psql("postgres", members), "x to c");

    // Copied again, it is found under its new name.
    pair.source.psql("shop", "insert into t values (1)");
    let again = migration
        .command(&["run", "--restart-data", "shop"])
        .run()
        .succeeded();
    assert!(again.stdout.contains("shop → store"), "{again}");
    assert_eq!(pair.target.psql("store", "select count(*) from t"), "1");
    migration.remove().succeeded();
    assert_nothing_is_left(&pair.source, &pair.target);
}

#[test]
fn without_owners_and_privileges() {
    for superuser in [true, false] {
        let pair = ClusterPair::start(Settings::new().major(15), Settings::new().major(17));
        statements(&pair, ROLES);
        pair.source
            .psql("postgres", r#"create database "a""pp" owner app"#);
        let schema = match superuser {
            true => NAMED_LIKE_THE_ROLE.to_owned(),
            // What a superuser alone may create.
            false => NAMED_LIKE_THE_ROLE
                .lines()
                .filter(|line| {
                    !line.contains("event")
                        && !line.contains("user mapping")
                        && !line.contains("data wrapper")
                })
                .collect(),
        };
        pair.source.psql(r#"a"pp"#, &schema);
        let role = if superuser {
            "superuser"
        } else {
            "createdb createrole"
        };
        pair.target.psql(
            "postgres",
            &format!("create role mover login password 'm' {role}"),
        );
        let migration = between(
            &pair.source.conninfo("postgres"),
            &pair.target.conninfo_as("mover", "m", "postgres"),
        )
        .options([
            "--database",
            r#"a"pp"#,
            "--method",
            "dump",
            "--target-free-space",
            "1TB",
        ]);
        let options = ["--no-owner", "--no-privileges"];
        let check = migration.with_options("check").args(options).run();
        assert!(
            check.stdout.contains("everything will belong to role mover"),
            "{check}"
        );
        migration.with_options("run").args(options).run().succeeded();
        let of_others = "select string_agg(o, ', ') from (
              select relname || relowner::regrole || coalesce(relacl::text, '') from pg_class
               where relnamespace = 'app'::regnamespace and (relowner <> 'mover'::regrole or relacl is not null)
              union all select proname::text from pg_proc
               where pronamespace = 'app'::regnamespace and (proowner <> 'mover'::regrole or proacl is not null)
              union all select nspname::text from pg_namespace
               where nspname = 'app' and (nspowner <> 'mover'::regrole or nspacl is not null)
              union all select oid::text from pg_largeobject_metadata where lomowner <> 'mover'::regrole or lomacl is not null
              union all select datname::text from pg_database
               where datname = current_database() and (datdba <> 'mover'::regrole or datacl is not null)
              union all select defaclacl::text from pg_default_acl) x (o)";
        assert_eq!(
            pair.target.psql(r#"a"pp"#, of_others),
            "",
            "superuser: {superuser}"
        );
        let found = compare::databases(
            (&pair.source, r#"a"pp"#),
            (&pair.target, r#"a"pp"#),
            &compare::Options {
                privileges: false,
                ..compare::Options::default()
            },
        );
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn options_that_do_not_fit_are_refused_before_anything_is_made() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    statements(
        &pair,
        "create database one; create database two; create role a; create role b",
    );
    for (options, code, message) in [
        (
            ["--rename-database", "one=two"],
            2,
            "two databases of the source would be database two",
        ),
        (
            ["--rename-database", "three=four"],
            2,
            "names database three, which is not moved",
        ),
        (["--rename-database", "one=template1"], 2, "the name is reserved"),
        (
            ["--map-role", "nobody=a"],
            3,
            "names roles that the source does not have (1): nobody",
        ),
        (
            ["--map-role", "*=admin"],
            3,
            "mapped to a role that the target does not have (1): admin",
        ),
    ] {
        let migration = between(
            &pair.source.conninfo("postgres"),
            &pair.target.conninfo("postgres"),
        );
        let refused = migration
            .with_options("run")
            .args(options)
            .run()
            .failed_with(code);
        assert!(refused.stderr.contains(message), "{message}: {refused}");
        migration
            .with_options("plan")
            .args(options)
            .run()
            .failed_with(code);
    }
    let databases = "select count(*) from pg_database";
    assert_eq!(pair.target.psql("postgres", databases), "3");
}
