//! What the operations of a transaction come to: for each name, what stands there in the end.

use crate::atomic::Condition;
use crate::error::{Code, Error, Result};
use std::collections::HashMap;

/// One operation, its names as indexes of the names that the transaction touches.
#[derive(Clone, Debug)]
pub(super) enum Move {
    Write { to: usize, condition: Condition },
    Delete { from: usize },
    Rename { from: usize, to: usize, condition: Condition },
    Copy { from: usize, to: usize, condition: Condition },
}

impl Move {
    /// The name that its result is about.
    pub fn subject(&self) -> usize {
        match *self {
            Move::Write { to, .. } | Move::Rename { to, .. } | Move::Copy { to, .. } => to,
            Move::Delete { from } => from,
        }
    }
}

/// Where a content comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// It stood under this name before.
    Found(usize),
    /// This operation writes it.
    Written(usize),
}

/// What stands under each name in the end.
#[derive(Debug, PartialEq)]
pub(super) struct Ends {
    list: Vec<Option<Origin>>,
    users: HashMap<Origin, Vec<usize>>,
}

impl Ends {
    fn new(list: Vec<Option<Origin>>) -> Ends {
        let mut users: HashMap<Origin, Vec<usize>> = HashMap::new();
        for (name, end) in list.iter().enumerate() {
            if let Some(origin) = end {
                users.entry(*origin).or_default().push(name);
            }
        }
        Ends { list, users }
    }

    /// What stands under this name.
    pub fn of(&self, name: usize) -> Option<Origin> {
        self.list[name]
    }

    /// The names under which this content stands.
    pub fn users(&self, origin: Origin) -> &[usize] {
        self.users.get(&origin).map_or(&[], Vec::as_slice)
    }

    /// The one name to which what stood under this name went, if it left.
    pub fn left_for(&self, from: usize) -> Option<usize> {
        match self.users(Origin::Found(from)) {
            [to] if *to != from => Some(*to),
            _ => None,
        }
    }
}

/// What stands under each name once all operations are done, found out without doing any.
///
/// `found` tells which names have something now; `meets` whether a content has the checksum of a condition.
pub(super) fn outcome(
    moves: &[Move],
    found: &[bool],
    meets: impl Fn(Origin, &Condition) -> Result<bool>,
) -> Result<Ends, (usize, Error)> {
    let mut names: Vec<Option<Origin>> =
        found.iter().enumerate().map(|(name, there)| there.then_some(Origin::Found(name))).collect();
    let allow = |there: Option<Origin>, condition: &Condition, name: usize| match (condition, there) {
        (Condition::Always, _) | (Condition::Absent, None) => Ok(()),
        (Condition::Absent, Some(_)) => Err((name, Error::new(Code::AlreadyExists))),
        (Condition::Checksum(_), None) => Err((name, Error::new(Code::Changed))),
        (Condition::Checksum(_), Some(origin)) => match meets(origin, condition) {
            Ok(true) => Ok(()),
            Ok(false) => Err((name, Error::new(Code::Changed))),
            Err(e) => Err((name, e)),
        },
    };
    let missing = |name| (name, Error::new(Code::NotFound));
    for (operation, step) in moves.iter().enumerate() {
        match step {
            Move::Write { to, condition } => {
                allow(names[*to], condition, *to)?;
                names[*to] = Some(Origin::Written(operation));
            }
            Move::Delete { from } => drop(names[*from].take().ok_or_else(|| missing(*from))?),
            Move::Rename { from, to, condition } => {
                if from == to {
                    return Err((*from, Error::message(Code::InvalidArgument, "source and target are the same file")));
                }
                let moved = names[*from].ok_or_else(|| missing(*from))?;
                allow(names[*to], condition, *to)?;
                names[*from] = None;
                names[*to] = Some(moved);
            }
            Move::Copy { from, to, condition } => {
                let copied = names[*from].ok_or_else(|| missing(*from))?;
                allow(names[*to], condition, *to)?;
                names[*to] = Some(copied);
            }
        }
    }
    Ok(Ends::new(names))
}

#[cfg(test)]
mod tests {
    use super::Origin::{Found, Written};
    use super::*;

    const ALWAYS: Condition = Condition::Always;
    const ABSENT: Condition = Condition::Absent;

    fn write(to: usize) -> Move {
        Move::Write { to, condition: ALWAYS }
    }

    fn rename(from: usize, to: usize) -> Move {
        Move::Rename { from, to, condition: ALWAYS }
    }

    fn copy(from: usize, to: usize) -> Move {
        Move::Copy { from, to, condition: ALWAYS }
    }

    fn outcome_of(moves: &[Move], found: &[bool]) -> Result<Vec<Option<Origin>>, Code> {
        outcome(moves, found, |_, _| Ok(false)).map(|ends| ends.list).map_err(|(_, e)| e.code())
    }

    #[test]
    fn operations_see_what_those_before_them_did() {
        let there = [true, true, false];
        let swap = [rename(0, 2), rename(1, 0), rename(2, 1)];
        assert_eq!(outcome_of(&swap, &there), Ok(vec![Some(Found(1)), Some(Found(0)), None]));
        let scratch = [write(2), copy(2, 0), rename(2, 1)];
        assert_eq!(outcome_of(&scratch, &there), Ok(vec![Some(Written(0)), Some(Written(0)), None]));
        let back = [rename(0, 2), rename(2, 0)];
        assert_eq!(outcome_of(&back, &there), Ok(vec![Some(Found(0)), Some(Found(1)), None]));
        assert_eq!(outcome_of(&[write(0), write(0)], &there), Ok(vec![Some(Written(1)), Some(Found(1)), None]));
    }

    #[test]
    fn what_is_not_there_any_more_cannot_be_used() {
        let delete = Move::Delete { from: 0 };
        let there = [true, false];
        assert_eq!(outcome_of(&[delete.clone(), delete.clone()], &there), Err(Code::NotFound));
        assert_eq!(outcome_of(&[rename(0, 1), copy(0, 1)], &there), Err(Code::NotFound));
        assert_eq!(outcome_of(&[rename(0, 0)], &there), Err(Code::InvalidArgument));
        assert_eq!(
            outcome_of(&[delete, Move::Write { to: 0, condition: ABSENT }], &there),
            Ok(vec![Some(Written(1)), None])
        );
        assert_eq!(outcome_of(&[Move::Write { to: 0, condition: ABSENT }], &there), Err(Code::AlreadyExists));
    }
}
