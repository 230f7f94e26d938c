//! Two servers, a database, and everyone who can move it from one to the other, in turn.

mod arguments;
mod catalog;
mod contender;
mod equality;
mod machine;
mod process;
mod programs;
mod report;
mod servers;
mod workload;

pub(crate) use arguments::Arguments;
pub(crate) use report::Report;

use contender::Contender;
use equality::Contents;
use programs::Programs;
use report::{Figures, Measurement};
use servers::{DATABASE, Servers};
use std::time::Instant;
use workload::Workload;

/// Measures every workload that is asked for. The report so far is written after each of them.
///
/// # Panics
/// When a contender fails, or what it has moved is not what was there.
pub(crate) fn run(arguments: &Arguments) -> Report {
    let servers = Servers::start(arguments);
    let programs = Programs::find(arguments, &servers);
    let contenders = Contender::of(arguments, &programs);
    let mut report = Report::new(arguments, machine::describe(&servers, &programs));
    for workload in arguments.workloads() {
        let race = Race {
            arguments,
            servers: &servers,
            programs: &programs,
            contenders: &contenders,
            workload,
        };
        report.add(race.run());
        report.write(arguments);
    }
    report
}

/// All rounds of one workload.
struct Race<'a> {
    arguments: &'a Arguments,
    servers: &'a Servers,
    programs: &'a Programs,
    contenders: &'a [Contender],
    workload: Workload,
}

impl Race<'_> {
    fn run(&self) -> Figures {
        let (source, started) = (self.servers.source(), Instant::now());
        self.servers.drop_from(source);
        source.create_database(DATABASE);
        self.workload.fill(source, self.arguments.scale);
        // Hint bits, the visibility map and statistics would otherwise be made during somebody's run.
        servers::patiently(source, DATABASE, "vacuum (freeze, analyze)");
        let contents = Contents::of(source);
        let mut figures = Figures::new(self.workload, &contents);
        eprintln!(
            "{}: {figures}, filled in {:.1} s",
            self.workload,
            started.elapsed().as_secs_f64()
        );
        if let Some(first) = self.contenders.first().filter(|_| self.arguments.warms_up()) {
            // Makes the target's WAL files, which all later runs use again.
            self.measure(first, "warm-up", &contents);
        }
        for round in 1..=self.arguments.rounds {
            for contender in self.contenders {
                let measurement = self.measure(contender, &format!("round {round}"), &contents);
                figures.add(*contender, measurement);
            }
        }
        self.servers.drop_from(self.servers.target());
        self.servers.drop_from(source);
        figures
    }

    /// One run, from a target without the database to one that is equal to the source.
    fn measure(&self, contender: &Contender, round: &str, contents: &Contents) -> Measurement {
        self.servers.start_alike();
        let started = Instant::now();
        let migrated = contender.migrate(self.servers, self.programs);
        let seconds = started.elapsed().as_secs_f64();
        eprintln!("{} {round}: {contender} {seconds:.2} s", self.workload);
        contents.assert_equal(self.servers.target(), *contender);
        Measurement {
            seconds,
            usage: migrated.usage,
            journal_events: migrated.clear(),
        }
    }
}
