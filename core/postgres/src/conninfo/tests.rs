//! libpq's rules, from its documentation and its test `src/interfaces/libpq/t/001_uri.pl`.

use super::*;
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt;

fn parsed(text: &str) -> String {
    match ConnInfo::parse(text) {
        Ok(conninfo) => conninfo.pairs(|_| true),
        Err(error) => format!("error: {error}"),
    }
}

fn environment() -> Environment {
    Environment::empty().with_user("me")
}

fn resolved(text: &str) -> Resolved {
    ConnInfo::parse(text).unwrap().resolve(&environment()).unwrap()
}

fn refused(text: &str) -> String {
    ConnInfo::parse(text)
        .and_then(|conninfo| conninfo.resolve(&environment()))
        .unwrap_err()
        .to_string()
}

#[test]
fn uris() {
    for (uri, expected) in [
        (
            "postgresql://uri-user:secret@host:12345/db",
            "host=host port=12345 dbname=db user=uri-user password=secret",
        ),
        (
            "postgresql://uri-user@host/db",
            "host=host dbname=db user=uri-user",
        ),
        ("postgres://uri-user@", "user=uri-user"),
        ("postgresql://", ""),
        ("postgresql:///mydb", "dbname=mydb"),
        ("postgresql://localhost", "host=localhost"),
        (
            "postgresql://host?user=uri-user&port=12345",
            "host=host port=12345 user=uri-user",
        ),
        (
            "postgresql://host?uzer=",
            "error: unknown conninfo parameter `uzer`; did you mean `user`?",
        ),
        ("postgresql://host:/", "host=host"),
        (
            "postgresql:///?host=/var/lib/postgresql&dbname=x",
            "host=/var/lib/postgresql dbname=x",
        ),
        (
            "postgresql://%2Fvar%2Flib%2Fpostgresql/dbname",
            "host=/var/lib/postgresql dbname=dbname",
        ),
        (
            "postgresql://[2001:db8::1234]:4321/db",
            "host=2001:db8::1234 port=4321 dbname=db",
        ),
        ("postgresql://[::1]", "host=::1"),
        (
            "postgresql://a:1,b,[::1]:2/somedb?target_session_attrs=any",
            "host=a,b,::1 port=1,,2 dbname=somedb target_session_attrs=any",
        ),
        ("postgresql://a,b:2/", "host=a,b port=,2"),
        (
            "postgresql://u:p%40s%25s%20w%27d%2F@h/d%20b",
            "host=h dbname='d b' user=u password='p@s%s w\\'d/'",
        ),
        ("postgresql://u:a+b@h", "host=h user=u password=a+b"),
        ("postgresql://u:p?w@h", "host=h user=u password='p?w'"),
        ("postgresql://:pw@h", "host=h password=pw"),
        ("postgresql://h?ssl=true", "host=h sslmode=require"),
        (
            "postgresql://h/db?options=-c%20geqo%3Doff",
            "host=h dbname=db options='-c geqo=off'",
        ),
        ("  postgresql://h\n", "host=h"),
    ] {
        assert_eq!(parsed(uri), expected, "{uri}");
    }
}

#[test]
fn uris_that_are_refused() {
    for uri in [
        "postgresql://h?user",
        "postgresql://h?user=a=b",
        "postgresql://h%2",
        "postgresql://h%zz",
        "postgresql://h%00",
        "postgresql://[::1",
        "postgresql://[]",
        "postgresql://[::1]x",
        "postgresql://u:p@h@x/",
        "postgresql://h:x/",
        "postgresql://h%ff",
        "postgresql://h/?&",
    ] {
        let message = ConnInfo::parse(uri).map(|_| ()).unwrap_err().to_string();
        assert!(
            message.contains("connection URI is not valid"),
            "{uri}: {message}"
        );
    }
}

#[test]
fn key_value_pairs() {
    for (text, expected) in [
        (
            "host=localhost port=5432 dbname=mydb connect_timeout=10",
            "host=localhost port=5432 dbname=mydb connect_timeout=10",
        ),
        (
            "  host = 'a b'\n\tuser='it\\'s' password = '\\\\ \\x' ",
            "host='a b' user='it\\'s' password='\\\\ x'",
        ),
        ("password=a\\ b\\'c\\\\d", "password='a b\\'c\\\\d'"),
        ("user='' dbname=", "dbname='' user=''"),
        ("user=a user=b", "user=b"),
        (
            "host=/tmp,h,@abstract port=1,2,3",
            "host=/tmp,h,@abstract port=1,2,3",
        ),
        ("", ""),
    ] {
        assert_eq!(parsed(text), expected, "{text}");
    }
    for text in ["host", "host=a b", "=x", "user='a"] {
        assert!(parsed(text).starts_with("error: "), "{text}");
    }
}

#[test]
fn parameters_that_cannot_be_kept_are_named() {
    assert_eq!(
        parsed("sslmod=require"),
        "error: unknown conninfo parameter `sslmod`; did you mean `sslmode`?"
    );
    assert_eq!(
        parsed("database=x"),
        "error: unknown conninfo parameter `database`; did you mean `dbname`?"
    );
    assert_eq!(parsed("zzz=x"), "error: unknown conninfo parameter `zzz`");
    for name in [
        "sslcrl",
        "krbsrvname",
        "require_auth",
        "sslpassword",
        "replication",
        "requirepeer",
    ] {
        assert!(
            parsed(&format!("{name}=x")).contains(&format!("`{name}` can't be used")),
            "{name}"
        );
        assert_eq!(parsed(&format!("{name}=''")), format!("{name}=''"));
    }
    assert!(refused("gssencmode=require").contains("gssencmode"));
    assert!(refused("client_encoding=LATIN1").contains("UTF8"));
    assert!(refused("sslmode=verify").contains("`sslmode`"));
    assert!(refused("sslmode=require sslrootcert=system").contains("verify-full"));
    assert!(refused("port=70000").contains("65535"));
    assert!(refused("host=a,b port=1,2,3").contains("2 entries in `host` do not match 3 in `port`"));
    assert!(refused("hostaddr=nowhere").contains("hostaddr"));
    assert!(refused("sslmode=verify-ca").contains("needs a root certificate"));
    assert!(refused("service=none").contains("`none` is not defined"));
    assert!(refused("ssl_max_protocol_version=TLSv1.1").contains("ssl_max_protocol_version"));
    assert!(refused("connect_timeout=soon").contains("whole number"));
}

#[test]
fn no_error_and_no_output_shows_a_password() {
    for text in [
        "host=h password=open sesame",
        "host=h password=open sesame=x",
        "password='sesame",
        "sesame=open",
        "postgresql://u:sesame/x@h/d",
        "postgresql://u:a@sesame@h/d",
        "postgresql://u:open@h?password=open&sesame=x",
        "postgresql://u:sesame%zz@h",
        "host=h sesame",
        "postgresql://u:1/sesame@h",
    ] {
        let error = ConnInfo::parse(text).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.hint());
        // A word before `=` that follows no password is a name.
        assert!(
            !shown.contains("sesame") || text == "sesame=open",
            "{text}: {shown}"
        );
    }
    let conninfo = ConnInfo::parse("host=h user=u password='open sesame'").unwrap();
    let resolved = conninfo.resolve(&environment()).unwrap();
    for shown in [
        format!("{conninfo} {conninfo:?}"),
        format!("{resolved} {resolved:?} {resolved:#?}"),
    ] {
        assert!(!shown.contains("sesame"), "{shown}");
    }
    let surroundings = environment()
        .with_variable("PGPASSWORD", "sesame")
        .with_password("sesame");
    assert!(!format!("{surroundings:?}").contains("sesame"));
    let endpoint = &resolved.endpoints()[0];
    assert!(!format!("{:?}", resolved.password_for(endpoint, "d")).contains("sesame"));
}

#[test]
fn defaults() {
    let own = resolved("");
    assert_eq!((own.user(), own.database()), ("me", "me"));
    assert_eq!(own.endpoints()[0].to_string(), "localhost:5432");
    assert_eq!(own.tls().mode, SslMode::Prefer);
    assert!(own.connect_timeout().is_some() && own.keepalives().is_some());
    assert_eq!(resolved("user=u").database(), "u");
    assert_eq!(resolved("connect_timeout=0").connect_timeout(), None);
    assert_eq!(resolved("keepalives=0").keepalives(), None);
    assert!(ConnInfo::default().resolve(&Environment::empty()).is_err());

    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(".s.PGSQL.5555"), "").unwrap();
    let surroundings = environment().with_socket_directory(directory.path());
    let local = ConnInfo::parse("port=5555")
        .unwrap()
        .resolve(&surroundings)
        .unwrap();
    assert_eq!(
        local.endpoints()[0].host,
        Host::Socket {
            directory: directory.path().to_owned()
        }
    );
}

#[test]
fn conninfo_before_side_password_before_service_before_variables() {
    let home = tempfile::tempdir().unwrap();
    let services = "# comment\n[other]\nhost=wrong\n\n[shop]\nhost=from-service\nport=1\npassword=service\nuser=s\n[z]\n";
    std::fs::write(home.path().join(".pg_service.conf"), services).unwrap();
    let surroundings = environment()
        .with_home(home.path())
        .with_variable("PGSERVICE", "shop")
        .with_variable("PGPORT", "2")
        .with_variable("PGUSER", "variable")
        .with_variable("PGDATABASE", "variable")
        .with_variable("PGPASSWORD", "variable");
    let get = |text: &str, surroundings: &Environment| {
        let resolved = ConnInfo::parse(text).unwrap().resolve(surroundings).unwrap();
        let password = resolved.password_for(&resolved.endpoints()[0], "d").unwrap();
        (resolved.to_string(), password.reveal().to_owned())
    };
    let (text, password) = get("user=own", &surroundings);
    assert_eq!(
        text,
        "host=from-service port=1 dbname=variable user=own service=shop"
    );
    assert_eq!(password, "service");
    let (text, password) = get("user=own", &surroundings.clone().with_password("side"));
    assert_eq!(text, "host=from-service port=1 dbname=variable user=own");
    assert_eq!(password, "side");
    assert_eq!(
        get("password=own", &surroundings.clone().with_password("side")).1,
        "own"
    );

    std::fs::write(home.path().join(".pg_service.conf"), "[shop]\nnonsense\n").unwrap();
    let error = ConnInfo::default()
        .resolve(&surroundings)
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with(".pg_service.conf, line 2: a line without `=` (LDAP is not supported)"),
        "{error}"
    );
}

#[test]
fn password_files() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".pgpass");
    std::fs::write(
        &file,
        "localhost:*:*:me:socket\nh:5432:d:me:exact\nh:*:*:me:any\n",
    )
    .unwrap();
    let set_mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o600);
    let password = |text: &str, database: &str| {
        let resolved = ConnInfo::parse(text)
            .unwrap()
            .resolve(&environment().with_home(home.path()))
            .unwrap();
        let password = resolved.password_for(&resolved.endpoints()[0], database);
        (
            password.map(|password| password.reveal().to_owned()),
            resolved.warnings().to_vec(),
        )
    };
    assert_eq!(password("host=h", "d").0.as_deref(), Some("exact"));
    assert_eq!(password("host=h", "e").0.as_deref(), Some("any"));
    assert_eq!(
        password("host=h hostaddr=10.0.0.1 port=6", "d").0.as_deref(),
        Some("any")
    );
    assert_eq!(
        password("host=/var/run/postgresql", "d").0.as_deref(),
        Some("socket")
    );
    assert_eq!(password("host=/elsewhere", "d").0, None);
    assert_eq!(password("host=h user=other", "d").0, None);
    set_mode(0o640);
    let (found, warnings) = password("host=h", "d");
    assert_eq!(found, None);
    assert!(warnings[0].contains("0600"), "{warnings:?}");
}

#[test]
fn several_hosts() {
    let several = resolved("host=a,,/tmp hostaddr=10.0.0.1,10.0.0.2,10.0.0.3 port=1");
    assert_eq!(several.endpoints().len(), 3);
    let shown: Vec<String> = several.endpoints().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["a:1", "10.0.0.2:1", "/tmp:1"]);
    let shown: Vec<String> = resolved("postgresql://a:1,b,[::1]:2/")
        .endpoints()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shown, ["a:1", "b:5432", "::1:2"]);
}

#[test]
fn subscriptions() {
    let source = resolved("host=a,b user=u password='p q' options='-c geqo=off' dbname=x sslmode=require");
    let text = source
        .for_subscription("my db", &[("transaction_timeout", "0")])
        .unwrap();
    assert_eq!(
        text,
        "dbname='my db' host=a,b port=5432,5432 user=u sslmode=require connect_timeout=15 keepalives_idle=60 \
         keepalives_interval=10 keepalives_count=6 password='p q' options='-c geqo=off -c row_security=off -c DateStyle=ISO \
         -c IntervalStyle=postgres -c extra_float_digits=3 -c bytea_output=hex \
         -c default_transaction_isolation=read\\\\ committed -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 \
         -c transaction_timeout=0'"
    );
    assert_eq!(ConnInfo::parse(&text).unwrap().get("password"), Some("p q"));

    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root.crt");
    std::fs::write(&root, "").unwrap();
    let with_file = resolved(&format!(
        "host=a sslmode=verify-full sslrootcert='{}'",
        root.display()
    ));
    let error = with_file.for_subscription("d", &[]).unwrap_err();
    assert!(error.to_string().contains("sslrootcert") && error.hint().contains("--source-from-target"));
    let system = resolved("host=a sslrootcert=system")
        .for_subscription("d", &[])
        .unwrap();
    assert!(system.contains("sslrootcert=system"), "{system}");

    let through = |text: &str| source.for_subscription_through(&ConnInfo::parse(text).unwrap(), "d", &[]);
    let text = through("host=inside").unwrap();
    assert!(
        text.starts_with("dbname=d host=inside user=u ") && text.contains("password='p q'"),
        "{text}"
    );
    let text = through("host=inside user=another").unwrap();
    assert!(
        !text.contains("password"),
        "it is the password of another role: {text}"
    );
    for name in ["service", "passfile", "sslcert", "sslkey", "sslrootcert"] {
        let error = through(&format!("host=inside {name}=x")).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn a_subscription_keeps_the_password_that_only_it_knows() {
    let (old, new) = ("dbname=d host=a password='p q'", "dbname=d host=a password=new");
    let (moved, bare) = ("dbname=d host=b", "dbname=d host=a");
    let with_old = "dbname=d host=b password='p q'";
    for (kept, wanted, told) in [
        (Some(old), old, None),
        (Some(old), new, Some(new)),
        (Some(bare), new, Some(new)),
        (Some(old), bare, None),
        (Some(old), moved, Some(with_old)),
        (Some(bare), bare, None),
        (Some(bare), moved, Some(moved)),
        // Somebody gave it a file of the server's.
        (Some("dbname=d passfile=/x host=a"), new, Some(new)),
        (None, new, Some(new)),
        (None, moved, None),
        (Some("no conninfo"), moved, None),
    ] {
        assert_eq!(
            renewed_conninfo(kept, wanted).as_deref(),
            told,
            "{kept:?} {wanted}"
        );
    }
}

#[test]
fn a_password_is_replaced_where_nothing_else_would_change() {
    let kept = "dbname=d host=inside user=u password=old options='-c row_security=off'";
    let renewed = |wanted: &str, role: &str| {
        other_password(kept, wanted, role).map(|found| (found.kept, found.renewed))
    };
    let (old, text) = renewed("dbname=d host=outside user=u password=new", "u").unwrap();
    assert_eq!(old, "old");
    assert_eq!(
        ConnInfo::parse(&text).unwrap(),
        ConnInfo::parse(&kept.replace("old", "new")).unwrap()
    );
    assert!(renewed("host=outside user=u password=old", "u").is_none());
    assert!(renewed("host=outside user=u", "u").is_none());
    assert!(renewed("host=outside user=other password=new", "u").is_none());
    assert!(renewed("host=outside user=u password=new", "other").is_none());
}

proptest! {
    #[test]
    fn text_round_trips(values in prop::collection::btree_map(
        prop::sample::select(vec!["host", "user", "dbname", "password", "options", "passfile"]), "\\PC*", 0..5)
    ) {
        let conninfo = ConnInfo { values };
        let again = ConnInfo::parse(&conninfo.pairs(|_| true)).unwrap();
        prop_assert_eq!(again.pairs(|_| true), conninfo.pairs(|_| true));
        let shown = ConnInfo::parse(&conninfo.without_secrets()).unwrap();
        prop_assert_eq!(shown.get("password"), None);
        prop_assert_eq!(shown.get("user"), conninfo.get("user"));
    }

    #[test]
    fn passwords_survive_uris(password in "[ -~]{1,20}") {
        let encoded = percent_encoding::utf8_percent_encode(&password, percent_encoding::NON_ALPHANUMERIC);
        let conninfo = ConnInfo::parse(&format!("postgresql://u:{encoded}@h/d")).unwrap();
        prop_assert_eq!(conninfo.get("password"), Some(password.as_str()));
    }

    #[test]
    fn resolved_text_finds_the_same(host in "[a-z/@][a-z.]{0,9}", port in 1u16.., user in "[ -~]{1,9}") {
        let conninfo = ConnInfo { values: [
            ("host", host), ("port", port.to_string()), ("user", user),
        ].into() };
        let first = conninfo.resolve(&environment()).unwrap();
        let again = resolved(&first.without_secrets());
        prop_assert_eq!(first.endpoints(), again.endpoints());
        prop_assert_eq!(first.user(), again.user());
        prop_assert_eq!(first.to_string(), again.to_string());
    }

    /// Files of the user are read or refused, whatever is in them, and no refusal shows a password.
    #[test]
    fn any_service_and_password_file_is_read_or_refused(
        services in "(\\[s\\]\n)?(([a-z]{1,8}|host|password)=?\\PC{0,12}\n){0,4}",
        passwords in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(".pg_service.conf"), services).unwrap();
        let file = home.path().join(".pgpass");
        std::fs::write(&file, [&passwords[..], b"\n*:*:*:*:hidden-word\n"].concat()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let environment = environment().with_home(home.path());
        for text in ["service=s", "host=h"] {
            match ConnInfo::parse(text).unwrap().resolve(&environment) {
                Ok(resolved) => prop_assert!(!resolved.without_secrets().contains("hidden-word")),
                Err(error) => prop_assert!(!error.to_string().contains("hidden-word")),
            }
        }
    }

    #[test]
    fn anything_parses_or_is_refused(text in "\\PC*") {
        let _either = ConnInfo::parse(&text);
        let _either = ConnInfo::parse(&format!("postgresql://{text}"));
    }
}
