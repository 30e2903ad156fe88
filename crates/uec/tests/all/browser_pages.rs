//! The reports and the demo's front page in a real browser: at telephone and desktop width, with axe-core, and by the keyboard.
//!
//! Needs Node.js, npm and Chromium, which `.ci/run` installs; without them the test says so and looks at nothing.

use super::assured::{PYTHON, Python, assure};
use super::support::operations::{Demo, command, page};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::process::find;
use testkit::{Ended, Running};

/// Names under which Debian and others install the browser.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The browser, and the folder with what drives it; none where something is missing.
fn browser() -> Option<(PathBuf, PathBuf)> {
    let Some(browser) = BROWSERS.iter().find_map(|name| find(name)) else {
        testkit::lacks("Chromium");
        return None;
    };
    if !["node", "npm", "python3"].into_iter().all(testkit::has) {
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["package.json", "package-lock.json", ".npmrc", "look.mjs"] {
        std::fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    let installed = Ended::run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--prefer-offline"])
            .current_dir(&folder)
            .stdin(Stdio::null()),
    );
    installed.with(0);
    Some((browser, folder))
}

/// A report with passed, failed, skipped and declared rows: of a Provider with a few faults.
fn report(out: &Path) -> PathBuf {
    let python = Python::start(&["--fault", "total-of-entries", "--fault", "etag-missing"]);
    let run =
        Ended::run(assure(&python.root, PYTHON, out, &["--suite", "A,S"]).stdin(Stdio::null()));
    run.with(1);
    let table = Ended::run(
        command("assure report --scal")
            .arg(out.join("../table"))
            .arg(out),
    );
    table.with(0);
    out.join("report.html")
}

/// The report of an operational test plan with a failed step and a small picture.
fn plan(folder: &Path) -> PathBuf {
    let out = folder.join("plan");
    let _ = std::fs::remove_dir_all(&out);
    let picture = folder.join("diary.png");
    std::fs::write(&picture, PICTURE).unwrap();
    let (out, picture) = (out.to_str().unwrap(), picture.to_str().unwrap());
    let steps: [&[&str]; 4] = [
        &["new", "gp-hub", "--out", out],
        &["set", out, "slots=no; not yet", "dos-lead=Wren Ash; FX1"],
        &[
            "record",
            out,
            "OPS-C5/Dx05",
            "--result",
            "failed",
            "--by",
            "Wren Ash",
            "--seen",
            "no button",
            "--attach",
            picture,
        ],
        &["report", out],
    ];
    for arguments in steps {
        let run = Ended::run(command("assure plan").args(arguments).stdin(Stdio::null()));
        let incomplete = arguments.first() == Some(&"report");
        run.with(i32::from(incomplete));
    }
    folder.join("plan/report.html")
}

/// The page of the simulated Provider, with a request that broke rules on it.
fn status(folder: &Path) -> PathBuf {
    let out = folder.join("watched");
    let mut simulator = command("assure consumer --listen 127.0.0.1:0 --replace --for 30 --out");
    let simulator = Running::start(simulator.arg(&out), "Stop with Ctrl-C");
    let root = simulator.told("Root");
    let address = root.replace("http://", "").replace("/STU3", "");
    page(&address, "/STU3/Slot?start=le2031-03-04", "*/*");
    kept(folder, "status.html", &page(&address, "/", "*/*").1)
}

/// The demo's front page, as a browser gets it.
fn front(folder: &Path) -> PathBuf {
    let demo = Demo::start("");
    let address = format!("127.0.0.1:{}", demo.port);
    kept(folder, "front.html", &page(&address, "/", "text/html").1)
}

fn kept(folder: &Path, name: &str, page: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, page).unwrap();
    file
}

/// A picture of one pixel.
const PICTURE: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// NFR-07, for the reports and the front page; the pages of Provider and Consumer are not built yet.
#[test]
fn reports_are_read_on_a_telephone_on_a_desk_and_by_the_keyboard() {
    let Some((browser, folder)) = browser() else {
        return;
    };
    let page = report(&folder.join("evidence"));
    let pictures = folder.join("pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let run = Ended::run(
        Command::new("node")
            .arg("look.mjs")
            .args([
                &browser,
                &pictures,
                &page,
                &folder.join("table.html"),
                &plan(&folder),
                &status(&folder),
                &front(&folder),
            ])
            .current_dir(&folder)
            .stdin(Stdio::null()),
    );
    let said = run.with(0).stdout;
    let looks: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(looks.len(), 10, "five pages, two widths: {said}");
    for look in &looks {
        let about = format!("{look:#}");
        assert_eq!(look["violations"], serde_json::json!([]), "{about}");
        assert_eq!(look["errors"], serde_json::json!([]), "{about}");
        assert!(look["rules"].as_u64() > Some(10), "{about}");
        assert_eq!(look["scrolls"], 0, "nothing is cut off: {about}");
        if look["page"] == "status.html" {
            continue;
        }
        assert!(
            look["firstStop"].as_str().unwrap().starts_with("Skip to"),
            "{about}"
        );
        if look["page"] == "front.html" {
            continue;
        }
        assert_eq!(look["shown"], look["failedShown"], "{about}");
        assert!(look["shown"].as_u64() >= Some(1), "{about}");
    }
    println!("pictures: {}", pictures.display());
}
