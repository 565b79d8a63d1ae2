use std::collections::HashMap;
use std::hash::Hash;

/// How many machines to keep something of for one account: relay credentials, addresses.
pub(super) const MAX_MACHINES: usize = 10_000;

/// A map with a limited number of entries. One more empties it, and lookups fill it again.
#[derive(Debug)]
pub(super) struct Bounded<K, V> {
    entries: HashMap<K, V>,
    limit: usize,
}

impl<K: Eq + Hash, V> Bounded<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            entries: HashMap::new(),
            limit,
        }
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.make_room(&key);
        self.entries.insert(key, value);
    }

    /// Returns what belongs to a key, which is made if it is not there.
    pub(super) fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.make_room(&key);
        self.entries.entry(key).or_default()
    }

    fn make_room(&mut self, key: &K) {
        if self.entries.len() >= self.limit && !self.entries.contains_key(key) {
            self.entries.clear();
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_the_limit_are_held_and_one_more_takes_the_place_of_all() {
        let mut map = Bounded::new(3);
        for number in 0..3 {
            map.insert(number, number);
        }
        // What is there needs no room.
        map.insert(1, 10);
        *map.get_or_default(2) += 1;
        assert_eq!(
            (map.get(&0), map.get(&1), map.get(&2)),
            (Some(&0), Some(&10), Some(&3))
        );
        assert_eq!(*map.get_or_default(3), 0);
        assert_eq!(map.entries.len(), 1);
    }
}
