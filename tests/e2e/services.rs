//! Roles that stand in for the administrators of hosted services, which are no superusers: each as source and as target.
//!
//! What a service has changed in PostgreSQL itself is not here; `docs/how-to/move-without-a-superuser.md` says what that leaves open.

use crate::migration::Migration;
use pghaul_testkit::{ClusterPair, Settings, postgres, wait_until};
use std::time::Duration;

/// An administrator as a service creates it.
struct Service {
    name: &'static str,
    administrator: &'static str,
    /// The statements of the service's own superuser, which nobody else uses.
    setup: &'static str,
    /// The method of a database that this role moves to its like.
    method: &'static str,
}

const SERVICES: [Service; 6] = [
    Service {
        name: "rds",
        administrator: "rds_admin",
        setup: "create role rds_superuser; create role rds_replication; create role rds_password;
                grant pg_monitor, pg_signal_backend, pg_checkpoint, pg_create_subscription, rds_replication, rds_password to rds_superuser with admin option;
                create role rds_admin login createdb createrole replication password 'm' in role rds_superuser",
        method: "replication",
    },
    Service {
        name: "azure",
        administrator: "azure_admin",
        setup: "create role azuresu; create role azure_pg_admin;
                grant pg_monitor, pg_signal_backend, pg_create_subscription to azure_pg_admin with admin option;
                create role azure_admin login createdb createrole password 'm' in role azure_pg_admin;
                alter role azure_admin replication",
        method: "replication",
    },
    Service {
        name: "cloudsql",
        administrator: "cloudsql_postgres",
        setup: "create role cloudsqladmin; create role cloudsqlsuperuser createdb createrole;
                grant pg_monitor, pg_signal_backend, pg_create_subscription to cloudsqlsuperuser with admin option;
                create role cloudsql_postgres login createdb createrole password 'm' in role cloudsqlsuperuser;
                alter role cloudsql_postgres replication",
        method: "replication",
    },
    // Subscribes by aiven_extras only; the tests of that are elsewhere.
    Service {
        name: "aiven",
        administrator: "avnadmin",
        setup: "create role avnadmin login createdb createrole replication bypassrls password 'm';
                grant pg_monitor, pg_read_all_stats, pg_stat_scan_tables, pg_signal_backend to avnadmin with admin option",
        method: "pg_dump",
    },
    Service {
        name: "supabase",
        administrator: "supabase_postgres",
        setup: "create role supabase_admin; create role anon; create role authenticated; create role service_role bypassrls;
                create role supabase_postgres login createdb createrole replication bypassrls password 'm';
                grant pg_read_all_data, pg_monitor, pg_signal_backend to supabase_postgres with admin option;
                grant anon, authenticated, service_role to supabase_postgres with admin option",
        method: "pg_dump",
    },
    Service {
        name: "neon",
        administrator: "neondb_owner",
        setup: "create role cloud_admin; create role neon_superuser createdb createrole replication bypassrls;
                grant pg_read_all_data, pg_write_all_data, pg_monitor, pg_signal_backend, pg_create_subscription to neon_superuser with admin option;
                create role neondb_owner login createdb createrole replication bypassrls password 'm' in role neon_superuser",
        method: "replication",
    },
];

/// What an administrator who is no superuser creates in a database of its own.
const APPLICATION: &str = "
    create schema shop; create table shop.orders (id integer primary key, what text);
    insert into shop.orders select n, 'row' from generate_series(1, 1000) n;
    create table shop.carts (id serial primary key, item integer references shop.orders);
    insert into shop.carts (item) select id from shop.orders where id <= 100;
    grant usage, create on schema shop to {app}; grant select, insert on shop.orders to {app};
    alter default privileges in schema shop grant select on tables to {app};
    create view shop.v as select count(*) from shop.orders;
    create function shop.f() returns integer language sql security definer as 'select 1';
    alter table shop.carts enable row level security;
    create policy own on shop.carts for all to {app} using (item < 50);
    create table shop.theirs (id integer primary key); insert into shop.theirs values (1);
    alter table shop.theirs owner to {app}";

/// Owners, privileges and policies.
const RIGHTS: &str = "select string_agg(what, e'\\n' order by what) from (
    select relname || ' ' || relowner::regrole || ' ' ||
           replace(coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::\"char\", relowner))::text, 'arwdDxtm', 'arwdDxt')
      from pg_class where relkind in ('r', 'v', 'S') and relnamespace = 'shop'::regnamespace
    union all select proname || ' ' || proowner::regrole from pg_proc where pronamespace = 'shop'::regnamespace
    union all select polname || ' ' || polroles::regrole[]::text from pg_policy
    union all select nspname || ' ' || nspowner::regrole || nspacl::text from pg_namespace where nspname = 'shop'
    union all select 'default ' || defaclrole::regrole || defaclacl::text from pg_default_acl
    union all select 'database ' || datdba::regrole from pg_database where datname = current_database()) w (what)";

#[test]
fn administrators_of_hosted_services_move_their_databases() {
    let pair = ClusterPair::start(Settings::new().major(16), Settings::new().major(17));
    let encryption = "alter system set password_encryption = 'scram-sha-256'";
    let pg_dump = postgres::client_from("pg_dump", 18);
    for cluster in [&pair.source, &pair.target] {
        cluster.psql("postgres", encryption);
        cluster.psql("postgres", "select pg_reload_conf()");
        for service in SERVICES {
            cluster.psql("postgres", service.setup);
        }
    }
    for service in SERVICES {
        let Service {
            name, administrator, ..
        } = service;
        let as_administrator = |database: &str, sql: &str| {
            let done = pair.source.try_psql_as(administrator, "m", database, sql);
            done.unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let app = format!("{name}_app");
        as_administrator("postgres", &format!("create role {app} login"));
        as_administrator("postgres", &format!("grant {app} to {administrator}"));
        as_administrator("postgres", &format!("create database {name}"));
        as_administrator(name, &APPLICATION.replace("{app}", &app));
        let [source, target] =
            [&pair.source, &pair.target].map(|cluster| cluster.conninfo_as(administrator, "m", "postgres"));
        let migration = Migration::between(&source, &target)
            .options(["--database", name, "--target-free-space", "1TB"])
            .env("PGHAUL_PG_DUMP", pg_dump.to_str().expect("a path in UTF-8"));
        if service.method == "pg_dump" {
            let plan = migration.with_options("plan").args(["--json"]).run().succeeded();
            let why = format!("role {administrator} may not create subscriptions on the target");
            assert!(plan.stdout.contains(&why), "{why}: {plan}");
        }
        let run = migration.with_options("run").run().succeeded();
        let status = migration.status_of(name);
        assert_eq!(status["method"], service.method, "{name}: {status:#}\n{run}");
        assert_eq!(
            status["incomplete"].as_array().map_or(0, |all| {
                all.iter()
                    .filter(|one| {
                        one["object"]
                            .as_str()
                            .is_some_and(|object| object.contains("owner"))
                    })
                    .count()
            }),
            0,
            "{name}: {status:#}"
        );
        if service.method == "replication" {
            as_administrator(
                name,
                "update shop.orders set what = 'changed' where id < 10; insert into shop.theirs values (2)",
            );
            let arrived = "select (select count(*) from shop.orders where what = 'changed') + (select count(*) from shop.theirs)";
            wait_until("changes arrive", Duration::from_secs(60), || {
                pair.target.psql(name, arrived) == "11"
            });
        }
        migration.remove().succeeded();
        assert_eq!(
            pair.target.psql(name, RIGHTS),
            pair.source.psql(name, RIGHTS),
            "{name}"
        );
        assert_eq!(
            pair.target.psql(name, "select count(*) from shop.carts"),
            "100",
            "{name}"
        );
    }
}
