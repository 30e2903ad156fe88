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
        "<img src=\"https://x.example/a.png\"/>",
        "<img src=\"a.png\"/>",
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

#[test]
fn an_image_alone_is_content() {
    assert_eq!(check_narrative(&div("<img src=\"#a\"/>")), Ok(()));
}
