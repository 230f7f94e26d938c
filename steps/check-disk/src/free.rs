//! How much room there is, by whoever knows it.

use pghaul_step::postgres::{ReadOnly, Session, Target};
use pghaul_step::{CheckContext, Cluster, Failure};
use serde::Serialize;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// How many bytes a new file of the target may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FreeSpace {
    /// The bytes.
    pub free_bytes: u64,
    /// Who says so.
    pub told_by: Teller,
}

/// Who says how much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Teller {
    /// The user, with `--target-free-space`.
    User,
    /// The file system of this machine, which has the target's data directory.
    FileSystem,
    /// `df` on the target's machine.
    Server,
}

impl fmt::Display for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => " (--target-free-space)",
            Self::FileSystem | Self::Server => " where its data directory is",
        })
    }
}

/// The room on the target, where somebody knows it.
pub(crate) async fn on_target(
    ctx: &CheckContext<Cluster>,
    target: &Session<Target, ReadOnly>,
) -> Result<Option<FreeSpace>, Failure> {
    if let Some(free_bytes) = ctx.landscape().disk.target_free_bytes {
        return Ok(Some(FreeSpace {
            free_bytes,
            told_by: Teller::User,
        }));
    }
    if let Some(free_bytes) = in_file_system(target).await? {
        return Ok(Some(FreeSpace {
            free_bytes,
            told_by: Teller::FileSystem,
        }));
    }
    let told = by_server(ctx, target).await?;
    Ok(told.map(|free_bytes| FreeSpace {
        free_bytes,
        told_by: Teller::Server,
    }))
}

/// What the file system says, where the target's data directory is on this machine: the directory there is the
/// target's own only if its control file has the target's system identifier.
async fn in_file_system(target: &Session<Target, ReadOnly>) -> Result<Option<u64>, Failure> {
    let doing = target.doing("ask where the data directory is");
    let row = doing.query_one(include_str!("data_directory.sql"), &[]).await?;
    let Some(directory) = row.get::<_, Option<String>>("directory") else {
        return Ok(None);
    };
    let Ok(identifier) = target.identity().await else {
        return Ok(None);
    };
    let look = move || {
        let directory = PathBuf::from(directory);
        (control_identifier(&directory)? == identifier)
            .then(|| rustix::fs::statvfs(&directory).ok())
            .flatten()
            .map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize))
    };
    // A file system that does not answer must not hold up everything else.
    Ok(tokio::task::spawn_blocking(look).await.unwrap_or(None))
}

/// The system identifier at the beginning of a data directory's control file, where we may read it.
fn control_identifier(directory: &Path) -> Option<String> {
    let mut identifier = [0; 8];
    let mut control = std::fs::File::open(directory.join("global").join("pg_control")).ok()?;
    control.read_exact(&mut identifier).ok()?;
    Some(u64::from_ne_bytes(identifier).to_string())
}

/// What `df` says on the target's machine, in the data directory, where pghaul's role may run programs there. Nothing
/// is left behind: the answer goes to a temporary table of a transaction that is rolled back.
async fn by_server(
    ctx: &CheckContext<Cluster>,
    target: &Session<Target, ReadOnly>,
) -> Result<Option<u64>, Failure> {
    let doing = target.doing("see whether we may run programs on the server");
    let row = doing.query_one(include_str!("may_run_programs.sql"), &[]).await?;
    if !row.get::<_, bool>(0) || target.is_standby().await? {
        return Ok(None);
    }
    let mut session = ctx.rehearse_on_target().await?;
    let mut rehearsal = session.rehearse().await?;
    let answer = "CREATE TEMPORARY TABLE pghaul_df (line text)";
    // The data directory is where servers run. Neither delimiter nor quote is in any line.
    let ask = "COPY pg_temp.pghaul_df FROM PROGRAM 'df -P -k .' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')";
    let asked = match rehearsal.attempt("make room for an answer", answer, &[]).await {
        Ok(_) => {
            rehearsal
                .attempt("ask the server for its free space", ask, &[])
                .await
        }
        Err(error) => Err(error),
    };
    let told = match asked {
        Ok(_) => {
            let sql = "SELECT line FROM pg_temp.pghaul_df";
            let rows = rehearsal.doing("read the answer").query(sql, &[]).await?;
            rows.last().and_then(|row| available(row.get(0)))
        }
        Err(error) => {
            tracing::debug!(%error, "the target's server does not say how much room it has");
            None
        }
    };
    rehearsal.roll_back().await?;
    Ok(told)
}

/// The bytes that a line of `df -P -k` calls available: its figure before the percentage.
fn available(line: &str) -> Option<u64> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let percentage = fields
        .iter()
        .position(|field| field.strip_suffix('%').is_some_and(|n| n.parse::<u8>().is_ok()))?;
    let kilobytes: u64 = fields.get(percentage.checked_sub(1)?)?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::available;

    #[test]
    fn the_answer_of_df_is_read_whatever_the_names() {
        let line = "/dev/mapper/my data   1000000 250000 700000  27% /var/lib/postgresql/15 main";
        assert_eq!(available(line), Some(700_000 * 1024));
        assert_eq!(
            available("Filesystem 1024-blocks Used Available Capacity Mounted on"),
            None
        );
        assert_eq!(available(""), None);
    }
}
