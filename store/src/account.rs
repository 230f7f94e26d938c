//! The users of the operating system, by their numbers: no environment variable can name another one.

use nix::unistd::{Uid, User};
use pghaul_core::event::Account;

/// The user with a number. Without an entry in the system's list, the number stands for the name.
pub fn account(uid: u32) -> Account {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    Account {
        name: user.map_or_else(|| format!("uid {uid}"), |user| user.name),
        uid,
    }
}
