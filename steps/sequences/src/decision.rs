//! What becomes of a sequence of the target: it gets the source's value, unless somebody has moved it on the target.

use crate::position::{Course, Position};

/// A sequence of the target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnTarget {
    pub(crate) oid: u32,
    pub(crate) minimum: i64,
    pub(crate) maximum: i64,
    pub(crate) start: i64,
    pub(crate) course: Course,
}

/// What pghaul knows of its own settings of a sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Where it has set the sequence last; two, where it may have been killed in between. None was noted by releases that
    /// noted nothing.
    pub(crate) set: Vec<Position>,
    /// Whether it has found that somebody else has moved the sequence.
    pub(crate) moved: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing: both are at the same position.
    Equal,
    /// It is set: nobody else has moved it.
    Set,
    /// It is set although somebody else has moved it: the source's is further on.
    SetFurther,
    /// It stays where somebody else has moved it.
    Keep,
}

/// Decides from where the sequence is on both sides.
pub(crate) fn decide(
    source: (Position, Course),
    found: &OnTarget,
    there: Position,
    known: &Known,
) -> Decision {
    if source.0 == there {
        return Decision::Equal;
    }
    let initial = Position {
        value: found.start,
        is_called: false,
    };
    let is_noted = known.moved || !known.set.is_empty();
    let cycles = source.1.cycles || found.course.cycles;
    let is_untouched = !known.moved && known.set.contains(&there);
    match is_noted {
        true if is_untouched => Decision::Set,
        true if !cycles && is_further(source, (there, found.course)) => Decision::SetFurther,
        true => Decision::Keep,
        // Its first value, or one that an earlier release has set.
        false if there == initial || cycles || is_further(source, (there, found.course)) => Decision::Set,
        false => Decision::Keep,
    }
}

/// Whether the first gives out values that the second has not reached.
fn is_further(one: (Position, Course), other: (Position, Course)) -> bool {
    let next = |(position, course): (Position, Course)| {
        let step = if position.is_called { course.increment } else { 0 };
        i128::from(position.value) + i128::from(step)
    };
    match (one.1.increment > 0, other.1.increment > 0) {
        (true, true) => next(one) > next(other),
        (false, false) => next(one) < next(other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Course = Course {
        increment: 1,
        cycles: false,
    };
    const DOWN: Course = Course {
        increment: -2,
        cycles: false,
    };
    const ROUND: Course = Course {
        increment: 1,
        cycles: true,
    };

    fn at(value: i64) -> Position {
        Position {
            value,
            is_called: true,
        }
    }

    fn decided(course: Course, source: Position, there: Position, known: &Known) -> Decision {
        let found = OnTarget {
            oid: 1,
            minimum: i64::MIN,
            maximum: i64::MAX,
            start: 1,
            course,
        };
        decide((source, course), &found, there, known)
    }

    fn set(positions: &[Position]) -> Known {
        Known {
            set: positions.to_vec(),
            moved: false,
        }
    }

    #[test]
    fn an_untouched_one_follows_the_source_wherever_that_goes() {
        let restarted = Position {
            value: 1,
            is_called: false,
        };
        for course in [UP, DOWN, ROUND] {
            for source in [restarted, at(5), at(i64::MAX)] {
                assert_eq!(decided(course, source, at(7), &set(&[at(7)])), Decision::Set);
                // Killed before or after it was set.
                assert_eq!(
                    decided(course, source, at(7), &set(&[at(3), at(7)])),
                    Decision::Set
                );
            }
        }
    }

    #[test]
    fn a_moved_one_never_goes_back() {
        let known = set(&[at(7)]);
        assert_eq!(decided(UP, at(5), at(9), &known), Decision::Keep);
        assert_eq!(decided(UP, at(9), at(9), &known), Decision::Equal);
        assert_eq!(decided(UP, at(10), at(9), &known), Decision::SetFurther);
        assert_eq!(decided(UP, at(i64::MAX), at(9), &known), Decision::SetFurther);
        assert_eq!(decided(DOWN, at(10), at(9), &known), Decision::Keep);
        assert_eq!(decided(DOWN, at(5), at(9), &known), Decision::SetFurther);
        assert_eq!(decided(ROUND, at(10), at(9), &known), Decision::Keep);
        let uncalled = Position {
            value: 9,
            is_called: false,
        };
        assert_eq!(decided(UP, at(9), uncalled, &known), Decision::SetFurther);
        assert_eq!(decided(UP, uncalled, at(9), &known), Decision::Keep);
        // Once it was moved, what pghaul sets is not its own alone.
        let moved = Known {
            set: vec![at(10)],
            moved: true,
        };
        assert_eq!(decided(UP, at(5), at(10), &moved), Decision::Keep);
        assert_eq!(decided(UP, at(11), at(10), &moved), Decision::SetFurther);
    }

    #[test]
    fn one_of_an_earlier_release_is_never_set_back() {
        let initial = Position {
            value: 1,
            is_called: false,
        };
        let none = Known::default();
        assert_eq!(decided(DOWN, at(100), initial, &none), Decision::Set);
        assert_eq!(decided(UP, at(9), at(7), &none), Decision::Set);
        assert_eq!(decided(UP, at(5), at(7), &none), Decision::Keep);
        assert_eq!(decided(ROUND, at(5), at(7), &none), Decision::Set);
    }
}
