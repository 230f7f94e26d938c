//! The parameters of libpq, and which of them pghaul can keep.

/// What becomes of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handling {
    /// pghaul does what it says.
    Used,
    /// It changes nothing here: pghaul sets the like itself.
    Ignored,
    /// pghaul can't keep what it promises; the text says why.
    Unsupported(&'static str),
}

/// One of libpq's [parameter key words](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS).
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// The environment variable that gives its default.
    pub(super) variable: Option<&'static str>,
    pub(super) handling: Handling,
}

const GSS: Handling = Handling::Unsupported("GSSAPI and Kerberos are not supported");
const CRL: Handling = Handling::Unsupported("certificate revocation lists are not supported");
const OAUTH: Handling = Handling::Unsupported("OAuth is not supported");
const SCRAM: Handling = Handling::Unsupported("SCRAM pass-through keys are not supported; give the password");

const fn used(name: &'static str, variable: &'static str) -> Parameter {
    Parameter {
        name,
        variable: Some(variable),
        handling: Handling::Used,
    }
}

const fn plain(name: &'static str, handling: Handling) -> Parameter {
    Parameter {
        name,
        variable: None,
        handling,
    }
}

const fn unsupported(name: &'static str, variable: &'static str, why: &'static str) -> Parameter {
    Parameter {
        name,
        variable: Some(variable),
        handling: Handling::Unsupported(why),
    }
}

/// All of them, in the order in which a conninfo of pghaul's lists them.
pub(super) const PARAMETERS: &[Parameter] = &[
    used("host", "PGHOST"),
    used("hostaddr", "PGHOSTADDR"),
    used("port", "PGPORT"),
    used("dbname", "PGDATABASE"),
    used("user", "PGUSER"),
    used("password", "PGPASSWORD"),
    used("passfile", "PGPASSFILE"),
    used("service", "PGSERVICE"),
    used("sslmode", "PGSSLMODE"),
    used("sslnegotiation", "PGSSLNEGOTIATION"),
    used("sslrootcert", "PGSSLROOTCERT"),
    used("sslcert", "PGSSLCERT"),
    used("sslkey", "PGSSLKEY"),
    used("sslcertmode", "PGSSLCERTMODE"),
    plain(
        "sslpassword",
        Handling::Unsupported("encrypted client keys are not supported; decrypt the key"),
    ),
    used("sslsni", "PGSSLSNI"),
    used("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    used("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    Parameter {
        name: "sslcrl",
        variable: Some("PGSSLCRL"),
        handling: CRL,
    },
    Parameter {
        name: "sslcrldir",
        variable: Some("PGSSLCRLDIR"),
        handling: CRL,
    },
    plain("sslcompression", Handling::Ignored),
    plain(
        "sslkeylogfile",
        Handling::Unsupported("key logs are not supported"),
    ),
    used("channel_binding", "PGCHANNELBINDING"),
    unsupported(
        "require_auth",
        "PGREQUIREAUTH",
        "use channel_binding=require or sslmode=verify-full instead",
    ),
    unsupported(
        "requirepeer",
        "PGREQUIREPEER",
        "the owner of a socket is not checked",
    ),
    used("gssencmode", "PGGSSENCMODE"),
    plain("krbsrvname", GSS),
    plain("gsslib", GSS),
    plain("gssdelegation", GSS),
    used("connect_timeout", "PGCONNECT_TIMEOUT"),
    plain("keepalives", Handling::Used),
    plain("keepalives_idle", Handling::Used),
    plain("keepalives_interval", Handling::Used),
    plain("keepalives_count", Handling::Used),
    plain("tcp_user_timeout", Handling::Used),
    used("target_session_attrs", "PGTARGETSESSIONATTRS"),
    used("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    used("options", "PGOPTIONS"),
    plain("client_encoding", Handling::Used),
    plain("application_name", Handling::Ignored),
    plain("fallback_application_name", Handling::Ignored),
    plain("min_protocol_version", Handling::Ignored),
    plain("max_protocol_version", Handling::Ignored),
    plain(
        "replication",
        Handling::Unsupported("pghaul opens replication connections itself"),
    ),
    plain("scram_client_key", SCRAM),
    plain("scram_server_key", SCRAM),
    plain("oauth_issuer", OAUTH),
    plain("oauth_client_id", OAUTH),
    plain("oauth_client_secret", OAUTH),
    plain("oauth_scope", OAUTH),
];

/// The parameter with this name.
pub(super) fn find(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.name == name)
}

/// Its value must not be shown to anyone.
pub(super) fn is_secret(name: &str) -> bool {
    matches!(
        name,
        "password" | "sslpassword" | "oauth_client_secret" | "scram_client_key" | "scram_server_key"
    )
}

/// The parameter that was probably meant.
pub(super) fn similar(name: &str) -> Option<&'static str> {
    let alias = match name {
        "database" | "db" => Some("dbname"),
        "username" | "role" => Some("user"),
        "hostname" | "server" => Some("host"),
        "pass" | "passwd" | "pwd" => Some("password"),
        "ssl" | "tls" => Some("sslmode"),
        _ => None,
    };
    alias.or_else(|| {
        PARAMETERS
            .iter()
            .map(|parameter| {
                (
                    strsim::jaro_winkler(&name.to_ascii_lowercase(), parameter.name),
                    parameter.name,
                )
            })
            .filter(|(likeness, _)| *likeness > 0.85)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name)
    })
}
