//! The state machine of one step.

use crate::event::StepEvent;
use strum::{Display, EnumIter};

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Display, EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum StepState {
    /// It has not begun.
    #[default]
    Idle,
    /// It has begun and not ended, as far as the journal knows. After a crash its probe tells more.
    Running,
    /// It has done what it promises.
    Finished,
    /// It failed.
    Failed,
    /// Its effects were taken back.
    Undone,
}

impl StepState {
    /// The transition function: the state after an event, or `None` where the event is not possible.
    ///
    /// A finished step may start again: some, such as the sequences, are done once more by every run.
    pub fn apply(self, event: &StepEvent) -> Option<Self> {
        match (self, event) {
            (
                Self::Idle | Self::Running | Self::Finished | Self::Failed | Self::Undone,
                StepEvent::StepStarted,
            ) => Some(Self::Running),
            (Self::Running, StepEvent::StepRecorded { .. } | StepEvent::ItemFinished { .. }) => {
                Some(Self::Running)
            }
            (Self::Running, StepEvent::StepFinished { .. }) => Some(Self::Finished),
            (Self::Running, StepEvent::StepFailed { .. }) => Some(Self::Failed),
            (Self::Running | Self::Finished | Self::Failed, StepEvent::StepUndone) => Some(Self::Undone),
            _ => None,
        }
    }
}
