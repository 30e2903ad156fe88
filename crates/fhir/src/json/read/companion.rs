//! Reads `_name`: the id and extensions of a primitive.

use super::{Member, Owner, Reader, join_twin};
use crate::issue::Issue;
use crate::schema::ElementDef;
use crate::tree::Element;

impl Reader<'_> {
    /// `_name`: id and extensions of the primitive `name`.
    pub(super) fn companion(
        &mut self,
        parent: &mut Element,
        def: &'static ElementDef,
        member: Member,
    ) -> Result<(), Issue> {
        let name = def.name;
        let is_array = self.lexer.peek() == Some(b'[');
        if is_array != def.is_list() {
            let form = match is_array {
                true => "an object, as the element is single",
                false => "an array, as the element is a list",
            };
            self.structure(
                &format!("_{name}"),
                member.pos,
                format!("`_{name}` must be {form}."),
            );
        }
        if !is_array {
            let index = def.is_list().then_some(0);
            if self.companion_of_one(parent, def, index)? {
                join_twin(parent, member.twin.as_ref(), 0);
            }
            return Ok(());
        }
        self.lexer.take(b'[')?;
        if self.lexer.closes(b']') {
            let message = "An array must not be empty: leave it out.";
            self.empty(&format!("_{name}"), member.pos, message);
            return Ok(());
        }
        for index in 0.. {
            if self.companion_of_one(parent, def, Some(index))? {
                parent.mark_last(true, false);
                join_twin(parent, member.twin.as_ref(), index);
            }
            if !self.lexer.more(b']')? {
                break;
            }
        }
        Ok(())
    }

    fn companion_of_one(
        &mut self,
        parent: &mut Element,
        def: &'static ElementDef,
        index: Option<usize>,
    ) -> Result<bool, Issue> {
        self.count()?;
        let next = self.lexer.peek();
        let pos = self.lexer.pos();
        let element = parent.open_child(def.name, usize::MAX, pos);
        self.path.push_known(def.name, index);
        let read = match next {
            Some(b'n') if index.is_some() => {
                self.lexer.word("null")?;
                self.nulls += 1;
                true
            }
            Some(b'{') => {
                // A primitive has `id` and `extension` like any element; the type Extension lists both.
                let of = self.schema.type_def("Extension");
                self.object(
                    element,
                    Owner {
                        of,
                        companion: true,
                    },
                )?;
                true
            }
            _ => {
                self.wrong_type("an object", next)?;
                self.skip(self.path.depth())?;
                false
            }
        };
        self.path.pop();
        if !read {
            parent.children_mut().pop();
        }
        Ok(read)
    }
}
