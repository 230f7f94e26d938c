//! What goes wrong.

use crate::dice::Dice;
use crate::world::World;
use pghaul_testkit::{Running, Stop, Way};
use std::time::Duration;

/// Something that happens while `run` works. Whatever it is, running again must lead to equal databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// kill -9 of pghaul.
    Kill,
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The user's machine sleeps for a while.
    Sleep(Duration),
    /// A server stops and comes back.
    Restart(Server, Stop),
    /// The target stops and comes back on another port, behind the same address.
    AnotherPort,
    /// Connections of one way break.
    Connections(Line, Break),
    /// Apply and table workers on the target are ended.
    Workers,
    /// Walsenders on the source are ended.
    Walsenders,
    /// Every session of pghaul on one server is ended.
    Sessions(Server),
    /// Statements and idle transactions get a time limit on one server, then none again.
    Timeouts(Server),
    /// Somebody holds a lock that conflicts with everything, for a while, on a table that is moved.
    Lock(Server, Duration),
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    Source,
    Target,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    ToSource,
    ToTarget,
    /// From the target to the source.
    Back,
}

/// What happens to its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    Cut,
    CutAfter(u64),
    Reset,
    /// Nothing passes for a while.
    Stall(Duration),
    /// Answers are lost for a while.
    Deaf(Duration),
    Slow(Duration),
}

impl Fault {
    pub(crate) fn any(dice: &mut Dice) -> Self {
        let server = dice.one_of(&[Server::Source, Server::Target]);
        let line = dice.one_of(&[Line::ToSource, Line::ToTarget, Line::Back]);
        let while_ = Duration::from_millis(200 + dice.below(1800));
        match dice.below(17) {
            0..3 => Self::Kill,
            3 => Self::Interrupt,
            4 => Self::Sleep(while_),
            5 => Self::Restart(server, dice.one_of(&[Stop::Fast, Stop::Immediate, Stop::Kill])),
            6 => Self::Workers,
            7 => Self::Walsenders,
            8 => Self::Sessions(server),
            9 => Self::Timeouts(server),
            10 => Self::Terminate,
            11 => Self::AnotherPort,
            12 => Self::Lock(server, while_),
            _ => {
                let bytes = 1 + dice.below(2_000_000);
                let breaks = [
                    Break::Cut,
                    Break::CutAfter(bytes),
                    Break::Reset,
                    Break::Stall(while_),
                    Break::Deaf(while_),
                    Break::Slow(while_),
                ];
                Self::Connections(line, dice.one_of(&breaks))
            }
        }
    }

    /// What it is called in the totals.
    pub(crate) fn name(self) -> String {
        let text = format!("{self:?}");
        // Without the numbers: `Connections(Back, CutAfter(17))`.
        text.chars()
            .filter(|c| !c.is_ascii_digit() && *c != '.')
            .collect::<String>()
            .replace("(ms)", "")
            .replace("(s)", "")
            .replace(", ms)", ")")
            .replace(", s)", ")")
            .replace("()", "")
    }

    /// Whether the source's applications may notice it, whoever makes a migration.
    pub(crate) fn hits_applications(self) -> bool {
        matches!(
            self,
            Self::Restart(Server::Source, _) | Self::Timeouts(Server::Source)
        )
    }

    /// Lets it happen. Returns whether `run` ends by it.
    pub(crate) fn strike(self, world: &World, database: &str, run: &Running) -> bool {
        match self {
            Self::Kill => return true,
            Self::Interrupt => run.interrupt(),
            Self::Terminate => run.terminate(),
            Self::Sleep(time) => {
                run.suspend();
                std::thread::sleep(time);
                run.go_on();
            }
            Self::Restart(server, how) => {
                let cluster = world.cluster(server);
                cluster.stop(how);
                cluster.start_again();
            }
            Self::AnotherPort => {
                let target = world.cluster(Server::Target);
                target.restart_on_another_port();
                world.proxy(Line::ToTarget).lead_to(target.port());
            }
            Self::Connections(line, how) => strike_line(world, line, how),
            Self::Workers => {
                world.end_sessions(Server::Target, "backend_type like 'logical replication%worker'")
            }
            Self::Walsenders => world.end_sessions(Server::Source, "backend_type = 'walsender'"),
            Self::Sessions(server) => world.end_sessions(server, "application_name like 'pghaul/%'"),
            Self::Timeouts(server) => {
                world.set_timeouts(server, Some("30ms"));
                std::thread::sleep(Duration::from_millis(500));
                world.set_timeouts(server, None);
            }
            Self::Lock(server, time) => world.hold_lock(server, database, time),
        }
        false
    }
}

fn strike_line(world: &World, line: Line, how: Break) {
    let proxy = world.proxy(line);
    let for_a_while = |way, time| {
        proxy.set(way);
        std::thread::sleep(time);
        proxy.set(Way::Open);
    };
    match how {
        Break::Cut => proxy.cut(),
        Break::CutAfter(bytes) => proxy.cut_after(bytes),
        Break::Reset => proxy.reset(),
        Break::Stall(time) => for_a_while(Way::Stalled, time),
        Break::Deaf(time) => for_a_while(Way::Deaf, time),
        Break::Slow(time) => for_a_while(Way::Slow(200_000), time),
    }
}
