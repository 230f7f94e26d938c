//! Moves every database of a PostgreSQL cluster to another one, live.

fn main() -> std::process::ExitCode {
    pghaul::Cli::new().with_builtin().run()
}
