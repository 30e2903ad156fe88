//! Reads members that STU3 does not define: any JSON, kept and written back unchanged.

use super::{Owner, Reader};
use crate::issue::{Issue, Pos};
use crate::tree::Element;

impl Reader<'_> {
    /// A member without definition. `_name` stays an element of that name, since its meaning is unknown.
    pub(super) fn unknown(
        &mut self,
        parent: &mut Element,
        key: &str,
        pos: Pos,
    ) -> Result<(), Issue> {
        if self.lexer.peek() != Some(b'[') {
            if let Some(child) = self.anything(key, None)? {
                parent.push(child);
            }
            return Ok(());
        }
        self.lexer.take(b'[')?;
        if self.lexer.closes(b']') {
            self.empty(
                key,
                pos,
                "An array must not be empty: leave the element out.",
            );
            return Ok(());
        }
        for index in 0.. {
            if let Some(child) = self.anything(key, Some(index))? {
                parent.push(child.in_list());
            }
            if !self.lexer.more(b']')? {
                break;
            }
        }
        Ok(())
    }

    fn anything(&mut self, name: &str, index: Option<usize>) -> Result<Option<Element>, Issue> {
        self.count()?;
        let next = self.lexer.peek();
        let mut element = Element::new(name).at_pos(self.lexer.pos());
        self.path.push(name, index);
        let read = match next {
            Some(b'{') => {
                self.object(
                    &mut element,
                    Owner {
                        of: None,
                        companion: false,
                    },
                )?;
                true
            }
            Some(b'n') => {
                self.lexer.word("null")?;
                true
            }
            Some(b'[') => {
                self.wrong_type("a single value (FHIR has no array inside an array)", next)?;
                self.skip(self.path.depth())?;
                false
            }
            Some(_) => self.scalar(&mut element, next)?,
            None => return Err(self.lexer.bad_value()),
        };
        self.path.pop();
        Ok(read.then_some(element))
    }
}
