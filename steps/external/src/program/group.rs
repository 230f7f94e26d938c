//! The processes of a program: it, and what it has started in its process group.

use rustix::process::{Pid, Signal, kill_process_group};
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::Child;
use tokio::time::timeout;

/// A program and its process group, which ends with this value.
#[derive(Debug)]
pub(crate) struct Group {
    child: Option<Child>,
    id: Option<Pid>,
    status: Option<ExitStatus>,
}

impl Group {
    /// The group of a process that leads one.
    pub(crate) fn new(child: Child) -> Self {
        let id = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Self {
            child: Some(child),
            id,
            status: None,
        }
    }

    /// Waits for the end of the program. What it has started is killed then: not even what it has left in the background goes
    /// on.
    pub(crate) async fn exited(&mut self) -> Option<ExitStatus> {
        if let Some(child) = &mut self.child {
            self.status = child.wait().await.ok();
            self.child = None;
            self.signal(Signal::KILL);
        }
        self.status
    }

    /// How the program ended, where it does in time.
    pub(crate) async fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        timeout(limit, self.exited()).await.ok()?
    }

    /// Ends all of it: SIGTERM, a while, SIGKILL.
    pub(crate) async fn terminate(mut self, grace: Duration) {
        if self.child.is_none() {
            return;
        }
        self.signal(Signal::TERM);
        if self.ended_within(grace).await.is_none()
            && let Some(mut child) = self.child.take()
        {
            self.signal(Signal::KILL);
            let _ = child.wait().await;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // It may have ended by itself.
            let _ = kill_process_group(id, signal);
        }
    }
}

/// Who drops a request has no time: the grace period passes in the background, as long as this process lives.
impl Drop for Group {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else {
            return;
        };
        let group = Self {
            child: Some(child),
            id: self.id,
            status: None,
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                group.signal(Signal::TERM);
                runtime.spawn(group.terminate(super::GRACE));
            }
            Err(_) => {
                group.signal(Signal::KILL);
                std::mem::forget(group);
            }
        }
    }
}
