//! A cluster of a provider: what belongs to it stays there, and nothing that users need.

use crate::migration::Migration;
use pghaul_testkit::{Cluster, ClusterPair, Settings};
use serde_json::Value;

const ROLES: &str = "
    create role supabase_admin superuser login; create role authenticator login noinherit;
    create role supabase_auth_admin login createrole; create role anon; create role authenticated; create role service_role bypassrls;
    grant anon, authenticated, service_role to authenticator;";

const DATABASE: &str = "
    create schema auth authorization supabase_auth_admin; create schema extensions; create schema storage;
    create schema realtime; create schema vault;
    create table auth.users (id int primary key, email text);
    create table auth.sessions (id int primary key, user_id int references auth.users);
    create table storage.objects (id int primary key, owner int references auth.users);
    create table realtime.messages (id int primary key);
    create function auth.uid() returns int language sql stable as 'select 1';
    create function auth.role() returns text language sql stable as 'select current_user::text';
    create function extensions.grant_pg_graphql_access() returns event_trigger language plpgsql as 'begin end';
    create event trigger issue_pg_graphql_access on ddl_command_end execute procedure extensions.grant_pg_graphql_access();
    create event trigger pgrst_ddl_watch on ddl_command_end execute procedure extensions.grant_pg_graphql_access();
    create event trigger own on ddl_command_end execute procedure extensions.grant_pg_graphql_access();
    create table public.profiles (id int primary key references auth.users, name text);
    alter table public.profiles enable row level security;
    create policy own on public.profiles to authenticated using (id = auth.uid());
    grant select on public.profiles to anon, authenticated, service_role;
    create function public.greet() returns trigger language plpgsql as 'begin return new; end';
    create trigger on_auth_user_created after insert on auth.users for each row execute procedure public.greet();
    create publication supabase_realtime for table public.profiles;
    insert into auth.users values (1, 'ada@example.com'); insert into auth.sessions values (1, 1);
    insert into public.profiles values (1, 'Ada');";

fn all(cluster: &Cluster, database: &str, query: &str) -> String {
    let rows = cluster.rows(database, query);
    rows.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_belongs_to_supabase_stays_but_for_what_users_need() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.psql("postgres", ROLES);
    let database = pair.fresh_database("supabase");
    pair.source.psql(&database, DATABASE);
    let migration = Migration::of(&pair.source, &pair.target, &database);

    let plan = migration.with_options("plan").run().succeeded();
    for text in [
        "the source comes from Supabase",
        "schema storage is left out: belongs to Supabase",
        "event trigger pgrst_ddl_watch is left out: belongs to Supabase",
        "publication supabase_realtime is left out: belongs to Supabase",
        "table auth.users comes along: table constraint profiles_id_fkey on public.profiles needs it",
        "these tables belong to Supabase and come along",
    ] {
        let words = plan.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(text), "{text}\n{plan}");
    }
    let none = migration
        .with_options("plan")
        .args(["--provider", "none", "--json"])
        .run()
        .succeeded();
    let none: Value = serde_json::from_str(&none.stdout).unwrap();
    assert_eq!(none["plan"]["databases"][0]["left_out"], Value::Null);

    migration.run().succeeded();
    let tables = "select oid::regclass::text from pg_class where relkind = 'r' and oid >= 16384
                   and relnamespace::regnamespace::text <> 'pghaul' order by 1";
    assert_eq!(all(&pair.target, &database, tables), "auth.users profiles");
    assert_eq!(
        all(&pair.target, &database, "select email from auth.users"),
        "ada@example.com"
    );
    assert_eq!(
        all(&pair.target, &database, "select polname from pg_policy"),
        "own"
    );
    let event_triggers = "select evtname from pg_event_trigger order by 1";
    let publications = "select pubname from pg_publication where pubname !~ '^pghaul_'";
    assert_eq!(all(&pair.target, &database, publications), "");
    let powers = "select rolname from pg_roles where rolsuper and rolname ~ '^supabase' or rolbypassrls and rolname = 'service_role'";
    assert_eq!(all(&pair.target, &database, powers), "service_role");

    // Changes of what is the provider's are nobody's drift; users' rows follow.
    pair.source.psql(
        &database,
        "alter table auth.sessions add column more int; create table storage.more (id int primary key);
         insert into auth.users values (2, 'bob@example.com'); insert into public.profiles values (2, 'Bob')",
    );
    migration.run().succeeded();
    let refused = migration
        .command(&["run", "--provider", "none"])
        .run()
        .failed_with(2);
    assert!(refused.stderr.contains("--provider differs"), "{refused}");
    migration.command(&["remove", "--incomplete"]).run().succeeded();
    assert_eq!(all(&pair.target, &database, event_triggers), "own");
    assert_eq!(
        all(
            &pair.target,
            &database,
            "select count(*) from profiles join auth.users using (id)"
        ),
        "2"
    );
    let trigger = "select tgname from pg_trigger where not tgisinternal";
    assert_eq!(all(&pair.target, &database, trigger), "on_auth_user_created");
}

#[test]
fn an_excluded_role_must_be_needed_by_nothing() {
    let pair = ClusterPair::start(Settings::new(), Settings::new());
    pair.source.psql(
        "postgres",
        "create role legacy; create role unused; create role app",
    );
    let database = pair.fresh_database("roles");
    pair.source.psql(
        &database,
        "create table t (id int primary key); grant select on t to legacy; create schema old authorization legacy;
         alter table t owner to app",
    );
    let excluding =
        |role: &str| Migration::of(&pair.source, &pair.target, &database).options(["--exclude-role", role]);
    let refused = excluding("legacy").run().failed_with(3);
    assert!(refused.stderr.contains("role legacy is left out"), "{refused}");
    excluding("unused").run().succeeded();
    let roles = "select rolname from pg_roles where rolname in ('legacy', 'unused', 'app') order by 1";
    assert_eq!(all(&pair.target, "postgres", roles), "app legacy");
}
