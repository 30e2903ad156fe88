//! The frame of a page: style, filter, script, times.

use super::Markup;
use crate::evidence::verdicts::Mark;
use jiff::Timestamp;
use uuid::Uuid;

/// Colours keep a contrast of 4.5 to 1 and more on their ground; every verdict also has a word and a sign.
const STYLE: &str = "
:root{color-scheme:light;--line:#b1b4b6;--ink:#212b32;--blue:#005eb8}
*{box-sizing:border-box}
body{margin:0;font:1rem/1.5 Arial,Helvetica,sans-serif;color:var(--ink);background:#fff}
main,footer{max-width:75rem;margin:0 auto;padding:1rem}
h1{font-size:1.9rem;line-height:1.2}h2{font-size:1.45rem;margin-top:2.2rem}h3{font-size:1.15rem}
body{overflow-wrap:anywhere}
a{color:var(--blue)}
a:focus-visible,summary:focus-visible,input:focus-visible,[tabindex]:focus-visible{outline:3px solid #212b32;outline-offset:2px;background:#ffeb3b;color:#212b32}
.skip{position:absolute;left:-999rem}.skip:focus{left:1rem;top:1rem;padding:.5rem 1rem;background:#ffeb3b;color:#212b32;z-index:1}
.lead{font-size:1.2rem}.note{border-left:.4rem solid var(--blue);padding:.4rem .8rem;background:#f0f4f5}
dl{margin:0 0 1rem;border-top:1px solid var(--line)}
dl div{display:flex;flex-wrap:wrap;gap:0 1rem;border-bottom:1px solid var(--line);padding:.25rem 0}
dt{font-weight:700;min-width:8rem}dd{margin:0;flex:1 1 12rem;min-width:0}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem;table-layout:fixed}
th:nth-child(2){width:9.5rem}.scal th:first-child{width:8.5rem}.scal th:nth-child(3){width:32%}.tests th:first-child{width:24%}.tests th:nth-child(4){width:22%}.tests th:nth-child(5){width:6rem}.cited th:nth-child(3){width:50%}
.plan th:first-child{width:13rem}.ready th:first-child{width:50%}.plan td:nth-child(3){overflow-wrap:break-word}img{max-width:100%;height:auto;border:1px solid var(--line)}
caption{text-align:left;font-weight:700;padding:.4rem 0}
th,td{text-align:left;vertical-align:top;padding:.5rem .6rem .5rem 0;border-bottom:1px solid var(--line)}
td ul{margin:0;padding-left:1.1rem}td p{margin:.6rem 0 0}td p:first-child{margin-top:0}th small{display:block;font-weight:400}
.failure,.advice{border-left:.4rem solid #b10e1e;padding-left:.9rem;margin:1.2rem 0}.advice{border-color:#4c6272}
.failure p,.advice p{margin:.4rem 0}.failure h3,.advice h3{margin:0 0 .4rem}code{background:#f0f4f5;padding:0 .2rem}#said{margin:0}
.mark{font-weight:700;white-space:nowrap;padding:.1rem .45rem;border:2px solid currentColor;border-radius:.25rem;background:#fff}
.mark.passed{color:#00623c}.mark.failed{color:#b10e1e}.mark.declared{color:#4c2c92}.mark.untried{color:#4c6272}
fieldset{border:1px solid var(--line);margin:1.5rem 0 0;padding:.5rem .8rem 1rem}
fieldset label{display:inline-block;padding:.35rem 1rem .35rem 0;min-height:2.2rem}
input[type=radio]{width:1.2rem;height:1.2rem;vertical-align:-.2rem}
details{margin:.5rem 0}summary{cursor:pointer;padding:.3rem 0;color:var(--blue)}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f0f4f5;padding:.7rem;font-size:.85rem;margin:.4rem 0}
[hidden]{display:none}
.away{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:45rem){
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,tr,th,td,caption{display:block}tbody th:first-child{width:auto}
tr{border:1px solid var(--line);padding:.4rem .7rem;margin:0 0 .8rem}tr[hidden]{display:none}
th,td{border:0;padding:.2rem 0}td:empty{display:none}
td[data-label]::before{content:attr(data-label) ': ';font-weight:700}
}
@media print{.skip,fieldset{display:none}body{font-size:10pt}tr,.failure{break-inside:avoid}thead{display:table-header-group}a{color:inherit}}
";

/// Shows the filter, which does nothing without a script, and hides the rows of other verdicts. It holds none of the
/// characters that XML would want escaped.
const SCRIPT: &str = "
(function(){
function reveal(){var at=document.getElementById(location.hash.slice(1));if(at){at.open=true;at.scrollIntoView()}}
window.addEventListener('hashchange',reveal);if(location.hash){reveal()}
var box=document.getElementById('filter');if(!box){return}
box.hidden=false;
var said=document.getElementById('said');
box.addEventListener('change',function(event){
var wanted=event.target.value,shown=0,all=0;
document.querySelectorAll('tr[data-verdict]').forEach(function(row){
var fits=wanted==='all'?true:row.dataset.verdict===wanted;
row.hidden=!fits;all+=1;shown+=fits?1:0;
});
said.textContent=shown+' of '+all+' rows shown';
});
})();
";

/// What stands around the content of a page.
pub(crate) struct Frame<'a> {
    /// Title of the window.
    pub title: &'a str,
    /// The heading.
    pub heading: &'a str,
    /// Where the skip link leads, and its words.
    pub skip: (&'a str, &'a str),
    /// Whether it holds images: inside it, never from elsewhere.
    pub images: bool,
    /// What is said at the end.
    pub remark: &'a str,
}

/// What the reports of the suites say at their end.
pub(crate) const NO_PROOF: &str = "A passed test shows that the system did right in the cases tried; it does not replace the supplier's own tests, nor the declarations of the SCAL.";

/// A whole page.
pub(crate) fn page(frame: &Frame, content: impl FnOnce(&mut Markup)) -> String {
    // Only the script of this page may run; nothing is fetched, sent or framed.
    let nonce = Uuid::new_v4().simple().to_string();
    let images = if frame.images { "; img-src data:" } else { "" };
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'{images}"
    );
    let viewport = "width=device-width, initial-scale=1";
    let mut out = Markup::default();
    out.constant("<!DOCTYPE html>\n")
        .open("html", &[("lang", "en-GB")])
        .constant("\n<head>\n")
        .empty("meta", &[("charset", "utf-8")])
        .empty(
            "meta",
            &[
                ("http-equiv", "Content-Security-Policy"),
                ("content", &policy),
            ],
        )
        .empty("meta", &[("name", "viewport"), ("content", viewport)])
        .element("title", &[], frame.title)
        .constant("<style>")
        .constant(STYLE)
        .constant("</style>\n");
    // At the end of the parsing, whatever the place.
    out.within("script", &[("nonce", &nonce)], |out| {
        out.constant("document.addEventListener('DOMContentLoaded',function(){")
            .constant(SCRIPT)
            .constant("});");
    });
    let (target, words) = frame.skip;
    let target = format!("#{target}");
    out.constant("</head>\n<body>\n")
        .element("a", &[("class", "skip"), ("href", &target)], words)
        .within("main", &[("id", "main")], |out| {
            out.element("h1", &[], frame.heading);
            content(out);
        })
        .within("footer", &[], |out| {
            let version = env!("CARGO_PKG_VERSION");
            out.paragraph(&format!("Made by uec {version}. {}", frame.remark));
        })
        .constant("</body>\n</html>\n");
    out.finish()
}

/// The filter by verdict, with a word for each mark. Hidden until the script shows it.
pub(crate) fn filter(out: &mut Markup, words: impl Fn(Mark) -> &'static str) {
    out.within(
        "fieldset",
        &[("id", "filter"), ("hidden", "hidden")],
        |out| {
            out.element("legend", &[], "Show in the tables");
            let mut choice = |attributes: &[(&str, &str)], words: &str| {
                let all = [&[("type", "radio"), ("name", "verdict")], attributes].concat();
                out.within("label", &[], |out| {
                    out.empty("input", &all).text(" ").text(words);
                });
            };
            choice(&[("value", "all"), ("checked", "checked")], "All");
            for mark in [Mark::Failed, Mark::Passed, Mark::Declared, Mark::Untried] {
                choice(&[("value", mark.key())], words(mark));
            }
            out.element("p", &[("id", "said"), ("role", "status")], "");
        },
    );
}

/// A verdict as word and sign.
pub(crate) fn mark(out: &mut Markup, mark: Mark, words: &str) {
    let sign = match mark {
        Mark::Passed => "\u{2713}",
        Mark::Failed => "\u{2717}",
        Mark::Declared => "\u{270e}",
        Mark::Untried => "\u{2013}",
    };
    let class = format!("mark {}", mark.key());
    out.within("span", &[("class", &class)], |out| {
        out.element("span", &[("aria-hidden", "true")], sign)
            .text(" ")
            .text(words);
    });
}

/// A moment for people in the United Kingdom.
pub(crate) fn time(at: Timestamp) -> String {
    match at.in_tz("Europe/London") {
        Ok(local) => local.strftime("%-d %B %Y, %H:%M:%S (%Z)").to_string(),
        Err(_) => at.to_string(),
    }
}
