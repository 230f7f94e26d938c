//! pghaul with a check and a step more, under a name of its own.

use shop_haul::{GrantReader, SizeLimit};

fn main() -> std::process::ExitCode {
    pghaul::Cli::new()
        .with_name("shop-haul", env!("CARGO_PKG_VERSION"))
        .with_builtin()
        .with_check(SizeLimit { limit: 1 << 40 })
        .with_step(GrantReader)
        .run()
}
