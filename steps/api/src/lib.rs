//! What a step or a check is: traits, contexts, registry, conformance battery.
