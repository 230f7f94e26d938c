//! Connections that are cut, reset, stalled or slow, between each pair of the three parties.

use crate::failures::{MANY_ROWS, await_copy};
use crate::migration::{Migration, assert_nothing_of_it_is_left};
use pghaul_testkit::{ClusterPair, Kind, Outcome, Proxy, Way, compare, shared_pair, wait_until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(150);

/// A migration whose three ways go through proxies.
struct Ways {
    pair: &'static ClusterPair,
    name: String,
    to_source: Proxy,
    to_target: Proxy,
    back: Proxy,
    migration: Migration,
}

fn ways(method: &str) -> Ways {
    let pair = shared_pair(Kind::Ordinary);
    let name = pair.fresh_database("network");
    pair.source.psql(&name, MANY_ROWS);
    let [to_source, back] = [(); 2].map(|()| Proxy::before(pair.source.port()));
    let to_target = Proxy::before(pair.target.port());
    let migration = Migration::between(
        &pair.source.conninfo_through(&to_source, "postgres"),
        &pair.target.conninfo_through(&to_target, "postgres"),
    )
    .env(
        "PGHAUL_SOURCE_FROM_TARGET",
        &pair.source.conninfo_through(&back, "postgres"),
    )
    .options(["--database", &name, "--method", method]);
    Ways {
        pair,
        name,
        to_source,
        to_target,
        back,
        migration,
    }
}

impl Ways {
    /// What was done once is not done twice, and nothing is left.
    fn is_equal(&self) {
        self.migration.run().succeeded();
        compare::same(&self.pair.source, &self.pair.target, &self.name);
        self.migration.remove().succeeded();
        compare::same(&self.pair.source, &self.pair.target, &self.name);
        assert_nothing_of_it_is_left(&self.migration, self.pair, &self.name);
    }

    /// The journal says what was tried again, and why.
    fn retried(&self, outcome: &Outcome) {
        let events = self.migration.events();
        let retried = events.iter().find(|event| event["kind"] == "retried");
        let retried = retried.unwrap_or_else(|| panic!("nothing was cut\n{outcome}"));
        let payload = &retried["payload"];
        assert!(
            payload["failure"]["code"].is_string() && payload["tries"] == 1,
            "{retried}"
        );
    }

    /// The journal says who copied the table, how large it is and how long it took.
    fn was_copied_by_the_workers(&self) {
        let events = self.migration.events();
        let mut items = events.iter().filter(|event| event["kind"] == "item_finished");
        let copied = items
            .find(|event| event["step"] == "initial-copy")
            .expect("an item");
        let outcome = &copied["payload"]["outcome"];
        assert_eq!(outcome["by"], "target-workers", "{copied}");
        assert!(
            outcome["bytes"].as_u64() > Some(1_000_000) && outcome["took_ms"].is_u64(),
            "{copied}"
        );
    }
}

#[test]
fn a_copy_that_is_cut_or_reset_on_either_side_goes_on_by_itself() {
    for (of_target, reset) in [(false, false), (true, true)] {
        let ways = ways("dump");
        let run = ways.migration.with_options("run").spawn();
        await_copy(&ways.pair.target, &ways.name, "many");
        let proxy = if of_target {
            &ways.to_target
        } else {
            &ways.to_source
        };
        if reset {
            proxy.reset();
        } else {
            proxy.cut_after(5_000_000);
        }
        let outcome = run.wait(PATIENCE).succeeded();
        ways.retried(&outcome);
        ways.is_equal();
    }
}

#[test]
fn the_targets_workers_lose_their_way_to_the_source_again_and_again() {
    let mut ways = ways("replication");
    ways.migration = ways.migration.options(["--initial-copy", "server"]);
    let before = ways.back.passed();
    ways.back.cut_after(3_000_000);
    let run = ways.migration.with_options("run").spawn();
    await_copy(&ways.pair.source, &ways.name, "many");
    // Whatever was being copied begins again; the connection of the apply worker is cut too.
    ways.back.reset();
    run.wait(PATIENCE).succeeded();
    assert!(ways.back.passed() > before + 3_000_000, "the way was used");
    ways.was_copied_by_the_workers();
    ways.pair
        .source
        .psql(&ways.name, "delete from many where id % 3 = 0");
    ways.back.cut();
    ways.is_equal();
}

/// What Ctrl-C may take: time to stop in order, time to end the run's sessions, and some for a busy machine.
const STOPPED: Duration = Duration::from_secs(30);

#[test]
fn a_way_that_stalls_does_not_keep_ctrl_c_from_working() {
    let ways = ways("dump");
    ways.to_target.set(Way::Slow(2_000_000));
    let run = ways.migration.with_options("run").spawn();
    await_copy(&ways.pair.target, &ways.name, "many");
    ways.to_target.set(Way::Stalled);
    run.interrupt();
    run.wait(STOPPED).failed_with(130);
    ways.to_target.set(Way::Open);
    ways.is_equal();
}

#[test]
fn a_way_that_stalls_anywhere_does_not_keep_ctrl_c_from_working() {
    let ways = ways("replication");
    // From the first answer of a server to the middle of the checks and of what comes later.
    for (proxy, bytes) in [
        (&ways.to_source, 500),
        (&ways.to_target, 30_000),
        (&ways.to_source, 150_000),
    ] {
        let before = proxy.passed();
        let mut run = ways.migration.with_options("run").spawn();
        wait_until("enough has passed", PATIENCE, || {
            proxy.passed() > before + bytes || !run.is_running()
        });
        assert!(run.is_running(), "only {} bytes passed", proxy.passed() - before);
        proxy.set(Way::Stalled);
        run.interrupt();
        run.wait(STOPPED).failed_with(130);
        proxy.set(Way::Open);
    }
    ways.is_equal();
}

#[test]
fn a_run_that_was_killed_behind_a_half_open_way_goes_on() {
    let ways = ways("dump");
    let run = ways.migration.with_options("run").spawn();
    await_copy(&ways.pair.target, &ways.name, "many");
    ways.to_source.set(Way::Deaf);
    // A source that is silent can't be told from one that thinks: the user has had enough.
    run.kill9();
    ways.to_source.cut();
    ways.to_source.set(Way::Open);
    ways.is_equal();
}
