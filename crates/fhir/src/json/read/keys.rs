//! The names in the open objects, to find duplicates.

use crate::codec::FEW;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// Names of all open objects in one list, so that an object costs no allocation.
#[derive(Default)]
pub(super) struct Keys<'a> {
    all: Vec<(Cow<'a, str>, Range<usize>)>,
}

/// The names of one object.
pub(super) struct Open<'a> {
    start: usize,
    /// An object with many members has a hash map, so that time stays linear in the text.
    many: Option<HashMap<Cow<'a, str>, Range<usize>>>,
    companions: bool,
}

impl<'a> Keys<'a> {
    pub(super) fn open(&self) -> Open<'a> {
        Open {
            start: self.all.len(),
            many: None,
            companions: false,
        }
    }

    pub(super) fn close(&mut self, open: Open<'a>) {
        self.all.truncate(open.start);
    }

    fn find<'k>(&'k self, open: &'k Open<'a>, key: &str) -> Option<&'k Range<usize>> {
        match &open.many {
            Some(many) => many.get(key),
            None => self
                .all
                .iter()
                .skip(open.start)
                .find(|(k, _)| k == key)
                .map(|(_, at)| at),
        }
    }

    pub(super) fn has(&self, open: &Open<'a>, key: &str) -> bool {
        self.find(open, key).is_some()
    }

    /// The children that `name` made, and those that `_name` made before it.
    pub(super) fn made(&self, open: &Open<'a>, key: &str) -> [Range<usize>; 2] {
        let of_name = self.find(open, key).cloned();
        [of_name, self.twin(open, key)].map(Option::unwrap_or_default)
    }

    /// The children that `_name` made when `key` is `name`, or the reverse.
    pub(super) fn twin(&self, open: &Open<'a>, key: &str) -> Option<Range<usize>> {
        match key.strip_prefix('_') {
            Some(name) => self.find(open, name).cloned(),
            None if open.companions => self.find(open, &format!("_{key}")).cloned(),
            None => None,
        }
    }

    /// Adds a name with the children that it made.
    pub(super) fn add(&mut self, open: &mut Open<'a>, key: Cow<'a, str>, made: Range<usize>) {
        open.companions |= key.starts_with('_');
        if let Some(many) = &mut open.many {
            many.insert(key, made);
            return;
        }
        self.all.push((key, made));
        if self.all.len() - open.start > FEW {
            open.many = Some(self.all.drain(open.start..).collect());
        }
    }
}
