//! Protects the white space of a narrative that an XML reader would change: it reads a carriage return as a line feed, and
//! in attributes line feeds and tabs as spaces. The element tree and JSON hold these characters as they are; XML holds
//! references (`&#13;`). Between attributes and in comments there can be no references, and white space does not matter:
//! there a carriage return becomes a line feed.

use std::borrow::Cow;

/// The context of a piece of markup.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Tag,
    /// A value in these quotes.
    Attribute(char),
    Comment,
    CData,
}

/// Markup of the tree in the form for XML.
pub(super) fn to_xml(markup: &str) -> Cow<'_, str> {
    if !markup.contains(['\r', '\n', '\t']) {
        return Cow::Borrowed(markup);
    }
    each(markup, |place, piece| match (place, piece) {
        (Place::Text, "\r") => Some("&#13;"),
        (Place::Attribute(_), "\r") => Some("&#13;"),
        (Place::Attribute(_), "\n") => Some("&#10;"),
        (Place::Attribute(_), "\t") => Some("&#9;"),
        // A CDATA section cannot hold a reference, so it ends before one and starts again after it.
        (Place::CData, "\r") => Some("]]>&#13;<![CDATA["),
        (Place::Tag | Place::Comment, "\r") => Some("\n"),
        _ => None,
    })
}

/// Markup of an XML message in the form for the tree.
pub(super) fn from_xml(markup: &str) -> Cow<'_, str> {
    if !markup.contains(['\r', '\n', '\t', '&']) {
        return Cow::Borrowed(markup);
    }
    // A line end is one character in any spelling.
    let markup = match markup.contains('\r') {
        true => Cow::Owned(markup.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(markup),
    };
    let read = each(&markup, |place, piece| match (place, piece) {
        (Place::Attribute(_), "\n" | "\t") => Some(" "),
        (Place::Text | Place::Attribute(_), reference) => {
            let name = reference.strip_prefix('&')?.strip_suffix(';')?;
            match (crate::xml_text::entity(name)?, place) {
                ('\r', _) => Some("\r"),
                ('\n', Place::Attribute(_)) => Some("\n"),
                ('\t', Place::Attribute(_)) => Some("\t"),
                _ => None,
            }
        }
        _ => None,
    });
    match read {
        Cow::Borrowed(_) => markup,
        Cow::Owned(read) => Cow::Owned(read),
    }
}

/// Applies `change` to each piece of the markup, a character or a whole reference, with its context.
fn each<'m>(markup: &'m str, change: impl Fn(Place, &str) -> Option<&'static str>) -> Cow<'m, str> {
    let mut out = String::new();
    let (mut place, mut rest, mut kept) = (Place::Text, markup, 0);
    while let Some(first) = rest.chars().next() {
        let (next, length) = step(place, first, rest);
        let piece = rest.get(..length).unwrap_or(rest);
        let at = markup.len() - rest.len();
        if let Some(other) = change(place, piece) {
            out.push_str(markup.get(kept..at).unwrap_or_default());
            out.push_str(other);
            kept = at + piece.len();
        }
        place = next;
        rest = rest.get(piece.len()..).unwrap_or_default();
    }
    match kept {
        0 => Cow::Borrowed(markup),
        _ => {
            out.push_str(markup.get(kept..).unwrap_or_default());
            Cow::Owned(out)
        }
    }
}

/// The context after the next piece of well-formed markup, and that piece's length.
fn step(place: Place, first: char, rest: &str) -> (Place, usize) {
    let opens = |mark: &str| rest.starts_with(mark);
    match place {
        Place::Text if opens("<!--") => (Place::Comment, 4),
        Place::Text if opens("<![CDATA[") => (Place::CData, 9),
        Place::Text if first == '<' => (Place::Tag, 1),
        Place::Tag if first == '>' => (Place::Text, 1),
        Place::Tag if matches!(first, '"' | '\'') => (Place::Attribute(first), 1),
        Place::Attribute(quote) if first == quote => (Place::Tag, 1),
        Place::Comment if opens("-->") => (Place::Text, 3),
        Place::CData if opens("]]>") => (Place::Text, 3),
        Place::Text | Place::Attribute(_) if first == '&' => {
            (place, rest.find(';').map_or(1, |end| end + 1))
        }
        _ => (place, first.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_that_a_reader_would_change_is_a_reference() {
        for (tree, xml) in [
            ("<div>a\r\nb\rc\n</div>", "<div>a&#13;\nb&#13;c\n</div>"),
            (
                "<p title=\"a\r\n\tb>\" lang='\"\t'>x\t</p>",
                "<p title=\"a&#13;&#10;&#9;b>\" lang='\"&#9;'>x\t</p>",
            ),
            (
                "<p>&amp;\r<!-- \"'> --><b/>\r</p>",
                "<p>&amp;&#13;<!-- \"'> --><b/>&#13;</p>",
            ),
        ] {
            assert_eq!(to_xml(tree), xml);
            assert_eq!(from_xml(xml), tree);
        }
        let (tree, xml) = ("<p\r a=''><!--\r-->", "<p\n a=''><!--\n-->");
        assert_eq!(to_xml(tree), xml);
        let section = to_xml("<p><![CDATA[a\r]b]]></p>");
        assert_eq!(section, "<p><![CDATA[a]]>&#13;<![CDATA[]b]]></p>");
    }

    #[test]
    fn raw_line_ends_of_a_message_are_line_feeds() {
        assert_eq!(from_xml("<p>a\r\nb\rc</p>"), "<p>a\nb\nc</p>");
        assert_eq!(from_xml("<p title='a\r\nb\tc'/>"), "<p title='a b c'/>");
        assert_eq!(from_xml("<p>&#xD;&#10;&#13;</p>"), "<p>\r&#10;\r</p>");
        assert!(matches!(from_xml("<p>plain &lt;</p>"), Cow::Borrowed(_)));
    }
}
