//! Narrative markup: what is formatting passes, what could run or load is refused (txt-1, txt-2).

use fhir::primitive::check_narrative;

fn div(inner: &str) -> String {
    format!(r#"<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>"#)
}

#[test]
fn formatting_passes() {
    for inner in [
        "text",
        "<p class=\"a\">a <b>b</b><br/></p>",
        "<table border=\"1\"><tr><td colspan=\"2\">a &amp; b &#169;</td></tr></table>",
        "<a href=\"https://x.example/page?a=1&amp;b=2\">a</a>",
        "<a href=\"#part\">a</a><a href=\"mailto:a@x.example\">a</a>",
        "<img src=\"#picture\" alt=\"a\"/>",
        "<img src=\"data:image/png;base64,AAAA\" alt=\"a\"/>",
        "<img src=\"https://x.example/a.png\"/>",
        "<img src=\"a.png\"/><img src=\"../b/a.png?x=1:2\" alt=\"a\"/>",
        "<img longdesc=\"https://x.example/a\" src=\"#a\"/>",
        "<span style=\"color: red\">a</span>",
        "<!-- a comment --> a",
    ] {
        assert_eq!(check_narrative(&div(inner)), Ok(()), "{inner}");
    }
}

#[test]
fn what_could_run_or_load_is_refused() {
    for inner in [
        "<script>a</script>",
        "<p onclick=\"a()\">a</p>",
        "<p ONCLICK=\"a()\">a</p>",
        "<iframe src=\"#a\"/>",
        "<form>a</form>",
        "<object data=\"a\">a</object>",
        "<style>a</style>",
        "<img src=\"http://x.example/a.png\"/>",
        "<img src=\"file:///a.png\"/>",
        "<img src=\"data:text/html,a\"/>",
        "<img src=\"&#106;avascript:a()\"/>",
        "<svg xmlns=\"http://www.w3.org/2000/svg\">a</svg>",
        "<a href=\"javascript:a()\">a</a>",
        "<a href=\" javascript:a()\">a</a>",
        "<a href=\"java&#115;cript:a()\">a</a>",
        "<a href=\"javascript&#58;a()\">a</a>",
        "<a href=\"data:text/html,a\">a</a>",
        "<span style=\"background: url(https://x.example/a)\">a</span>",
        "<span style=\"background: u\\72l(a)\">a</span>",
        "<?php a ?>a",
    ] {
        assert!(check_narrative(&div(inner)).is_err(), "{inner}");
    }
}

#[test]
fn the_frame_is_one_filled_div() {
    for whole in [
        "",
        "text",
        "<p>a</p>",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"></div>",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"> \n </div>",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">&nbsp;</div>",
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"/>",
        "<div xmlns=\"http://x.example\">a</div>",
        "<div>a",
        "<div>a</p>",
        "<div>a</div><div>b</div>",
        "<div>a</div>b",
        "<!DOCTYPE div><div>a</div>",
        "<div><b>a</div></b>",
        "<div a=b>a</div>",
    ] {
        assert!(check_narrative(whole).is_err(), "{whole}");
    }
    assert!(check_narrative(&div(&"<p>".repeat(100))).is_err());
}

/// Proves: D-59
#[test]
fn what_cannot_be_written_in_xml_is_refused_with_what_would_be_right() {
    for (inner, words) in [
        ("a&nbsp;b", "write &#160; or the character itself"),
        ("<p title=\"&eacute;\">a</p>", "write &#233;"),
        ("a &zwnj; b", "the entity &zwnj; is not one of XML's five."),
        ("a & b", "not well-formed"),
        ("a \u{1} b", "character that XML cannot write"),
        ("a \u{fffe} b", "character that XML cannot write"),
        ("a &#1; b", "&#1; is no character that XML can hold"),
        ("a ]]> b", "]]&gt;"),
        ("<x:p>a</x:p>", "prefix is not declared"),
        ("<p x:a=\"b\">a</p>", "prefix is not declared"),
        ("<p a=\"1\"b=\"2\">a</p>", "not well-formed"),
        ("<p title=\"<\">a</p>", "&lt;"),
        ("<1>a</1>", "not well-formed"),
        ("<!-- a -- b -->a", "not well-formed"),
    ] {
        let error = check_narrative(&div(inner)).expect_err(inner).to_string();
        assert!(error.contains(words), "{inner}: {error}");
    }
    for whole in [
        "<div>a</div>",
        "<x:div>a</x:div>",
        "<div xmlns=\"http://hl7.org/fhir\">a</div>",
        "<x:div xmlns=\"http://www.w3.org/1999/xhtml\" xmlns:x=\"u\">a</x:div>",
        "\u{a0}<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>",
        "&#32;<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>",
    ] {
        assert!(check_narrative(whole).is_err(), "{whole}");
    }
}

/// Proves: D-59
#[test]
fn prefixes_and_what_stands_around_the_div_are_tolerated() {
    for whole in [
        "<x:div xmlns:x=\"http://www.w3.org/1999/xhtml\"><x:p>a</x:p></x:div>",
        "<x:div xmlns:x=\"http://www.w3.org/1999/xhtml\" xmlns=\"http://www.w3.org/1999/xhtml\"><p>a</p></x:div>",
        "\n  <div xmlns=\"http://www.w3.org/1999/xhtml\">a</div> \r\n",
        "<!-- a --><div xmlns='http://www.w3.org/1999/xhtml' xml:lang=\"en\">a<![CDATA[<b>]]></div><!-- b -->",
    ] {
        assert_eq!(check_narrative(whole), Ok(()), "{whole}");
    }
    let breached = "<x:div xmlns:x=\"http://www.w3.org/1999/xhtml\"><x:script>a</x:script></x:div>";
    assert!(check_narrative(breached).is_err());
    assert!(check_narrative(&div("\u{a0} &#160;")).is_err(), "blank");
}

#[test]
fn an_image_alone_is_content() {
    assert_eq!(check_narrative(&div("<img src=\"#a\"/>")), Ok(()));
}
