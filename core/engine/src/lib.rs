//! The only loop: dispatches steps, journals events, resumes.
