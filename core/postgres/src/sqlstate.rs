//! From SQLSTATE to [`Code`], in one match.
//!
//! The codes are those of [Appendix A](https://www.postgresql.org/docs/current/errcodes-appendix.html).

use pghaul_core::Code;

/// What a server's error means to us. The message is looked at only where one SQLSTATE stands for things that a
/// user must tell apart; a server that speaks another language than English gets the general code then.
pub fn classify(sqlstate: &str, message: &str) -> Code {
    match sqlstate {
        "28000" if message.contains("pg_hba.conf") => Code::NotInHba,
        "28000" | "28P01" => Code::AuthenticationFailed,
        "3D000" => Code::UnknownDatabase,
        "42501" if message.contains("row-level security") => Code::RowSecurity,
        // The latter two are warnings: a right was not revoked, or not granted.
        "42501" | "01006" | "01007" => Code::PermissionDenied,
        "53300" => Code::TooManyConnections,
        "53000" | "53100" | "53200" | "53400" => Code::OutOfResources,
        // What a new session writes first on a disk that is full; the server has no code for it.
        "XX000" if message.contains("could not write init file") => Code::OutOfResources,
        "55P03" | "40P01" => Code::LockTimeout,
        "57014" => Code::StatementCancelled,
        "57P03" => Code::ServerNotReady,
        // Administrator's shutdown, crash of another backend, idle timeouts: this session is gone.
        "57P01" | "57P02" | "57P05" | "25P03" | "25P04" => Code::ConnectionLost,
        "08P01" if message.contains("unsupported startup parameter") => Code::BadInput,
        "08P01" => Code::ServerError,
        // DROP DATABASE while we were in it; and ALLOW_CONNECTIONS false, which has no code of its own.
        "57P04" => Code::UnknownDatabase,
        "55000" if message.contains("not currently accepting connections") => Code::PermissionDenied,
        "55000" if message.contains("no longer get changes") => Code::SlotLost,
        _ => match sqlstate.get(..2) {
            Some("08") => Code::ConnectionLost,
            Some("28") => Code::AuthenticationFailed,
            Some("53") => Code::OutOfResources,
            _ => Code::ServerError,
        },
    }
}

/// Whether an error of PostgreSQL's own with this SQLSTATE ends the session that gets it, or keeps it from beginning.
pub(crate) fn ends_session(sqlstate: &str) -> bool {
    sqlstate.starts_with("08")
        || sqlstate.starts_with("28")
        || matches!(
            sqlstate,
            "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04" | "53300"
        )
}

/// Whether errors of this class speak about rows, so that their DETAIL shows values.
pub(crate) fn detail_shows_rows(sqlstate: &str) -> bool {
    matches!(sqlstate.get(..2), Some("21" | "22" | "23" | "44" | "P0"))
}

/// What a user can do about a failure with this code, as far as connections and statements can cause it.
pub(crate) fn hint(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::BadInput => return None,
        Code::HostNotFound => "check the spelling of the host and that this machine's name server knows it",
        Code::ConnectionRefused => {
            "check host and port, that the server runs and that its listen_addresses includes this address"
        }
        Code::ConnectionTimedOut => {
            "check the network and firewalls between here and the server; connect_timeout sets how long to wait"
        }
        Code::TlsFailed => {
            "check sslmode, sslrootcert and the server's certificate; \
             sslmode=require encrypts without checking who the server is"
        }
        Code::AuthenticationFailed => {
            "check user and password; a password may come from the conninfo, PGHAUL_SOURCE_PASSWORD or \
             PGHAUL_TARGET_PASSWORD, PGPASSWORD or the password file"
        }
        Code::NotInHba => {
            "add a line for this user, database and address to the server's pg_hba.conf and reload it; \
             where the message says `no encryption`, try sslmode=require"
        }
        Code::UnknownDatabase => "check the name of the database; `\\l` in psql lists those that exist",
        Code::TooManyConnections => {
            "lower --max-connections, close sessions on the server, or raise its max_connections"
        }
        Code::ServerNotReady => "wait until the server accepts connections, then start again",
        Code::ConnectionLost => {
            "see the server's log for why the session ended; then start again, it goes on where it was"
        }
        Code::PermissionDenied => "grant the right to the role, or connect as a role that has it",
        Code::RowSecurity => {
            "connect as the tables' owner or as a role with BYPASSRLS, so that no row is left behind"
        }
        Code::LockTimeout => "see pg_locks for who holds the lock; start again when it is free",
        Code::StatementCancelled => "find out who or what cancelled it, then start again",
        Code::OutOfResources => "free disk space or memory on the server, then start again",
        Code::SlotLost => {
            "the source has removed WAL that was still needed; the copy of this database must be made again"
        }
        Code::ServerError => {
            "see the server's log; when the cause is fixed, start again, it goes on where it was"
        }
        Code::ReplicationImpossible
        | Code::SnapshotLost
        | Code::WalLimit
        | Code::ApplyFailed
        | Code::StateLost
        | Code::TargetNotOurs
        | Code::JournalStale
        | Code::AlreadyRunning
        | Code::JournalUnusable
        | Code::OtherRelease
        | Code::JournalDamaged
        | Code::OtherServer
        | Code::SameServer
        | Code::UnsupportedVersion
        | Code::ToolFailed
        | Code::CheckFailed
        | Code::PlanChanged
        | Code::PartitionDetached
        | Code::PartitionAttached
        | Code::TableRenamed
        | Code::TablesExchanged
        | Code::TableRecreated
        | Code::TableDropped
        | Code::TableRewritten
        | Code::ColumnChanged
        | Code::PublicationChanged
        | Code::SourceWentBack
        | Code::TargetWentBack
        | Code::CountsDiffer
        | Code::NotSafeToRemove
        | Code::SchemaFailed
        | Code::Interrupted
        | Code::Bug => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sqlstate_with_several_meanings() {
        let hba = "no pg_hba.conf entry for host \"10.0.0.1\", user \"u\", database \"d\", no encryption";
        assert_eq!(classify("28000", hba), Code::NotInHba);
        assert_eq!(
            classify("28000", "role \"u\" is not permitted to log in"),
            Code::AuthenticationFailed
        );
        let rls = "query would be affected by row-level security policy for table \"t\"";
        assert_eq!(classify("42501", rls), Code::RowSecurity);
        assert_eq!(
            classify("42501", "permission denied for table t"),
            Code::PermissionDenied
        );
        let closed = "database \"d\" is not currently accepting connections";
        assert_eq!(classify("55000", closed), Code::PermissionDenied);
        assert_eq!(classify("55000", "object in use"), Code::ServerError);
        assert_eq!(
            classify("XX000", "could not write init file"),
            Code::OutOfResources
        );
        let pooler = "unsupported startup parameter: options";
        assert_eq!(classify("08P01", pooler), Code::BadInput);
        assert_eq!(classify("08006", "connection failure"), Code::ConnectionLost);
        assert_eq!(classify("", ""), Code::ServerError);
    }
}
