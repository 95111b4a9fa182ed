//! How many of something each holder has at the moment: streams of a caller, connections of an address.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

type Held<K> = Arc<Mutex<HashMap<K, u32>>>;

/// Counts what each holder has. Whoever has nothing takes no memory.
#[derive(Debug)]
pub(crate) struct Shares<K>(Held<K>);

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Shares<K> {
    /// One more for this holder, unless it has `most` of them.
    pub(crate) fn take(&self, holder: K, most: u32) -> Option<Share<K>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has = held.get(&holder).copied().unwrap_or(0);
        if has >= most {
            return None;
        }
        held.insert(holder.clone(), has + 1);
        Some(Share { held: self.0.clone(), holder })
    }
}

/// One of a holder's, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Share<K: Eq + Hash> {
    held: Held<K>,
    holder: K,
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(has) = held.get_mut(&self.holder) {
            *has -= 1;
            if *has == 0 {
                held.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_has_no_more_than_allowed_and_leaves_nothing_behind() {
        let shares = Shares::default();
        let (first, second) = (shares.take("ada", 2).unwrap(), shares.take("ada", 2));
        assert!(second.is_some() && shares.take("ada", 2).is_none());
        assert!(shares.take("bob", 1).is_some(), "others have their own");
        drop(first);
        assert!(shares.take("ada", 2).is_some(), "what was given back can be had again");
        drop(second);
        assert!(shares.0.lock().unwrap().is_empty());
    }
}
