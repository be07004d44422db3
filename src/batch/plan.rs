//! Who waits for whom.

use super::Touch;
use crate::path::Key;
use std::collections::{BTreeSet, HashMap};

/// For each task, how many others it waits for, and which others wait for it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub waits: Vec<usize>,
    pub followers: Vec<Vec<usize>>,
}

impl Plan {
    pub fn of(touches: &[&Touch]) -> Plan {
        let mut plan = Plan { waits: vec![0; touches.len()], followers: vec![Vec::new(); touches.len()] };
        let mut last_of: HashMap<&Key, usize> = HashMap::new();
        let mut barrier = None;
        let mut since_barrier = Vec::new();
        for (index, touch) in touches.iter().enumerate() {
            let mut leaders: BTreeSet<usize> = BTreeSet::new();
            match touch {
                Touch::Nothing => continue,
                Touch::Names(names) => leaders.extend(names.iter().filter_map(|name| last_of.insert(name, index))),
                Touch::Everything => leaders.extend(since_barrier.drain(..)),
            }
            leaders.extend(barrier);
            if **touch == Touch::Everything {
                last_of.clear();
                barrier = Some(index);
            } else {
                since_barrier.push(index);
            }
            plan.follow(index, leaders);
        }
        plan
    }

    fn follow(&mut self, index: usize, mut leaders: BTreeSet<usize>) {
        leaders.remove(&index); // a task that names one file twice
        self.waits[index] = leaders.len();
        for leader in leaders {
            self.followers[leader].push(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Touch {
        Touch::Names(list.iter().map(|n| Key::from_bytes(n.as_bytes().to_vec())).collect())
    }

    fn followers(touches: &[Touch]) -> Vec<Vec<usize>> {
        let plan = Plan::of(&touches.iter().collect::<Vec<_>>());
        for (index, waits) in plan.waits.iter().enumerate() {
            assert_eq!(*waits, plan.followers.iter().flatten().filter(|f| **f == index).count());
        }
        plan.followers
    }

    #[test]
    fn the_same_name_is_touched_in_order_and_others_wait_for_nothing() {
        let plan = followers(&[names(&["a"]), names(&["b"]), names(&["a", "b"]), names(&["a"]), names(&["c", "c"])]);
        assert_eq!(plan, [vec![2], vec![2], vec![3], vec![], vec![]]);
    }

    #[test]
    fn what_touches_everything_waits_for_all_and_all_wait_for_it() {
        let all = || Touch::Everything;
        let plan = followers(&[names(&["a"]), Touch::Nothing, names(&["b"]), all(), names(&["a"]), all(), all()]);
        assert_eq!(plan, [vec![3], vec![], vec![3], vec![4, 5], vec![5], vec![6], vec![]]);
    }
}
