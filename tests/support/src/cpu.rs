//! Seconds of CPU, as Linux counts them.

/// Of one process.
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuTime {
    /// Its own, in seconds.
    pub own: f64,
    /// Those of its children that have ended, in seconds.
    pub children: f64,
}

impl CpuTime {
    /// Of a process that was not waited for yet.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold spaces; utime, stime, cutime and cstime are the fields 12 to 15 after it.
        let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u32>().ok();
        let own = ticks()? + ticks()?;
        let children = ticks()? + ticks()?;
        let a_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        let seconds = |ticks: u32| f64::from(ticks) / f64::from(a_second);
        Some(Self {
            own: seconds(own),
            children: seconds(children),
        })
    }

    /// With its children.
    pub fn total(self) -> f64 {
        self.own + self.children
    }
}
