//! Definitions that live as long as the process, as those do that are code: descriptors borrow from them.

/// Keeps a value for the rest of the process. A process reads its configuration once.
pub(crate) fn interned<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// The same for names.
pub(crate) fn interned_list(names: &[String]) -> &'static [&'static str] {
    let names: Vec<&'static str> = names.iter().map(|name| interned(name.clone()).as_str()).collect();
    interned(names).as_slice()
}
